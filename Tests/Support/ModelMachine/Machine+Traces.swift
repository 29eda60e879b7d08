package import SMMUModel
package import SMMUv3

/// What became of a transaction, and how.
package struct Trace {
    package let result: TranslationResult
    package let steps: [WalkStep]

    /// A descriptor of a translation table that was read.
    package struct Descriptor: Equatable, Sendable {
        package let stage2: Bool
        package let level: Int
        /// Where the tables say that it is, and where it is.
        package let ipa: UInt64
        package let at: UInt64

        package init(stage2: Bool, level: Int, ipa: UInt64, at: UInt64) {
            (self.stage2, self.level, self.ipa, self.at) = (stage2, level, ipa, at)
        }
    }

    /// The descriptors that were read, in order.
    package var descriptors: [Descriptor] {
        steps.compactMap { step in
            guard case .descriptor(_, _, let stage2, let level, let ipa, let at) = step else { return nil }
            return Descriptor(stage2: stage2, level: level, ipa: ipa, at: at)
        }
    }

    /// The output address; nil for a transaction that is neither translated nor bypassed.
    package var pa: UInt64? {
        switch result {
        case .translated(let translation): translation.pa
        case .bypassed(let pa): pa
        default: nil
        }
    }

    /// The event, recorded or not.
    package var fault: EventRecord? {
        if case .faulted(let termination) = result { termination.record } else { nil }
    }
}

extension Machine {
    /// A transaction with empty caches, watched.
    package mutating func trace(
        _ stream: UInt32, _ address: UInt64, ssid: UInt32? = nil, write: Bool = false
    ) -> Trace {
        smmu.invalidateEverything()
        var recorder = StepRecorder()
        let transaction = Transaction(
            StreamID(stream), address, substreamID: ssid.map { SubstreamID($0) }, write: write)
        let result = smmu.translate(transaction, observer: &recorder)
        return Trace(result: result, steps: recorder.steps)
    }

    /// How a transaction ended that must be terminated by a fault; nil when it was not.
    package mutating func termination(
        _ stream: UInt32, _ address: UInt64, ssid: UInt32? = nil, write: Bool = false
    ) -> Termination? {
        if case .faulted(let termination) = translate(stream, address, ssid: ssid, write: write) { return termination }
        return nil
    }
}

extension SMMUCapacity {
    /// Room for a few entries: for tests that make many machines.
    package static let small = SMMUCapacity(tlb: 8, streamTableEntries: 8, contextDescriptors: 8, atc: 8, stalled: 8)
}
