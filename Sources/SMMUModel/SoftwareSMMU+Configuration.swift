import SMMUv3

extension SoftwareSMMU {
    /// The configuration of a stream, from the STE cache or the stream table (IHI 0070, 3.3 and 5.1): its slot in the
    /// cache, which holds until another STE is fetched. Copies of configurations cost more than a TLB hit should.
    @inline(__always)
    mutating func streamSlot(_ streamID: StreamID, _ observer: inout some WalkObserver) throws(Fault) -> Int {
        let key = CacheKey(page: UInt64(streamID.rawValue), tag: 0)
        if let slot = streams.slot(of: key) {
            observer.saw(.cached(.streamTableEntry))
            return slot
        }
        return try fetchStream(streamID, key, &observer)
    }

    @inline(never)
    private mutating func fetchStream(
        _ streamID: StreamID, _ key: CacheKey, _ observer: inout some WalkObserver
    ) throws(Fault) -> Int {
        let location = try streamTableEntryAddress(streamID, &observer)
        guard let words = memory.loadLine(at: location) else { throw .fetch(.steFetch, at: location) }
        let ste = StreamTableEntry(words: words)
        observer.saw(.streamTableEntry(ste, at: location))
        guard ste.illegalities(on: ids).isEmpty else { throw .configuration(.badSTE) }
        return streams.insert(key, StreamConfiguration(ste, on: ids)).slot
    }

    private mutating func streamTableEntryAddress(
        _ streamID: StreamID, _ observer: inout some WalkObserver
    ) throws(Fault) -> UInt64 {
        let sid = UInt64(streamID.rawValue)
        let log2Size = min(registers.streamTableLog2Size, ids.streamIDSize)
        if sid >> UInt64(log2Size) != 0 { throw .configuration(.badStreamID) }
        guard registers.streamTableTwoLevel, ids.twoLevelStreamTableSupported else {
            let table = registers.streamTableAddress & ~UInt64.ones(registers.streamTableLog2Size + 6)
            return table &+ sid &* 64
        }
        let split = registers.streamTableSplit
        let sizeLog2 = max(registers.streamTableLog2Size - split + 3, 6)
        let table = registers.streamTableAddress & ~UInt64.ones(sizeLog2)
        let location = table &+ (sid >> UInt64(split)) &* 8
        guard let word = memory.loadWord(at: location) else { throw .fetch(.steFetch, at: location) }
        let descriptor = StreamTableL1Descriptor(word: word)
        observer.saw(.streamTableL1(descriptor, at: location))
        let index = sid & UInt64.ones(split)
        // Span n stands for 2^(n-1) STEs; more than the split leaves room for is reserved.
        guard descriptor.span > 0, descriptor.span <= split + 1, index >> UInt64(descriptor.span - 1) == 0 else {
            throw .configuration(.badStreamID)
        }
        return descriptor.l2Pointer &+ index &* 64
    }

    /// The configuration of one address space of a stream, from the CD cache or the CD table (IHI 0070, 5.3, 5.4): its
    /// slot in the cache, which holds until another CD is fetched.
    @inline(__always)
    mutating func contextSlot(
        _ streamID: StreamID, _ substream: SubstreamID, _ streamSlot: Int, _ observer: inout some WalkObserver
    ) throws(Fault) -> Int {
        let key = CacheKey(page: UInt64(streamID.rawValue), tag: UInt64(substream.rawValue))
        if let slot = contexts.slot(of: key) {
            observer.saw(.cached(.contextDescriptor))
            return slot
        }
        return try fetchContext(substream, streamSlot, key, &observer)
    }

    @inline(never)
    private mutating func fetchContext(
        _ substream: SubstreamID, _ streamSlot: Int, _ key: CacheKey, _ observer: inout some WalkObserver
    ) throws(Fault) -> Int {
        let stream = streams.values[streamSlot]
        let ipa = try contextDescriptorAddress(substream, stream, &observer)
        let location = try fetchAddress(ipa, stream, &observer)
        guard let words = memory.loadLine(at: location) else { throw .fetch(.cdFetch, at: location) }
        let cd = ContextDescriptor(words: words)
        observer.saw(.contextDescriptor(cd, ipa: ipa, at: location))
        let twoRanges = stream.world != .el2 || registers.e2h
        guard cd.illegalities(on: ids, stallDisabled: stream.stallDisabled, twoRanges: twoRanges).isEmpty else {
            throw .configuration(.badCD)
        }
        return contexts.insert(key, ContextConfiguration(cd, on: ids)).slot
    }

    private mutating func contextDescriptorAddress(
        _ substream: SubstreamID, _ stream: StreamConfiguration, _ observer: inout some WalkObserver
    ) throws(Fault) -> UInt64 {
        let ssid = UInt64(substream.rawValue)
        if stream.contextCountLog2 == 0 || stream.contextFormat == 0 || stream.contextFormat == 3 {
            return stream.contextPointer &+ ssid &* 64
        }
        let leafBits: UInt64 = stream.contextFormat == 1 ? 6 : 10
        let ipa = stream.contextPointer &+ (ssid >> leafBits) &* 8
        let location = try fetchAddress(ipa, stream, &observer)
        guard let word = memory.loadWord(at: location) else { throw .fetch(.cdFetch, at: location) }
        let descriptor = CDTableL1Descriptor(word: word)
        observer.saw(.contextTableL1(descriptor, ipa: ipa, at: location))
        // With stage 2 the pointer is an IPA, and one too large is a stage 2 fault.
        let inRange = stream.config == .nested || descriptor.l2Pointer <= UInt64.ones(outputAddressSize)
        guard descriptor.valid, inRange else { throw .configuration(.badSubstreamID) }
        return descriptor.l2Pointer &+ (ssid & UInt64.ones(Int(leafBits))) &* 64
    }

    /// Where a CD or its first-level descriptor is: stage 2, if there is one, translates its IPA.
    private mutating func fetchAddress(
        _ ipa: UInt64, _ stream: StreamConfiguration, _ observer: inout some WalkObserver
    ) throws(Fault) -> UInt64 {
        guard stream.config == .nested else { return ipa }
        return try translateFetch(stream.stage2, ipa, .contextDescriptor, &observer)
    }
}
