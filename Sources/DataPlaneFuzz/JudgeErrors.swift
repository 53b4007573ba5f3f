import LoadBalancing
import NetworkTypes
import PacketKit

/// ICMP errors about translated flows: addresses and ports change outside and in what is quoted.
extension Judge {
    func checkErrorToServer(_ outcome: Outcome, _ facts: Facts, _ server: Server) throws {
        guard let quotation = Quotation(outcome.input, facts), let inside = insides[quotation.tuple.reversed] else {
            throw Complaint("error", "the real server has no such connection")
        }
        var edit = facts.tuple
        edit.destination = server.real.address
        try requireSameLength(outcome)
        try checkError(outcome, facts, edit, quotation, quoted: inside)
    }

    func checkErrorToClient(_ outcome: Outcome, _ facts: Facts) throws {
        guard let quotation = Quotation(outcome.input, facts) else {
            throw Complaint("error", "forwarded as an ICMP error, which it is not")
        }
        let outside = try require(answers[quotation.tuple.reversed])
        var edit = facts.tuple
        edit.source = outside.tuple.destination
        edit.destination = outside.tuple.source
        try checkError(outcome, facts, edit, quotation, quoted: outside.tuple)
        try checkWay(outcome, facts, outside)
    }

    private func checkError(
        _ outcome: Outcome, _ facts: Facts, _ edit: Tuple, _ quotation: Quotation, quoted: Tuple
    ) throws {
        let (input, output) = (outcome.input, outcome.output)
        var expected = Array(output[..<12]) + input[12...]
        guard output[facts.timePlace] == input[facts.timePlace] &- 1, facts.timeToLive > 1 else {
            throw Complaint("time of errors", "the time to live of a forwarded ICMP error is not counted down")
        }
        try editNetwork(&expected, edit, outcome, facts)
        let addresses = quotation.addresses(facts)
        expected.put(quoted.source, addresses.lowerBound)
        expected.put(quoted.destination, addresses.lowerBound + addresses.count / 2)
        expected.put16(quoted.sourcePort, quotation.transport)
        expected.put16(quoted.destinationPort, quotation.transport + 2)

        let field = quotation.transport + (quoted.number == IPProtocol.tcp ? 16 : 6)
        if min(Facts.reach(input), facts.network + facts.length) >= field + 2 {
            expected.keep(field, of: output)
            try requireSameSum(
                "quoted \(quoted.number == IPProtocol.tcp ? "TCP" : "UDP")", input, output,
                [addresses, quotation.transport..<quotation.transport + 4], field: field)
        }
        if facts.isIPv4 {
            expected.keep(quotation.network + 10, of: output)
            let header = quotation.network..<quotation.network + 20
            try requireSameSum("quoted IPv4", input, output, header, at: quotation.network)
        }
        expected.keep(facts.transport + 2, of: output)
        let pseudo = facts.isIPv4 ? facts.network..<facts.network : facts.addresses
        let message = facts.transport..<input.count
        guard (input.sum(pseudo) + input.sum(message)) % 65535 == (output.sum(pseudo) + output.sum(message)) % 65535 else {
            throw Complaint("checksum", "ICMP: changed by another sum than its words")
        }
        try compare(outcome, expected)
    }
}
