import BrokerCore
import SMMUv3

/// A device under a software SMMU.
struct ModelStream: Hashable {
    /// The guest's number.
    var vsid: StreamID
    /// The number that the SMMU knows, and the model's commands and events have.
    let streamID: StreamID
    /// The device can translate ahead, and the SMMU answers it.
    let hasATS: Bool
    var installation = Installation.abort
    /// The page of the guest's doorbell for its MSIs.
    var doorbell: UInt64?
    /// The device has left an ATC_INV unanswered: what it keeps is not to be trusted, and translated accesses are refused
    /// until it has answered one.
    var distrusted = false

    init(_ streamID: StreamID, as vsid: StreamID, ats: Bool) {
        (self.streamID, self.vsid, hasATS) = (streamID, vsid, ats)
    }

    /// Whether the device translates ahead, and keeps the answers.
    var usesATS: Bool { hasATS && installation.usesATS && !distrusted }

    /// Whether stage 1 lets an access pass as it is: no stage 1, or S1DSS says so for accesses without a SubstreamID.
    func bypassesStage1(_ substream: SubstreamID?) -> Bool {
        switch installation {
        case .abort, .illegal: return false
        case .bypass: return true
        case .stage1(let word0, let word1):
            let ste = StreamTableEntry(word0, word1)
            return substream == nil && ste.s1CDMax > 0 && ste.s1DefaultSubstream == .bypass
        }
    }
}
