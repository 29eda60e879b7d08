import SMMUv3
import Testing
import Wire

/// What a refused client gets to read.
@Suite struct RefusalTests {
    static let texts = ["", "a", "The memory is 4 GiB – zu groß. 💾", "💾💾💾💾", "e\u{301}e\u{301}", "\u{7ff}\u{ffff}"]

    @Test("A sentence is cut between characters, at any length", arguments: texts)
    func cut(text: String) throws {
        for room in 0...text.utf8.count + 2 {
            let refusal = Refusal(.quota, .quotaExceeded, text)
            var bytes = [UInt8](repeating: 0xa5, count: 32 + room)
            var span = bytes.mutableSpan
            var raw = unsafe span.mutableBytes
            let count = refusal.encode(to: RequestHeader(.memoryMap, Cookie(7)), into: &raw)
            guard case .refused(let decoded) = try Packet(Array(bytes.prefix(count))).reply().body else {
                Issue.record("not refused")
                return
            }
            #expect(text.unicodeScalars.starts(with: decoded.text.unicodeScalars))
            #expect(decoded.text.utf8.count > room - 4 || decoded.text == text)
            #expect(room < text.utf8.count || decoded.text == text)
        }
    }

    @Test("A sentence of any length leaves a packet that both sides can hold") func long() throws {
        let refusal = Refusal(.hostFailure, .inputOutput, String(repeating: "ß", count: 100_000))
        let packet = Packet { refusal.encode(to: RequestHeader(.hello, Cookie(0)), into: &$0) }
        #expect(packet.bytes.count == 32 + Refusal.maximumText)
        #expect(try packet.reply().header.request == .hello)
    }

    /// One fault of each kind.
    static let faults: [WireFault] = [
        .tooShort(bytes: 1, needed: 16), .tooLong(bytes: 25, allowed: 24), .sizeMismatch(size: 5, bytes: 24),
        .unknownType(99), .reservedNotZero("reserved"), .wrongDescriptorCount(0, expected: 1...1),
        .descriptorsTruncated, .badName("device", .unterminated), .badCount("count", value: 0, allowed: 1...4096),
        .badValue("flags", value: 8, rule: "the known bits are READ and WRITE"), .badVersion(0),
    ]

    @Test("A fault of the packet becomes a refusal with its name and a sentence", arguments: faults)
    func fault(fault: WireFault) throws {
        let packet = Packet { Refusal(fault).encode(to: RequestHeader(.dma, Cookie(3)), into: &$0) }
        guard case .refused(let refusal) = try packet.reply().body else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.reason == fault.reason && refusal.status != .done)
        #expect(refusal.text == fault.description && refusal.text.hasSuffix("."))
    }

    @Test("Faults of packets have a name each") func names() {
        #expect(Set(Self.faults.map(\.reason)).count == Self.faults.count)
    }

    @Test("A packet too short for its header is answered with what can be read of it") func peeking() {
        let whole = Packet { VSMMURequest(vsmmu: VSMMUID(1)).encode(as: .vsmmuReset, Cookie(~0), into: &$0) }
        for count in 0...24 {
            let bytes = Array(whole.bytes.prefix(count))
            let header = RequestHeader(peekingAt: unsafe bytes.span.bytes)
            #expect(header.type == (count >= 2 ? 5 : 0))
            #expect(header.cookie == Cookie(count >= 16 ? ~0 : 0))
        }
    }

    @Test("A client refuses replies that contradict themselves") func contradictions() {
        typealias Layout = ReplyHeader.Layout
        let done = Packet { ReplyHeader(to: RequestHeader(.commands, Cookie(1)), completed: 4).encode(into: &$0) }
        func reason(_ change: (inout Packet) -> Void) -> Reason {
            var packet = done
            change(&packet)
            do throws(WireFault) {
                _ = try packet.reply()
                return .none
            } catch { return error.reason }
        }
        #expect(reason { _ in } == .none)
        #expect(reason { $0.set(Layout.type, to: 13) } == .unknownType)
        #expect(reason { $0.set(Layout.type, to: 0x8000 | 99) } == .unknownType)
        #expect(reason { $0.set(Layout.size, to: 33) } == .sizeMismatch)
        #expect(reason { $0.bytes.removeLast() } == .tooShort)
        #expect(reason { $0.set(Layout.textSize, to: 1) } == .badValue)
        #expect(reason { $0.set(Layout.reason, to: 1) } == .badValue)
        #expect(reason { $0.set(Layout.commandError, to: 4) } == .badValue)
        #expect(reason { $0 = $0.resized(by: 8) } == .tooLong)
        #expect(
            reason {
                $0.set(Layout.status, to: .invalid); $0.set(Layout.textSize, to: 1)
            } == .tooShort)
        #expect(
            reason {
                $0.set(Layout.status, to: .invalid); $0 = $0.resized(by: 1)
            } == .tooLong)
    }
}
