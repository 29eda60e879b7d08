/// Replies that are one number and text: METRICS (the bytes of the whole text) and RELOAD (whether it counts).
package struct AdminTextReply: Sendable {
    package let number: WireField<UInt32>

    package static let metrics = AdminTextReply(number: WireField("total", 32))
    package static let reload = AdminTextReply(number: WireField("applied", 32))

    package enum Layout {
        package static let textSize = WireField<UInt32>("text_size", 36)
    }

    /// Without the text.
    package static let byteCount = 40

    func decode(_ packet: RawSpan) throws(WireFault) -> (number: UInt32, text: Records<UInt8>) {
        try packet.require(atLeast: Self.byteCount)
        let text = try packet.records(
            of: UInt8.self, counted: Layout.textSize, allowed: 0...AdminLimits.text, at: Self.byteCount)
        return (packet[number], text)
    }

    /// Writes the packet and returns its length; `text` has at most ``AdminLimits/text`` bytes.
    package func encode(
        to request: RequestHeader, _ value: UInt32, text: RawSpan, into packet: inout MutableRawSpan
    ) -> Int {
        packet.set(number, to: value)
        packet.set(Layout.textSize, to: UInt32(text.byteCount))
        packet.copy(text, to: Self.byteCount)
        ReplyHeader(to: request).store(into: &packet, size: Self.byteCount + text.byteCount)
        return Self.byteCount + text.byteCount
    }
}

extension Records<UInt8> {
    /// The text in `packet`; bytes that are no UTF-8 come out as U+FFFD.
    package func text(in packet: RawSpan) -> String { String(decoding: array(in: packet), as: UTF8.self) }
}

extension RawSpan {
    /// A name, or nil where a field without one is all 0, or has none.
    func optionalName(_ field: WireField<Name>, at base: Int) -> Name? {
        let name = self[field, base]
        return name.problem == nil ? name : nil
    }
}

extension MutableRawSpan {
    /// A field without a name is all 0.
    mutating func set(_ field: WireField<Name>, at base: Int, to name: Name?) {
        if let name {
            set(field, at: base, to: name)
        } else {
            for offset in 0..<Name.byteCount { UInt8(0).store(into: &self, at: base + field.offset + offset) }
        }
    }
}

// Words for people and for metrics.

extension ContextState {
    package var name: String {
        switch self {
        case .abort: "abort"
        case .bypass: "bypass"
        case .translate: "translate"
        }
    }
}

extension HealthNotice.State {
    package var name: String {
        switch self {
        case .healthy: "healthy"
        case .suspect: "suspect"
        case .quarantined: "quarantined"
        case .recovered: "recovered"
        }
    }
}
