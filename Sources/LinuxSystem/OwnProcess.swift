import Glibc

/// This process.
package enum OwnProcess {
    package static var pid: UInt32 { UInt32(bitPattern: getpid()) }
}
