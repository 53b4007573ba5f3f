/// How the data plane's program shall be attached to an interface.
package enum XDPPreference: String, Hashable, Sendable, CaseIterable {
    /// In the driver if it can, else in generic mode.
    case auto
    /// In the driver, or not at all.
    case native
    /// After the kernel has unpacked the packet: slower, on any interface.
    case generic
}
