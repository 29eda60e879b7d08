package import SMMUv3
package import Wire

/// All that a session is, but for events that wait and what is counted: values that a successor process can take over.
package struct SessionState: Hashable, Sendable {
    /// What HELLO agreed on.
    package struct Hello: Hashable, Sendable {
        package var name: Name
        package var version: UInt32
        package var features: Features
        package init(name: Name, version: UInt32, features: Features) {
            (self.name, self.version, self.features) = (name, version, features)
        }
    }

    package struct VSMMU: Hashable, Sendable, Keyed {
        package let key: VSMMUID
        package let smmu: PhysicalSMMU
        /// Frozen.
        package let advertised: IDRegisters
        package fileprivate(set) var enabled = false
        package fileprivate(set) var gbpaAborts = false
        /// The host failed, and so did the attempt to resynchronize.
        package fileprivate(set) var failed = false
        package fileprivate(set) var generation = Generation(0)
        /// Of the next record.
        package fileprivate(set) var nextSequence = EventSequence(0)

        /// What its streams do while it is disabled.
        package var bypassed: Installation { gbpaAborts ? .abort : .bypass }
    }

    package struct Context: Hashable, Sendable, Keyed {
        package fileprivate(set) var key: ContextKey
        package let device: HostDevice
        /// As the guest gave it; nil: none since the vSMMU was reset.
        package fileprivate(set) var ste: StreamTableEntry?
        /// What is in effect.
        package fileprivate(set) var installed: Installation
        /// The STE is ILLEGAL, and so the context aborts.
        package fileprivate(set) var illegal = false
        package fileprivate(set) var health = ContextHealth()

        package init(key: ContextKey, device: HostDevice, installed: Installation) {
            (self.key, self.device, self.installed) = (key, device, installed)
        }

        package var quarantined: Bool { health.state == .quarantined }
        /// As the owner is told of it.
        var healthNotice: HealthNotice {
            HealthNotice(vsid: key.vsid, state: health.state, reason: health.reason, reasons: health.reasons)
        }
        package var report: ContextReport { ContextReport(vsid: key.vsid, state: installed.state, illegal: illegal) }
    }

    /// nil before HELLO.
    package private(set) var hello: Hello?
    package private(set) var maps = SortedTable<MemoryMap>()
    package private(set) var mappedBytes: UInt64 = 0
    package private(set) var vsmmus = SortedTable<VSMMU>()
    package private(set) var contexts = SortedTable<Context>()
    /// Those of one vSMMU, and, as that of ``VSMMUID/every``, the one of all vSMMUs that have none of their own.
    package private(set) var subscriptions = SortedTable<Subscription>()
    /// Of the next vSMMU: no number is used twice.
    package private(set) var nextVSMMU: UInt32 = 1
    package private(set) var ended = false

    package init() {}

    /// Where the contexts of a vSMMU are.
    package func contexts(of vsmmu: VSMMUID) -> Range<Int> {
        let start = contexts.lowerBound(ContextKey(vsmmu, StreamID(0)))
        var end = start
        while end < contexts.count && contexts[end].key.vsmmu == vsmmu { end += 1 }
        return start..<end
    }
}

// MARK: - The one mutator

extension SessionState {
    package mutating func apply(_ change: Change) {
        switch change {  // A table: one case for each change.
        case .began(let facts): hello = facts
        case .mapped(let map):
            maps.insert(map)
            mappedBytes += map.size
        case .unmapped(let ipa):
            mappedBytes -= maps.remove(ipa)?.size ?? 0
        case .madeVSMMU(let id, let smmu, let advertised):
            vsmmus.insert(VSMMU(key: id, smmu: smmu, advertised: advertised))
            nextVSMMU = id.rawValue + 1
        case .destroyedVSMMU(let id): vsmmus.remove(id)
        case .switched(let id, let enabled, let gbpaAborts):
            modify(id) { ($0.enabled, $0.gbpaAborts) = (enabled, gbpaAborts) }
        case .reset(let id): reset(id)
        case .failed(let id): modify(id) { $0.failed = true }
        case .attached(let context): contexts.insert(context)
        case .rebound(let key, let vsid):
            guard var context = contexts.remove(key) else { return }
            context.key.vsid = vsid
            contexts.insert(context)
        case .detached(let key): contexts.remove(key)
        case .installed(let key, let ste, let installation, let illegal):
            modify(key) { ($0.ste, $0.installed, $0.illegal) = (ste, installation, illegal) }
        case .health(let key, let health): modify(key) { $0.health = health }
        case .subscribed(let new): subscriptions.insert(new)
        case .unsubscribed(let id): subscriptions.remove(id)
        case .numbered(let id, let next): modify(id) { $0.nextSequence = next }
        case .ended: ended = true
        }
    }

    private mutating func modify(_ id: VSMMUID, _ body: (inout VSMMU) -> Void) {
        if let index = vsmmus.index(of: id) { body(&vsmmus[index]) }
    }

    private mutating func modify(_ key: ContextKey, _ body: (inout Context) -> Void) {
        if let index = contexts.index(of: key) { body(&contexts[index]) }
    }

    private mutating func reset(_ id: VSMMUID) {
        modify(id) {
            ($0.enabled, $0.gbpaAborts, $0.failed) = (false, false, false)
            $0.generation = Generation($0.generation.rawValue &+ 1)
        }
        for index in contexts(of: id) { (contexts[index].ste, contexts[index].illegal) = (nil, false) }
    }
}

extension MemoryMap: Keyed {
    package var key: UInt64 { ipa }
}
