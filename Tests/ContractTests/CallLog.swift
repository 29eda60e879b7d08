import Backends
import BrokerCore
import LinuxSystem
import SMMUv3
import Synchronization
import Wire

/// What sessions have asked of their backends, in order, for a test in another thread.
final class CallLog: Sendable {
    private let log = Mutex<[FaultyBackend.Call]>([])

    var calls: [FaultyBackend.Call] { log.withLock { $0 } }
    func clear() { log.withLock { $0 = [] } }

    /// A model whose calls are noted here.
    func backend(_ descriptors: DescriptorTable) -> any TranslationBackend {
        let backend = FaultyBackend(wrapping: ModelBackend(descriptors: descriptors))
        backend.observer = { [self] call in log.withLock { $0.append(call) } }
        return backend
    }
}
