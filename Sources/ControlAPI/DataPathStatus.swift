/// The data path in the kernel.
package struct DataPathStatus: Codable, Hashable, Sendable {
    package var attached: [InterfaceAttachment]
    /// The folder of the pinned maps and links.
    package var bpffs: String
    /// Of the pinned maps; daemons with another one cannot take them over.
    package var layoutVersion: Int
    package var flows: TableUse
    package var persistence: TableUse
    package var timeouts: FlowTimeouts

    package init(
        attached: [InterfaceAttachment], bpffs: String, layoutVersion: Int, flows: TableUse, persistence: TableUse,
        timeouts: FlowTimeouts
    ) {
        self.attached = attached
        self.bpffs = bpffs
        self.layoutVersion = layoutVersion
        self.flows = flows
        self.persistence = persistence
        self.timeouts = timeouts
    }
}

/// One network interface and the XDP program on it.
package struct InterfaceAttachment: Codable, Hashable, Sendable {
    package var interface: String
    /// `native`, `generic` or `none`.
    package var mode: String
    /// What the configuration asks for: `auto`, `native` or `generic`.
    package var wanted: String
    /// The kernel's number of the program; `nil` when none is attached.
    package var programID: Int?
    /// Why the mode is not the wanted or the best one; empty when there is nothing to say.
    package var note: String

    package init(interface: String, mode: String, wanted: String, programID: Int? = nil, note: String = "") {
        self.interface = interface
        self.mode = mode
        self.wanted = wanted
        self.programID = programID
        self.note = note
    }
}

/// How full a table of the data path is.
package struct TableUse: Codable, Hashable, Sendable {
    package var used: Int
    package var capacity: Int
    package var memoryBytes: Int

    package init(used: Int, capacity: Int, memoryBytes: Int) {
        self.used = used
        self.capacity = capacity
        self.memoryBytes = memoryBytes
    }
}

/// How long a silent flow is kept.
package struct FlowTimeouts: Codable, Hashable, Sendable {
    package var tcpEstablishedSeconds: Int
    package var tcpFinSeconds: Int
    package var tcpSynSeconds: Int
    package var udpSeconds: Int

    package init(tcpEstablishedSeconds: Int, tcpFinSeconds: Int, tcpSynSeconds: Int, udpSeconds: Int) {
        self.tcpEstablishedSeconds = tcpEstablishedSeconds
        self.tcpFinSeconds = tcpFinSeconds
        self.tcpSynSeconds = tcpSynSeconds
        self.udpSeconds = udpSeconds
    }
}

/// One counter of the data path, summed over all processors, since the data path was attached.
package struct Counter: Codable, Hashable, Sendable {
    /// Stable, for scripts.
    package var name: String
    package var value: Int
    /// What became of the packets: `pass`, `forward`, `drop` or `reply`.
    package var kind: String
    /// What it counts, in words.
    package var text: String
    /// Whether a healthy installation counts here too.
    package var expected: Bool

    package init(name: String, value: Int, kind: String, text: String, expected: Bool) {
        self.name = name
        self.value = value
        self.kind = kind
        self.text = text
        self.expected = expected
    }
}

/// The answer of `GET /v1/counters`.
package struct CounterList: Codable, Hashable, Sendable {
    package var counters: [Counter]

    package init(counters: [Counter]) { self.counters = counters }
}
