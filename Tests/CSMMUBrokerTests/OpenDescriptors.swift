import Foundation

/// How many descriptors of this process refer to the memfd of this name. Other tests of the process open and close
/// descriptors at the same time, so that numbers say nothing and only names count.
func openDescriptors(toMemory name: String) -> Int {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return all.count { number in
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
        return target?.hasPrefix("/memfd:\(name) ") ?? false
    }
}

/// Whether an open descriptor goes away when the process runs another program.
func closesOnExec(_ fd: Int32) -> Bool { fcntl(fd, F_GETFD) & FD_CLOEXEC != 0 }
