internal import CLinux

/// What the C library's allocator does with memory that is not in use.
package enum ProcessMemory {
    /// One heap for all threads instead of one for each: for processes whose threads do little, since each heap keeps what it
    /// once had. To be called before threads begin.
    package static func useOneHeap() { clinux_use_one_heap() }

    /// Gives unused memory back to the kernel, which the allocator by itself hardly does. Takes milliseconds.
    package static func giveBack() { clinux_give_memory_back() }
}
