import ControlAPI
import Foundation
import Synchronization
import Testing

@Suite("Every endpoint, over a real socket")
struct EndpointTests {
    @Test func `status comes over whole`() async throws {
        try await withServer { client, _ async throws in
            let status = try await client.status()
            #expect(status == Fixture.status())
        }
    }

    @Test func `services and real servers come over whole, in their order`() async throws {
        try await withServer { client, _ async throws in
            #expect(try await client.services() == Fixture.services)
            #expect(try await client.service("Web") == Fixture.services[1])
            #expect(try await client.servers(of: "Harmonic_Traffic") == Fixture.services[0].servers)
            #expect(try await client.server("HT2", of: "Harmonic_Traffic") == Fixture.services[0].servers[1])
        }
    }

    @Test func `a change of a real server reaches the controller and answers with what is in force`() async throws {
        let controller = FixtureController()
        try await withServer(controller) { client, _ async throws in
            let drained = try await client.change("HT1", of: "Harmonic_Traffic", ServerChange(state: "drain"))
            #expect(drained.state == "drain" && drained.administrativeState == "drain" && drained.colour == "blue")
            let heavy = try await client.change("HT1", of: "Harmonic_Traffic", ServerChange(weight: .value(65_535)))
            #expect(heavy.weight == 65_535)
            let reset = try await client.change("HT1", of: "Harmonic_Traffic", ServerChange(weight: .configured))
            #expect(reset.weight == 100 && reset.state == "drain")
        }
        let changes = controller.state.withLock { $0.changes }
        #expect(
            changes == [
                ServerChange(state: "drain"), ServerChange(weight: .value(65_535)), ServerChange(weight: .configured),
            ])
    }

    @Test func `flows are filtered, limited and counted`() async throws {
        let controller = FixtureController()
        try await withServer(controller) { client, _ async throws in
            let filter = ClientFilter(service: "Web", server: "web1", client: "2001:db8::/32")
            let page = try await client.flows(filter, limit: 5)
            #expect(page == FlowPage(total: 2_345, flows: [Fixture.flow], truncated: true))
            _ = try await client.flows()
            #expect(try await client.flowCount(filter) == 2_345)
            let (filters, limits) = controller.state.withLock { ($0.filters, $0.limits) }
            #expect(filters == [filter, ClientFilter(), filter])
            #expect(limits == [5, 1_000])
        }
    }

    @Test func `remembered clients are listed and forgotten`() async throws {
        let controller = FixtureController()
        try await withServer(controller) { client, _ async throws in
            #expect(try await client.persistence() == [Fixture.entry])
            let filter = ClientFilter(service: "Harmonic_Traffic", client: "192.0.2.7")
            #expect(try await client.clearPersistence(filter) == 7)
            #expect(controller.state.withLock { $0.filters } == [ClientFilter(), filter])
        }
    }

    @Test func `counters come over whole`() async throws {
        try await withServer { client, _ async throws in #expect(try await client.counters() == Fixture.counters) }
    }

    @Test func `the data path is shown and detached`() async throws {
        try await withServer { client, _ async throws in
            #expect(try await client.dataPath() == Fixture.dataPath)
            #expect(try await client.detachDataPath().attached.isEmpty)
            #expect(try await client.dataPath().attached.isEmpty)
        }
    }

    @Test func `the configuration is shown, checked and applied`() async throws {
        let controller = FixtureController()
        try await withServer(controller) { client, _ async throws in
            #expect(try await client.configuration().text == "version: 1\n")
            #expect(try await client.checkConfiguration("version: 1 # ü\n", file: "my file.yaml").valid)
            #expect(try await client.checkConfiguration("wrong\n") == Fixture.report("wrong"))
            let applied = try await client.applyConfiguration()
            #expect(applied.changed && applied.servicesAdded == ["New"] && applied.mapWrites == 42)
        }
        let (texts, files) = controller.state.withLock { ($0.texts, $0.files) }
        #expect(texts == ["version: 1 # ü\n", "wrong\n", nil])
        #expect(files == ["my file.yaml", nil, nil])
    }

    @Test func `a configuration with errors is a 422 with its diagnostics`() async throws {
        try await withServer { client, _ async throws in
            let problem = await failure(APIProblem.self) { _ = try await client.applyConfiguration("wrong\n") }
            #expect(problem?.status == 422)
            #expect(problem?.diagnostics == Fixture.report("wrong").diagnostics)
        }
    }

    @Test func `any name is found again, whatever its characters`() async throws {
        let name = "A/B c%2F?é#+&=🙂"
        var service = Fixture.services[0]
        service.name = name
        service.servers[0].name = name
        try await withServer(FixtureController(services: [service])) { client, _ async throws in
            #expect(try await client.service(name) == service)
            #expect(try await client.server(name, of: name) == service.servers[0])
            #expect(try await client.flowCount(ClientFilter(service: name, server: name)) == 2_345)
        }
    }

    @Test func `ten thousand real servers come over whole`() async throws {
        var service = Fixture.services[0]
        service.servers = (0..<10_000).map { number in
            var server = Fixture.services[0].servers[number % 2]
            server.name = "server-\(number)"
            return server
        }
        let services = [service]
        try await withServer(FixtureController(services: services)) { client, _ async throws in
            #expect(try await client.services() == services)
        }
    }

    @Test func `requests at the same time all get their own answer`() async throws {
        try await withServer { client, _ async throws in
            try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<200 {
                    let name = number % 2 == 0 ? "Web" : "Harmonic_Traffic"
                    group.addTask { try await client.service(name).name == name ? name : "another" }
                }
                let names = try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
                #expect(names == ["Web": 100, "Harmonic_Traffic": 100])
            }
        }
    }

    @Test func `the keys that scripts rely on are there`() throws {
        func keys(_ value: some Encodable) throws -> Set<String> {
            let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(value))
            return Set(try #require(object as? [String: Any]).keys)
        }
        #expect(
            try keys(Fixture.services[0]).isSuperset(of: [
                "name", "address", "ports", "protocol", "mode", "colour", "connections", "servers",
            ]))
        #expect(
            try keys(Fixture.services[0].servers[0]).isSuperset(of: [
                "name", "address", "weight", "state", "health", "colour", "connections",
            ]))
        #expect(try keys(ServiceList(services: [])) == ["services"])
    }
}
