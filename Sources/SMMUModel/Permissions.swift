import SMMUv3

/// What a mapping allows, for each of the two privilege levels.
public struct Permissions: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static var unprivilegedRead: Permissions { Permissions(rawValue: 1) }
    public static var unprivilegedWrite: Permissions { Permissions(rawValue: 2) }
    public static var unprivilegedExecute: Permissions { Permissions(rawValue: 4) }
    public static var privilegedRead: Permissions { Permissions(rawValue: 8) }
    public static var privilegedWrite: Permissions { Permissions(rawValue: 16) }
    public static var privilegedExecute: Permissions { Permissions(rawValue: 32) }
    public static var all: Permissions { Permissions(rawValue: 63) }

    /// The one permission that an access needs.
    @inlinable
    public static func needed(write: Bool, privileged: Bool, instruction: Bool) -> Permissions {
        let bit: UInt8 = write ? 2 : (instruction ? 4 : 1)
        return Permissions(rawValue: privileged ? bit &<< 3 : bit)
    }

    /// Read, write, execute in bits 0 to 2, of either level.
    var withoutLevel: UInt8 { (rawValue | rawValue &>> 3) & 7 }

    @inlinable init(unprivileged: UInt8, privileged: UInt8) { self.init(rawValue: unprivileged | privileged &<< 3) }
}

/// The attributes that table descriptors hand down: each may take permissions away from everything below it.
struct HierarchicalAttributes {
    /// Of every table descriptor on the way, put together.
    private var descriptors: UInt64 = 0

    /// APTable, XNTable (UXNTable), PXNTable of a stage 1 table descriptor.
    var noUnprivileged: Bool { descriptors.bit(61) }
    var noWrite: Bool { descriptors.bit(62) }
    var unprivilegedExecuteNever: Bool { descriptors.bit(60) }
    var privilegedExecuteNever: Bool { descriptors.bit(59) }

    mutating func add(_ descriptor: UInt64) { descriptors |= descriptor }
}

extension Permissions {
    /// The permissions of a stage 1 leaf in a regime with two privilege levels (Arm ARM, VMSAv8-64 stage 1 permissions).
    static func stage1(
        leaf: UInt64, inherited: HierarchicalAttributes, context: ContextConfiguration
    ) -> Permissions {
        let unprivileged = leaf.bit(6) && !inherited.noUnprivileged
        let writable = !leaf.bit(7) && !inherited.noWrite
        let unprivilegedWrite = unprivileged && writable
        var user: UInt8 = unprivileged ? (writable ? 3 : 1) : 0
        var system: UInt8 = writable ? 3 : 1
        let userExecute =
            !leaf.bit(54) && !inherited.unprivilegedExecuteNever
            && !(context.writableExecuteNever && unprivilegedWrite)
        // What unprivileged code can write, privileged code never executes; UWXN says the same of a regime where
        // that would not hold already.
        let systemExecute =
            !leaf.bit(53) && !inherited.privilegedExecuteNever && !unprivilegedWrite
            && !(context.writableExecuteNever && writable)
        if context.privilegedAccessNever, unprivileged { system = 0 }
        if userExecute { user |= 4 }
        if systemExecute { system |= 4 }
        return Permissions(unprivileged: user, privileged: system)
    }

    /// The permissions of a stage 1 leaf at EL2 without E2H: one privilege level, one execute-never bit.
    static func stage1SinglePrivilege(
        leaf: UInt64, inherited: HierarchicalAttributes, context: ContextConfiguration
    ) -> Permissions {
        let writable = !leaf.bit(7) && !inherited.noWrite
        let execute =
            !leaf.bit(54) && !inherited.unprivilegedExecuteNever && !(context.writableExecuteNever && writable)
        let bits: UInt8 = 1 | (writable ? 2 : 0) | (execute ? 4 : 0)
        return Permissions(unprivileged: bits, privileged: bits)
    }

    /// The permissions of a stage 2 leaf: S2AP and XN, the latter two bits wide with XNX.
    static func stage2(leaf: UInt64, executeNeverXNX: Bool) -> Permissions {
        let data: UInt8 = (leaf.bit(6) ? 1 : 0) | (leaf.bit(7) ? 2 : 0)
        let (user, system): (Bool, Bool)
        if executeNeverXNX {
            switch leaf.bits(54, 53) {
            case 0: (user, system) = (true, true)
            case 1: (user, system) = (true, false)
            case 2: (user, system) = (false, false)
            default: (user, system) = (false, true)
            }
        } else {
            (user, system) = (!leaf.bit(54), !leaf.bit(54))
        }
        return Permissions(unprivileged: data | (user ? 4 : 0), privileged: data | (system ? 4 : 0))
    }
}
