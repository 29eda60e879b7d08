import BrokerClient
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// A method for each message: what goes out, what comes back, and what is thrown.
@Suite struct BrokerConnectionTests {
    let connection: BrokerConnection
    let broker: ScriptedBroker

    init() throws {
        let pair = try SeqPacketSocket.pair()
        let theirs = SeqPacketSocket(adopting: try pair.second.fd.duplicate())
        connection = try BrokerConnection(adopting: pair.closingSecond())
        broker = ScriptedBroker(theirs)
    }

    @Test("HELLO gives what the broker said") func hello() throws {
        let reply = HelloReply(
            version: 1, maximumPacket: 65792, features: .model, epoch: Epoch(7), maximumMemory: 1 << 40,
            maximumVSMMUs: 8, maximumContexts: 64, maximumCommands: 4096)
        try broker.willAnswer(.hello) { reply.encode(to: $0, into: &$1) }
        let answer = try connection.hello(Name(sure: "vm-1"), features: [.model, .pageResponse])
        #expect(answer == reply)
        let request = try broker.nextRequest()
        #expect(request == .hello(HelloRequest(features: [.model, .pageResponse], name: Name(sure: "vm-1"))))
    }

    @Test("A refusal is thrown with its reason, its sentence and its count") func refusal() throws {
        let refusal = Refusal(
            .illegalCommand, .invalid, "Command 1 is illegal: correct it.", commandError: .illegal, completed: 1)
        try broker.willRefuse(.commands, refusal)
        let error = #expect(throws: BrokerError.self) {
            try connection.invalidate([Command(d0: 0x30, d1: 0), Command(d0: 0xff, d1: 0)], on: VSMMUID(1))
        }
        #expect(error == BrokerError(refusal))
        #expect(error?.description == "ILLEGAL_COMMAND: Command 1 is illegal: correct it.")
        let commands: [Command] = try broker.nextRequest { request, packet, _ in
            if case .commands(let request) = request { request.commands.array(in: packet) } else { [] }
        }
        #expect(commands == [Command(d0: 0x30, d1: 0), Command(d0: 0xff, d1: 0)])
    }

    @Test("What is refused here is not told with the sentence of an earlier refusal") func localError() throws {
        try broker.willRefuse(.vsmmuDestroy, Refusal(.unknownVSMMU, .notFound, "There is no vSMMU 9."))
        #expect(throws: BrokerError.self) { try connection.destroyVSMMU(VSMMUID(9)) }
        let error = #expect(throws: BrokerError.self) { try connection.invalidate([], on: VSMMUID(1)) }
        #expect(error?.status == .invalid)
        #expect(error?.isRefusal == false)
        #expect(error?.text.contains("Nothing was sent") == true)
    }

    @Test("VSMMU_CREATE gives registers and narrowings") func vsmmuCreate() throws {
        let host = IDRegisters(idr0: 1, idr1: 2, idr2: 3, idr3: 4, idr4: 5, idr5: 6, iidr: 7, aidr: 8)
        let reply = VSMMUCreateReply(vsmmu: VSMMUID(3), errata: .repeatTLBIAndCFGI, host: host, advertised: host)
        let narrowing = Narrowing(
            field: RegisterFieldName(sure: "IDR1.SSIDSIZE"), wanted: 20, host: 16, given: 16, cause: .policy)
        try broker.willAnswer(.vsmmuCreate) { reply.encode(to: $0, narrowings: [narrowing].span, into: &$1) }
        let created = try connection.createVSMMU(on: Name(sure: "disk"), wanted: host)
        #expect(created.reply == reply)
        #expect(created.narrowings == [narrowing])
        let request = try broker.nextRequest()
        #expect(request == .vsmmuCreate(VSMMUCreateRequest(device: Name(sure: "disk"), wanted: host)))
    }

    @Test("VSMMU_STATE sends the STEs and gives the contexts") func state() throws {
        let entry = ContextEntry(vsid: StreamID(5), ste: StreamTableEntry(words: SIMD8(9, 8, 7, 6, 5, 4, 3, 2)))
        let report = ContextReport(vsid: StreamID(5), state: .translate)
        try broker.willAnswer(.vsmmuState) {
            ContextsReply.encode(to: $0, generation: Generation(2), contexts: [report].span, into: &$1)
        }
        let contexts = try connection.setState(of: VSMMUID(1), .smmuEnabled, entries: [entry])
        #expect(contexts == BrokerConnection.Contexts(generation: Generation(2), contexts: [report]))
        let entries: [ContextEntry] = try broker.nextRequest { request, packet, _ in
            if case .vsmmuState(let request) = request { request.entries.array(in: packet) } else { [] }
        }
        #expect(entries == [entry])
    }

    @Test("Memory goes along as a descriptor") func memory() throws {
        try broker.willSucceed(.memoryMap)
        let file = try OwnedFD.memory(named: "broker-client-memory", size: 4096)
        try connection.mapMemory(file, at: IPA(0x4000_0000), size: 4096)
        let count = try broker.nextRequest { request, _, received in
            #expect(
                request
                    == .memoryMap(
                        MemoryMapRequest(ipa: IPA(0x4000_0000), size: 4096, offset: 0, flags: [.read, .write])))
            return received.descriptorCount
        }
        #expect(count == 1)
    }

    @Test("A device comes with its descriptor, or without one") func attach() throws {
        let reply = DeviceAttachReply(
            msiBase: IOVA(0x800_0000), msiSize: 0x10_0000, flags: .ats, pasidBits: 5, physicalStream: StreamID(17),
            state: .bypass)
        try broker.willAnswer(.deviceAttach) { reply.encode(to: $0, into: &$1) }
        let attachment = try connection.attach(Name(sure: "disk:0"), to: VSMMUID(1), as: StreamID(8))
        #expect(attachment.reply == reply)
        let hasDevice = attachment.device != nil
        #expect(!hasDevice)
        let request = try broker.nextRequest()
        #expect(
            request
                == .deviceAttach(
                    DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(8), device: Name(sure: "disk:0"))))
    }

    @Test("STE_SET gives what became of the context") func steSet() throws {
        let ste = StreamTableEntry(words: SIMD8(1, 2, 3, 4, 5, 6, 7, 8))
        let report = ContextReport(vsid: StreamID(8), state: .abort, illegal: true)
        try broker.willAnswer(.steSet) { STESetReply(context: report).encode(to: $0, into: &$1) }
        let answer = try connection.setSTE(ste, of: StreamID(8), on: VSMMUID(1))
        #expect(answer == report)
        let request = try broker.nextRequest()
        #expect(request == .steSet(STESetRequest(vsmmu: VSMMUID(1), vsid: StreamID(8), ste: ste)))
    }

    static let target = AccessRequest.Target(
        vsmmu: VSMMUID(1), vsid: StreamID(8), iova: IOVA(0x1000), substream: SubstreamID(3), flags: .privileged)
    static let through = AccessReply(
        stage1: .done, stage2: .done, ipa: IPA(0x4000_1000), permissions: [.read, .write], recorded: false,
        event: EventRecord(), size: 4)

    @Test("A device's read gives the bytes, and a substream is said to be one") func read() throws {
        let data: [UInt8] = [1, 2, 3, 4]
        try broker.willAnswer(.dma) { Self.through.encode(to: $0, data: unsafe data.span.bytes, into: &$1) }
        let read = try connection.read(Self.target, size: 4)
        #expect(read.data == data)
        #expect(read.reply == Self.through)
        let substream: SubstreamID? = try broker.nextRequest { request, _, _ in
            if case .dma(let request) = request { request.substream } else { nil }
        }
        #expect(substream == SubstreamID(3))
    }

    @Test("A fault of TRANSLATE is an answer, with its event") func translate() throws {
        var reply = Self.through
        (reply.stage1, reply.stage2, reply.recorded, reply.size) = (.fault, .notReached, true, 0)
        reply.event = EventRecord(.translation, stream: StreamID(8))
        try broker.willAnswer(.translate) {
            reply.encode(to: $0, data: unsafe [UInt8]().span.bytes, into: &$1)
        }
        let answer = try connection.translate(Self.target, write: true)
        #expect(answer == reply)
    }

    @Test("Events come out of the end that is kept") func events() throws {
        try broker.willSucceed(.eventsSubscribe)
        let events = try connection.subscribe()
        let socket = try broker.nextRequest { _, _, received in
            guard let fd = received.takeDescriptor(0) else { throw ScriptedBroker.NothingThere() }
            return SeqPacketSocket(adopting: fd)
        }
        let nothing = try events.next()
        #expect(nothing == .nothing)

        let header = EventHeader(sequence: EventSequence(4), vsmmu: VSMMUID(1), generation: Generation(2))
        let record = EventRecord(.translation, stream: StreamID(8))
        let notice = LossNotice(count: 3, place: .kernelQueue)
        for encode: (inout MutableRawSpan) -> Int in [
            { header.encode([record].span, into: &$0) }, { header.encode(notice, into: &$0) },
        ] {
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = bytes.withRawSpan(encode)
            let sent = try socket.send(unsafe bytes.span.bytes.extracting(first: count))
            #expect(sent)
        }
        let first = try events.next(waitingAtMost: nil)
        #expect(first == .delivery(EventReceiver.Delivery(header: header, content: .events([record]))))
        let second = try events.next(waitingAtMost: nil)
        #expect(second == .delivery(EventReceiver.Delivery(header: header, content: .lost(notice))))
        _ = consume socket
        let third = try events.next(waitingAtMost: nil)
        #expect(third == .ended)
    }

    @Test("A broker that is gone is an error that says so") func gone() throws {
        let pair = try SeqPacketSocket.pair()
        let connection = try BrokerConnection(adopting: pair.closingSecond())
        let error = #expect(throws: BrokerError.self) { try connection.hello(Name(sure: "vm")) }
        #expect(error?.text == "The broker closed the connection.")
        #expect(error?.isRefusal == false)
    }

    @Test("A socket where nobody listens is an error that names it") func nobody() {
        let error = #expect(throws: BrokerError.self) {
            try BrokerConnection(connectingTo: "/nonexistent/client.sock")
        }
        #expect(error?.status == .notFound)
        #expect(error?.text.contains("/nonexistent/client.sock") == true)
    }
}
