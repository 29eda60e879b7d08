/// 0, or an errno of Linux: the coarse answer, for programs that want one number. The reason is the exact one.
package struct Status: WireNumber {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let done = Status(0)
    /// EPERM.
    package static let notPermitted = Status(1)
    /// ENOENT.
    package static let notFound = Status(2)
    /// EIO.
    package static let inputOutput = Status(5)
    /// ENOMEM.
    package static let noMemory = Status(12)
    /// EBUSY.
    package static let busy = Status(16)
    /// EEXIST.
    package static let exists = Status(17)
    /// ENODEV.
    package static let noDevice = Status(19)
    /// EINVAL.
    package static let invalid = Status(22)
    /// EPROTO.
    package static let protocolViolated = Status(71)
    /// EOPNOTSUPP.
    package static let notSupported = Status(95)
    /// ETIMEDOUT.
    package static let timedOut = Status(110)
    /// EDQUOT.
    package static let quotaExceeded = Status(122)
}
