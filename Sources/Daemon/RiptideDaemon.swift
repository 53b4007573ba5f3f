import ControlAPI
import ControlServer
import Glibc
import LinuxSystem
package import Logging
import ServiceLifecycle
import UnixSignals

/// The daemon: the reconciler, what drives it, and the control socket.
package enum RiptideDaemon {
    /// Runs until SIGTERM or SIGINT. The data plane forwards on after that, unless it was detached.
    package static func run(_ options: DaemonOptions, logger: Logger) async throws {
        // One heap for all threads: they do little, and each heap keeps what it once had.
        ProcessMemory.useOneHeap()
        let limit = try? raiseFileLimit()
        logger.debug("descriptors", metadata: ["limit": "\(limit?.now ?? 0)"])
        let reconciler = try Reconciler(options: options, logger: logger)
        try await reconciler.start()
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: NetworkFollowing(reconciler: reconciler)),
                    .init(service: Housekeeping(reconciler: reconciler)),
                    .init(service: Rereading(reconciler: reconciler)),
                    .init(
                        service: ControlServer(
                            socket: options.socket, controller: reconciler, logger: logger,
                            ready: { notifySystemd("READY=1") })),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: Self.quiet(logger)))
        do {
            try await group.run()
        } catch {
            await reconciler.end()
            throw error
        }
        notifySystemd("STOPPING=1")
        await reconciler.end()
        logger.info("ended")
    }

    /// The framework's own messages tell of its workings; ours tell of ours.
    private static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}

/// Follows the network's changes as they come.
private struct NetworkFollowing: Service {
    let reconciler: Reconciler

    func run() async throws {
        for await change in reconciler.monitor.changes.cancelOnGracefulShutdown() {
            await reconciler.networkChanged(change)
        }
    }
}

/// What is to be done at intervals.
private struct Housekeeping: Service {
    let reconciler: Reconciler

    private static let sweepPeriod = 5

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var second = 0
            var nextSweep = 0
            while !Task.isCancelled {
                if second >= nextSweep {
                    let began = ContinuousClock.now
                    await reconciler.sweep()
                    // Millions of flows take a while: never more than a twentieth of the time.
                    let took = Int((ContinuousClock.now - began) / .seconds(1) * 20)
                    nextSweep = second + max(Self.sweepPeriod, took)
                }
                await reconciler.everySecond()
                second += 1
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }
}

/// Reads the configuration anew on SIGHUP.
private struct Rereading: Service {
    let reconciler: Reconciler

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            await reconciler.reread()
        }
    }
}

extension Reconciler {
    /// Applies the daemon's own file; a faulty one changes nothing and is logged.
    fileprivate func reread() {
        if isDetached {
            logger.warning("SIGHUP ignored: the data plane is detached; 'riptide config apply' attaches it again")
            return
        }
        do {
            let report = try applyConfiguration(nil, file: nil)
            logger.info("configuration read again", metadata: ["changed": "\(report.changed)"])
        } catch {
            for diagnostic in (error as? APIProblem)?.diagnostics ?? [] {
                logger.error("configuration", metadata: ["diagnostic": "\(diagnostic.text)"])
            }
            logger.error("configuration not read again: the one before stays in force", metadata: ["error": "\(error)"])
        }
    }
}
