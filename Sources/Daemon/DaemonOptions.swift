/// What the daemon is started with.
package struct DaemonOptions: Sendable {
    package var configuration: String
    package var socket: String
    package var stateDirectory: String
    package var bpffs: String
    /// Whether the data plane is taken away when the daemon ends; it goes on otherwise.
    package var detach: Bool

    package init(
        configuration: String = "/etc/riptide/riptide.yaml", socket: String = "/run/riptide/admin.sock",
        stateDirectory: String = "/var/lib/riptide", bpffs: String = "/sys/fs/bpf/riptide", detach: Bool = false
    ) {
        self.configuration = configuration
        self.socket = socket
        self.stateDirectory = stateDirectory
        self.bpffs = bpffs
        self.detach = detach
    }
}
