/// A refused request: by name for a program, with a sentence for a person.
package struct Refusal: Error, Hashable, Sendable {
    package var status: Status
    /// ``Reason``, or a number from a newer daemon.
    package var reasonCode: UInt32
    package var commandError: CommandError
    /// COMMANDS: how many, from the first on, are done all the same.
    package var completed: UInt32
    /// What failed, whose fault it is, what to do.
    package var text: String

    package var reason: Reason? { Reason(rawValue: reasonCode) }

    /// `status` must not be ``Status/done``.
    package init(
        _ reason: Reason, _ status: Status, _ text: String, commandError: CommandError = .none, completed: UInt32 = 0
    ) {
        precondition(status != .done, "a refusal has a status")
        (self.status, reasonCode, self.text) = (status, reason.rawValue, text)
        (self.commandError, self.completed) = (commandError, completed)
    }

    package init(_ fault: WireFault) { self.init(fault.reason, fault.status, fault.description) }

    /// Reads a packet whose header is right and says that the request was refused.
    init(_ header: ReplyHeader, in packet: RawSpan) {
        (status, reasonCode) = (header.status, header.reasonCode)
        (commandError, completed) = (header.commandError, header.completed)
        let start = ReplyHeader.Layout.byteCount
        let bytes = (start..<packet.byteCount).map { UInt8.load(from: packet, at: $0) }
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// Bytes of text that go into one packet at most.
    package static let maximumText = 4096

    /// Writes the packet and returns its length; a sentence for which `packet` has no room loses its end.
    package func encode(to request: RequestHeader, into packet: inout MutableRawSpan) -> Int {
        let room = min(packet.byteCount - ReplyHeader.Layout.byteCount, Self.maximumText)
        let textSize = store(text.unicodeScalars, room: room, into: &packet)
        var header = ReplyHeader(to: request, completed: completed)
        (header.status, header.reasonCode, header.commandError) = (status, reasonCode, commandError)
        let size = ReplyHeader.Layout.byteCount + textSize
        header.store(into: &packet, size: size, textSize: textSize)
        return size
    }

    /// As many whole characters as there is room for; returns their bytes.
    private func store(_ text: String.UnicodeScalarView, room: Int, into packet: inout MutableRawSpan) -> Int {
        var count = 0
        for scalar in text {
            if count + UTF8.width(scalar) > room { break }
            for byte in scalar.utf8 {
                byte.store(into: &packet, at: ReplyHeader.Layout.byteCount + count)
                count += 1
            }
        }
        return count
    }
}
