import SMMUv3

/// Why a translation ended: what an event record says beyond the transaction itself.
struct Fault: Error {
    var id: EventID
    /// The fault is stage 2's.
    var stage2 = false
    var eventClass: EventRecord.Class = .input
    /// Word 3: the IPA of a stage 2 fault, or the address of a fetch that aborted.
    var address: UInt64 = 0
    /// Of a fault of stage 2 behind a stage 1 that came through: what that allows.
    var stage1: Permissions = []

    /// A configuration error: a record without access fields.
    static func configuration(_ id: EventID) -> Fault { Fault(id: id) }

    /// A fetch of an STE or a CD that aborted at `address`.
    static func fetch(_ id: EventID, at address: UInt64) -> Fault { Fault(id: id, address: address) }

    static func stage1(_ id: EventID) -> Fault { Fault(id: id) }

    static func stage2(_ id: EventID, _ eventClass: EventRecord.Class, ipa: UInt64) -> Fault {
        Fault(id: id, stage2: true, eventClass: eventClass, address: ipa & EventRecord.ipaMask)
    }

    /// This fault, of a transaction that stage 1 let through with `permissions`.
    func behind(_ permissions: Permissions) -> Fault {
        var fault = self
        fault.stage1 = permissions
        return fault
    }

    /// The read of a table descriptor aborted. Stage 1's own descriptors have CLASS = TTD; a stage 2 walk has the
    /// class of what it translates.
    static func walkAbort(stage2: Bool, _ eventClass: EventRecord.Class, at address: UInt64) -> Fault {
        Fault(
            id: .walkExternalAbort, stage2: stage2, eventClass: stage2 ? eventClass : .tableDescriptor,
            address: address & EventRecord.fetchAddressMask)
    }
}

/// What STE and CD say is to happen with a fault (IHI 0070, 5.5 and 3.12).
struct FaultPolicy {
    var stage1Record = true
    var stage1Stall = false
    var stage1Abort = true
    var stage2Record = true
    var stage2Stall = false
}

extension EventRecord {
    /// The record of `fault` met by `transaction` with the attributes `access`.
    init(_ fault: Fault, _ transaction: Transaction, access: AccessAttributes) {
        self.init(fault.id, stream: transaction.streamID)
        switch fault.id {
        case .streamDisabled: break
        case .badStreamID, .badSTE, .badCD:
            substreamID = transaction.substreamID
        case .badSubstreamID: badSubstreamID = transaction.substreamID ?? SubstreamID(0)
        case .steFetch, .cdFetch:
            substreamID = transaction.substreamID
            fetchAddress = fault.address
        case .badATSRequest:
            substreamID = transaction.substreamID
            inputAddress = transaction.address
        case .translationForbidden:
            substreamID = transaction.substreamID
            read = !transaction.write
            inputAddress = transaction.address
        default:
            substreamID = transaction.substreamID
            setAccess(access, transaction)
            stage2 = fault.stage2
            setClass(fault.eventClass)
            words[3] = fault.address
            // Without hardware updates the SMMU only ever reads descriptors.
            tableRead = fault.id == .permission && fault.stage2 && fault.eventClass == .tableDescriptor
        }
    }

    private mutating func setAccess(_ access: AccessAttributes, _ transaction: Transaction) {
        privileged = access.privileged
        instruction = access.instruction
        read = !transaction.write
        inputAddress = transaction.address
    }
}

/// Privilege and instruction attributes of a transaction after the STE's overrides.
struct AccessAttributes {
    var privileged: Bool
    var instruction: Bool

    init(_ transaction: Transaction) {
        privileged = transaction.privileged
        instruction = transaction.instruction && transaction.mayBeInstruction
    }

    /// PRIVCFG and INSTCFG: 2 and 3 replace what came in (IHI 0070, 5.2 and 13.1.2).
    mutating func apply(privilege: UInt8, instruction override: UInt8, to transaction: Transaction) {
        if privilege >= 2 { privileged = privilege == 3 }
        if override >= 2, transaction.mayBeInstruction { instruction = override == 3 }
    }
}
