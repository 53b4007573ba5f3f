internal import CLinux
internal import Dispatch
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// A thread of its own that runs jobs one after the other, for what must not happen on a shared thread: being in a network
/// namespace, or being the parent whose end kills a child.
package final class WorkerThread: Sendable {
    private struct Queue {
        var jobs: [@Sendable () -> Void] = []
        var isClosed = false
    }
    private let queue = Mutex(Queue())
    private let available = DispatchSemaphore(value: 0)

    package init(name: String) throws {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Start(worker: self, name: name))
        let failure = pthread_create(&thread, nil, runWorker, argument.toOpaque())
        if failure != 0 {
            argument.release()
            throw TestFailure("start a thread: \(SystemError.words(failure))")
        }
        pthread_detach(thread)
    }

    /// Runs the job after those before it, without waiting.
    package func submit(_ job: @escaping @Sendable () -> Void) {
        queue.withLock { $0.jobs.append(job) }
        available.signal()
    }

    /// Runs the job and waits for its result.
    package func perform<Value: ~Copyable & Sendable>(_ job: @escaping @Sendable () throws -> Value) throws -> Value {
        let slot = Slot<Value>()
        let done = DispatchSemaphore(value: 0)
        submit {
            slot.fill(job)
            done.signal()
        }
        done.wait()
        return try slot.take()
    }

    /// Ends the thread after the jobs that it has.
    package func close() {
        queue.withLock { $0.isClosed = true }
        available.signal()
    }

    fileprivate func run() {
        while true {
            available.wait()
            let job: (@Sendable () -> Void)? = queue.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }
            if let job { job() } else if queue.withLock({ $0.isClosed }) { return }
        }
    }

    fileprivate final class Start: Sendable {
        let worker: WorkerThread
        let name: String
        init(worker: WorkerThread, name: String) {
            self.worker = worker
            self.name = name
        }
    }

    /// Carries a result from one thread to another.
    private final class Slot<Value: ~Copyable & Sendable>: Sendable {
        private let outcome = Mutex<Result<Value, any Error>?>(nil)

        func fill(_ job: () throws -> Value) {
            do {
                let value = try job()
                var transfer: Value? = consume value
                outcome.withLock { $0 = .success(transfer.take()!) }
            } catch {
                outcome.withLock { $0 = .failure(error) }
            }
        }

        func take() throws -> Value {
            let result = outcome.withLock { $0.take() }
            guard let result else { throw TestFailure("the job left no result") }
            return try result.get()
        }
    }
}

// A free function: a closure would inherit the isolation of the code around it and trap on this thread.
private func runWorker(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<WorkerThread.Start>.fromOpaque(argument).takeRetainedValue()
    clinux_name_thread(String(start.name.prefix(15)))
    start.worker.run()
    return nil
}
