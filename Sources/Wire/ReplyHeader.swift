/// At the start of every reply: 32 bytes.
package struct ReplyHeader: Hashable, Sendable {
    /// The request's, with ``replyBit``.
    package var type: UInt16
    package var cookie: Cookie
    package var status: Status
    /// ``Reason``, or a number from a newer daemon.
    package var reasonCode: UInt32
    package var commandError: CommandError
    /// COMMANDS: how many, from the first on, are done and need not be sent again.
    package var completed: UInt32

    package static let replyBit: UInt16 = 0x8000

    package enum Layout {
        package static let type = WireField<UInt16>("type", 0)
        package static let textSize = WireField<UInt16>("text_size", 2)
        package static let size = WireField<UInt32>("size", 4)
        package static let cookie = WireField<Cookie>("cookie", 8)
        package static let status = WireField<Status>("status", 16)
        package static let reason = WireField<UInt32>("reason", 20)
        package static let commandError = WireField<UInt32>("cerror", 24)
        package static let completed = WireField<UInt32>("completed", 28)
        package static let byteCount = 32
    }

    /// Of a successful reply.
    package init(to request: RequestHeader, completed: UInt32 = 0) {
        type = request.type | Self.replyBit
        (cookie, status, reasonCode) = (request.cookie, .done, Reason.none.rawValue)
        (commandError, self.completed) = (.none, completed)
    }

    package var request: RequestType? {
        type & Self.replyBit == 0 ? nil : RequestType(rawValue: type & ~Self.replyBit)
    }
    package var reason: Reason? { Reason(rawValue: reasonCode) }
    package var refused: Bool { status != .done }

    /// Checks the header, and that a refusal has its sentence and nothing else.
    package init(decoding packet: RawSpan) throws(WireFault) {
        try packet.require(atLeast: Layout.byteCount)
        let size = packet[Layout.size]
        if Int(exactly: size) != packet.byteCount { throw .sizeMismatch(size: size, bytes: packet.byteCount) }
        type = packet[Layout.type]
        if type & Self.replyBit == 0 { throw .unknownType(type) }
        cookie = packet[Layout.cookie]
        status = packet[Layout.status]
        reasonCode = packet[Layout.reason]
        completed = packet[Layout.completed]
        commandError = try packet.value(Layout.commandError, as: CommandError.self, rule: "it must be 0 to 3")
        let text = packet[Layout.textSize]
        if status == .done {
            if text != 0 { throw .badValue(Layout.textSize.name, value: UInt64(text), rule: "it must be 0 on success") }
            if reasonCode != 0 {
                throw .badValue(Layout.reason.name, value: UInt64(reasonCode), rule: "it must be 0 on success")
            }
        } else {
            try packet.require(exactly: Layout.byteCount + Int(text))
        }
    }

    func store(into packet: inout MutableRawSpan, size: Int, textSize: Int = 0) {
        packet.set(Layout.type, to: type)
        packet.set(Layout.textSize, to: UInt16(textSize))
        packet.set(Layout.size, to: UInt32(size))
        packet.set(Layout.cookie, to: cookie)
        packet.set(Layout.status, to: status)
        packet.set(Layout.reason, to: reasonCode)
        packet.set(Layout.commandError, to: commandError.rawValue)
        packet.set(Layout.completed, to: completed)
    }

    /// Writes a reply that is nothing but its header, and returns its length.
    package func encode(into packet: inout MutableRawSpan) -> Int {
        store(into: &packet, size: Layout.byteCount)
        return Layout.byteCount
    }
}
