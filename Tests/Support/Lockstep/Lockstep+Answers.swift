import NaiveWalker
import SMMUModel
import SMMUv3
import Scenarios

extension Lockstep {
    /// What the model says, in the words of the naive SMMU. A stalled transaction is terminated at once, so that its tag
    /// is free again. Nil, which never is right here, when the model has no tag to give.
    mutating func modelAnswer(_ question: ScenarioQuestion) -> NaiveAnswer? {
        let result = smmu.translate(
            Transaction(
                StreamID(question.sid), question.iova, substreamID: question.ssid.map { SubstreamID($0) },
                write: question.write, privileged: question.privileged, instruction: question.instruction))
        switch result {
        case .translated(let translation):
            let permissions = translation.permissions
            return .ok(
                pa: translation.pa, unprivRead: permissions.contains(.unprivilegedRead),
                unprivWrite: permissions.contains(.unprivilegedWrite), stage: Int(translation.stages.rawValue))
        case .bypassed(let pa): return .bypass(pa: pa)
        case .aborted: return .abort
        case .faulted(let termination):
            return .fault(record: words(termination.record), recorded: termination.recorded)
        case .stalled(var record, let tag):
            _ = smmu.execute(.resume(StreamID(question.sid), tag: tag, .terminate))
            _ = smmu.takeResumption()
            record.words[1] &= ~0xffff
            return .stalled(record: words(record))
        case .backpressured: return nil
        }
    }

    private func words(_ record: EventRecord) -> [UInt64] { (0..<4).map { record.words[$0] } }
}
