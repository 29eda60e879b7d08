import CLinux

/// An error of a system call.
package struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
    /// The positive number of errno(3).
    package let code: Int32

    package init(_ code: Int32) { self.code = code }

    package static let again = Errno(11)
    package static let badDescriptor = Errno(9)
    package static let brokenPipe = Errno(32)
    package static let connectionRefused = Errno(111)
    package static let connectionReset = Errno(104)
    package static let fileTooLarge = Errno(27)
    package static let interrupted = Errno(4)
    package static let invalid = Errno(22)
    package static let messageTooLong = Errno(90)
    package static let noDescriptors = Errno(24)
    package static let noSystemDescriptors = Errno(23)
    package static let notPermitted = Errno(1)
    package static let notFound = Errno(2)
    package static let noMemory = Errno(12)
    package static let accessDenied = Errno(13)
    package static let busy = Errno(16)
    package static let exists = Errno(17)
    package static let noDevice = Errno(19)
    package static let noSuchRequest = Errno(25)
    package static let noSpace = Errno(28)
    package static let timedOut = Errno(110)
    package static let inputOutput = Errno(5)
    package static let noSuchAddress = Errno(6)
    package static let overflow = Errno(75)
    package static let notSupported = Errno(95)
    package static let inUse = Errno(98)
    package static let outOfRange = Errno(34)
    package static let connectionAborted = Errno(103)
    package static let protocolError = Errno(71)
    package static let noSystemCall = Errno(38)
    package static let notSeekable = Errno(29)
    package static let badAddress = Errno(14)

    /// `EAGAIN`.
    package var name: String {
        // SAFETY: the C library's string lives as long as the process.
        guard let name = unsafe clinux_error_name(code) else { return "errno \(code)" }
        return unsafe String(cString: name)
    }

    /// `Resource temporarily unavailable (EAGAIN)`.
    package var description: String {
        // SAFETY: as above.
        unsafe "\(String(cString: clinux_error_text(code))) (\(name))"
    }

    /// The value of a call that returns it or `-errno`.
    @discardableResult
    package static func check(_ value: Int32) throws(Errno) -> Int32 {
        if value < 0 { throw Errno(-value) }
        return value
    }

    @discardableResult
    package static func check(_ value: Int64) throws(Errno) -> Int64 {
        if value < 0 { throw Errno(Int32(truncatingIfNeeded: -value)) }
        return value
    }
}
