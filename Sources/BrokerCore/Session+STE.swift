import SMMUv3
import Wire

extension Session {
    /// What a context is to have.
    struct Target {
        var installation: Installation
        /// It aborts because the STE is ILLEGAL.
        var illegal: Bool
        static let aborting = Target(installation: .abort, illegal: false)
    }

    func steSet(
        _ request: STESetRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let vsmmu = try workingVSMMUIndex(request.vsmmu)
        let index = try contextIndex(request.vsmmu, request.vsid)
        let before = state.contexts[index].installed
        let illegalBefore = state.contexts[index].illegal
        // While SMMUEN is 0, GBPA decides: what is in effect is put there again, which drops the stream's CDs.
        let target =
            state.vsmmus[vsmmu].enabled
            ? target(of: request.ste, for: index, state.vsmmus[vsmmu].advertised)
            : Target(installation: before, illegal: false)
        if let failure = install(target, ste: request.ste, at: index) {
            if failure.isUnsettled { throw .vsmmuFailed(request.vsmmu) }
            throw .hostFailure(
                failure,
                "The device \(Self.description(of: state.contexts[index].installed)): leave the guest's command unconsumed"
            )
        }
        counts.stesInstalled += 1
        if let log = invalidations.index(of: request.vsmmu) {
            invalidations[log].note(.cfgiSTE(request.vsid, leaf: true), at: call.now)
        }
        if let meter = meters.index(of: state.contexts[index].key) { meters[meter].stesInstalled += 1 }
        if before != state.contexts[index].installed || illegalBefore != state.contexts[index].illegal {
            effects.insert(.contexts)
        }
        let answer = STESetReply(context: state.contexts[index].report)
        return Answer(byteCount: answer.encode(to: call.header, into: &reply))
    }

    private static func description(of installation: Installation) -> String {
        switch installation {
        case .abort, .illegal: "aborts"
        case .bypass: "bypasses stage 1"
        case .stage1: "keeps the stage 1 that it had"
        }
    }

    /// What an enabled vSMMU makes of an STE. Never bypass for want of a valid one (I1).
    func target(of ste: StreamTableEntry, for index: Int, _ advertised: IDRegisters) -> Target {
        guard ste.valid else { return .aborting }
        let target: Target
        switch NestedVSMMU.verdict(on: ste, advertised: advertised) {
        case .abort(let refusals):
            target = Target(installation: refusals.isEmpty ? .abort : .illegal, illegal: !refusals.isEmpty)
        case .bypass: target = Target(installation: .bypass, illegal: false)
        case .translate(let word0, var word1):
            if !state.contexts[index].device.hasATS { word1.setBits(29, 28, 0) }
            target = Target(installation: .stage1(word0: word0, word1: word1), illegal: false)
        }
        return state.contexts[index].quarantined ? Target(installation: .abort, illegal: target.illegal) : target
    }

    /// Puts a target into effect. What the host refuses leaves an existing stage 1 as it is and parks a device that
    /// bypasses on ABORT (P16); the failure is returned. If what it refused was in effect for a while, nothing cached stays
    /// (P15).
    func install(_ target: Target, ste: StreamTableEntry?, at index: Int) -> BackendFailure? {
        let key = state.contexts[index].key
        let failure = attempt { () throws(BackendFailure) in
            try backend.install(target.installation, for: key.vsid, on: key.vsmmu)
        }
        guard var failure else {
            commit(.installed(key, ste: ste, target.installation, illegal: target.illegal))
            return nil
        }
        if failure.isUnsettled {
            // The worse of the two counts until ABORT is in effect (I3).
            if target.installation != .abort {
                commit(.installed(key, ste: ste, target.installation, illegal: target.illegal))
            }
            giveUp(key.vsmmu, failure)
            return failure
        }
        if failure.isUnsynchronized, !isFailed(key.vsmmu), resynchronize(key.vsmmu, after: failure) != nil {
            // Its devices have gone to ABORT.
            failure.isUnsettled = true
            return failure
        }
        if state.contexts[index].installed == .bypass && target.installation != .abort { park(index) }
        return failure
    }

    private func isFailed(_ vsmmu: VSMMUID) -> Bool {
        state.vsmmus.index(of: vsmmu).map { state.vsmmus[$0].failed } ?? true
    }

    private func park(_ index: Int) {
        let context = state.contexts[index]
        let failure = attempt { () throws(BackendFailure) in
            try backend.install(.abort, for: context.key.vsid, on: context.key.vsmmu)
        }
        if failure == nil { commit(.installed(context.key, ste: context.ste, .abort, illegal: false)) }
        effects.insert(.contexts)
    }
}
