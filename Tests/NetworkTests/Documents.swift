/// What the tests read of `riptide --format json`: the keys that users' scripts rely on, told here once more on purpose.
struct ServicesDocument: Decodable { let services: [ServiceDocument] }

struct ServiceDocument: Decodable {
    let name: String
    let address: String
    let ports: String
    let colour: String
    let connections: Int
    let newConnections: Int
    let refused: Int
    let servers: [ServerDocument]
}

struct ServerDocument: Decodable {
    let name: String
    let weight: Int
    let state: String
    let colour: String
    let connections: Int
    let newConnections: Int
    let packets: Int
    let mac: String?
    let interface: String?
    let neighbour: String
}

struct ServersDocument: Decodable { let servers: [ServerDocument] }

struct PersistenceDocument: Decodable {
    let entries: [Entry]

    struct Entry: Decodable, Equatable {
        let service: String
        let client: String
        let server: String
        let secondsLeft: Int
    }
}

struct FlowsDocument: Decodable {
    let total: Int
    let flows: [Flow]

    struct Flow: Decodable {
        let client: String
        let clientPort: Int
        let port: Int
        let server: String
        let state: String
        let packets: Int
    }
}

struct CountersDocument: Decodable {
    let counters: [Counter]

    struct Counter: Decodable {
        let name: String
        let value: Int
        let expected: Bool
    }
}

struct DataPathDocument: Decodable {
    let attached: [Interface]
    let bpffs: String
    let flows: Table

    struct Interface: Decodable {
        let interface: String
        let mode: String
        let programID: Int?
    }

    struct Table: Decodable { let capacity: Int }
}

struct ApplyDocument: Decodable {
    let changed: Bool
    let servicesAdded: [String]
    let servicesChanged: [String]
    let servicesRemoved: [String]
    let mapWrites: Int
}

struct ReportDocument: Decodable {
    let valid: Bool
    let diagnostics: [Diagnostic]

    struct Diagnostic: Decodable {
        let severity: String
        let line: Int?
        let column: Int?
        let path: String
        let message: String
        let cure: String
    }
}

struct StatusDocument: Decodable {
    let node: Node
    let services: [ServiceDocument]
    let warnings: [String]

    struct Node: Decodable {
        let name: String
        let active: Bool
        let pid: Int
    }
}
