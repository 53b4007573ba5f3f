extension Packet {
    /// The datagram in fragments, each with the link headers of the whole, as a router (IPv4) or a sender (IPv6) makes
    /// them: transport checksums are those of the whole. `payloadOctets` is the content of all but the last, a multiple of
    /// eight. Padding is left out. A packet without an IP header stays as it is.
    package func fragmented(payloadOctets: Int, identification: UInt32) -> [Packet] {
        precondition(payloadOctets > 0 && payloadOctets % 8 == 0, "fragments hold a multiple of eight octets")
        guard let network = layers.firstIndex(where: \.isNetwork) else { return [self] }
        let (bytes, spans) = encoded()
        let first = endOfUnfragmentable(from: network)
        let (start, end) = (first < spans.count ? spans[first].offset : spans[network].end, spans[network].end)
        let content = first < layers.count ? layers[first] : nil
        let number = layers[first - 1].nextHeader ?? Layer.ipProtocol(of: content)

        return stride(from: start, to: max(end, start + 1), by: payloadOctets).map { offset in
            let piece = Layer.payload(Array(bytes[offset..<min(end, offset + payloadOctets)]))
            let place = UInt16((offset - start) / 8)
            let more = offset + payloadOctets < end
            var headers = Array(layers[..<first])
            if case .ipv4(var header) = layers[network] {
                header.identification = UInt16(truncatingIfNeeded: identification)
                header.fragmentOffset += place
                header.moreFragments = header.moreFragments || more
                header.protocol = number
                headers[network] = .ipv4(header)
            } else {
                headers[first - 1].nextHeader = nil
                headers.append(
                    .fragment(offset: place, moreFragments: more, identification: identification, nextHeader: number))
            }
            // Decoded again, so that the first fragment shows the transport header that it begins with.
            return Packet(decoding: Packet(layers: headers + [piece]).bytes, startingAt: self.start)
        }
    }

    /// The index behind the headers that each fragment repeats: those which every hop reads (RFC 8200 §4.5).
    private func endOfUnfragmentable(from network: Int) -> Int {
        guard case .ipv6 = layers[network] else { return network + 1 }
        let content = layers[(network + 1)...].firstIndex { layer in
            switch layer {
            case .hopByHop, .routing: false
            default: true
            }
        }
        return content ?? layers.count
    }
}
