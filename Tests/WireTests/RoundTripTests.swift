import SMMUv3
import Scenarios
import Testing
import Wire

/// What one side encodes the other decodes, whatever the values.
@Suite struct RoundTripTests {
    static let seeds: [UInt64] = (0..<8).map { _ in UInt64.random(in: .min ... .max) }

    @Test("A request comes out as it went in", arguments: RequestType.allCases, seeds)
    func request(type: RequestType, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let sample = RequestSample.make(type, &random)
        let request = try sample.packet.request()
        #expect(request.type == type)
        #expect(sample.agrees(request), "seed \(seed)")
        let header = RequestHeader(peekingAt: unsafe sample.packet.bytes.span.bytes)
        #expect(header == RequestHeader(type, sample.cookie))
    }

    @Test("A reply comes out as it went in", arguments: ReplySample.kinds.indices, seeds)
    func reply(kind: Int, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let sample = ReplySample.kinds[kind](&random)
        let reply = try sample.packet.reply()
        #expect(reply.header.cookie == sample.request.cookie)
        #expect(reply.header.request?.rawValue == sample.request.type)
        #expect(sample.agrees(reply.body), "seed \(seed)")
    }

    @Test("An event comes out as it went in", arguments: EventType.allCases, seeds)
    func event(type: EventType, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let sample = EventSample.make(type, &random)
        let message = try sample.packet.event()
        #expect(message.header == sample.header)
        #expect(sample.agrees(message.body), "seed \(seed)")
    }

    @Test("The largest message of each type fits the largest packet") func largest() {
        #expect(VSMMUStateRequest.byteCount + Limits.entries * ContextEntry.byteCount <= Limits.packet)
        #expect(CommandsRequest.byteCount + Limits.commands * Command.byteCount <= Limits.packet)
        #expect(AccessRequest.byteCount + Limits.data <= Limits.packet)
        #expect(ContextsReply.byteCount + Limits.entries * ContextReport.byteCount <= Limits.packet)
        #expect(AccessReply.byteCount + Limits.data <= Limits.packet)
        #expect(EventHeader.byteCount + Limits.events * EventRecord.byteCount <= Limits.packet)
        #expect(ReplyHeader.Layout.byteCount + Refusal.maximumText <= Limits.packet)
    }
}
