import BrokerCore
import SMMUModel
import SMMUv3
import Wire

extension ModelVSMMU {
    /// What became of the part of an access that lies in one page.
    private enum Step {
        /// It goes to this physical address.
        case reached(UInt64)
        /// It ends as if it had been done: reads give 0, writes vanish.
        case quiet
        case stopped
    }

    /// An access of a device: page by page, up to the first that does not come through. The reply describes the first page
    /// that did not come through cleanly, else the first.
    func access(_ access: DeviceAccess, at index: Int, data: inout MutableRawSpan) -> AccessReply {
        let stream = streams[index]
        guard access.size > 0 else { return translate(access, 0, stream).reply }
        let size = min(access.size, data.byteCount)
        var (moved, result) = (0, AccessReply.unreached)
        var isClean = true
        while moved < size {
            let (step, reply) = translate(access, UInt64(moved), stream)
            let address = access.iova.rawValue &+ UInt64(moved)
            let count = min(size - moved, Int(PrivateMemory.pageSize - address % PrivateMemory.pageSize))
            if moved == 0 || isClean && !reply.isClean { result = reply }
            isClean = isClean && reply.isClean
            switch step {
            case .reached(let pa):
                guard move(moved, count, &data, at: pa, write: access.write) else {
                    // Memory that a device reaches answers; this is what an external abort would look like.
                    (result.stage2, result.size) = (.abort, UInt32(moved))
                    return result
                }
            case .quiet:
                if !access.write { data.zero(moved..<moved + count) }
            case .stopped:
                result.size = UInt32(moved)
                return result
            }
            moved += count
        }
        result.size = UInt32(moved)
        return result
    }

    private func move(_ start: Int, _ count: Int, _ data: inout MutableRawSpan, at pa: UInt64, write: Bool) -> Bool {
        write
            ? smmu.memory.write(data.bytes, from: start, count: count, at: pa)
            : smmu.memory.read(at: pa, into: &data, from: start, count: count)
    }

    /// Translates the first byte of a page's part. A device that translates ahead uses what it keeps; when it is denied it
    /// issues the access untranslated, so that the SMMU says why.
    @inline(__always)
    private func translate(
        _ access: DeviceAccess, _ offset: UInt64, _ stream: ModelStream
    ) -> (step: Step, reply: AccessReply) {
        let transaction = Transaction(
            stream.streamID, access.iova.rawValue &+ offset, substreamID: access.substream, write: access.write,
            privileged: access.privileged, instruction: access.instruction)
        if stream.usesATS, case .bypassed(let pa) = smmu.accessWithATS(transaction) {
            collectEvents()
            let granted = smmu.grantedByATC(transaction) ?? []
            return (.reached(pa), .passed(.done, ipa: pa, granted))
        }
        let result = smmu.translate(transaction)
        collectEvents()
        return describe(result, transaction, stream)
    }

    private func describe(
        _ result: TranslationResult, _ transaction: Transaction, _ stream: ModelStream
    ) -> (step: Step, reply: AccessReply) {
        switch result {
        case .translated(let translation):
            let stage1: AccessReply.Outcome = translation.stages == .stage2 ? .bypass : .done
            return (.reached(translation.pa), .passed(stage1, ipa: translation.ipa, translation.stage1))
        case .bypassed, .aborted:
            // No stream of this SMMU bypasses both stages.
            return (.stopped, .unreached)
        case .faulted(let termination):
            var reply = failed(termination.record, .fault, termination.stage1, transaction, stream)
            reply.recorded = termination.recorded
            return (termination.response == .readZeroWriteIgnored ? .quiet : .stopped, reply)
        case .stalled(let record, tag: _):
            var reply = failed(record, .stalled, [], transaction, stream)
            reply.recorded = true
            return (.stopped, reply)
        case .backpressured:
            var reply = AccessReply.unreached
            reply.stage1 = .stalled
            return (.stopped, reply)
        }
    }

    /// The reply to an access that ended with `record`. A fault of stage 2 that met stage 1's own tables ends both stages.
    private func failed(
        _ record: EventRecord, _ outcome: AccessReply.Outcome, _ permissions: Permissions, _ transaction: Transaction,
        _ stream: ModelStream
    ) -> AccessReply {
        var reply = AccessReply.unreached
        (reply.stage1, reply.event) = (outcome, record)
        reply.event.streamID = stream.vsid
        guard record.stage2 else { return reply }
        reply.stage2 = outcome
        guard record.eventClass == .input else { return reply }
        reply.stage1 = stream.bypassesStage1(transaction.substreamID) ? .bypass : .done
        reply.ipa = IPA(rawValue: record.ipa | transaction.address & 0xfff)
        reply.permissions = AccessReply.Permissions(permissions)
        return reply
    }
}

extension AccessReply {
    /// Terminated without an event before stage 1 said anything.
    static var unreached: AccessReply {
        AccessReply(
            stage1: .abort, stage2: .notReached, ipa: IPA(rawValue: 0), permissions: Permissions(rawValue: 0),
            recorded: false,
            event: EventRecord())
    }

    fileprivate static func passed(
        _ stage1: Outcome, ipa: UInt64, _ permissions: SMMUModel.Permissions
    ) -> AccessReply {
        AccessReply(
            stage1: stage1, stage2: .done, ipa: IPA(rawValue: ipa), permissions: Permissions(permissions),
            recorded: false, event: EventRecord())
    }

    fileprivate var isClean: Bool { stage2 == .done }
}

extension AccessReply.Permissions {
    /// Those for unprivileged data.
    fileprivate init(_ permissions: SMMUModel.Permissions) {
        let read = permissions.contains(.unprivilegedRead) ? Self.read.rawValue : 0
        let write = permissions.contains(.unprivilegedWrite) ? Self.write.rawValue : 0
        self.init(rawValue: read | write)
    }
}
