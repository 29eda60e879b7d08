import LinuxSystem

/// The user of a service, as the files of users and groups say, and what it may do.
package struct ServiceUser: Hashable, Sendable {
    package let name: String
    package let uid: UInt32
    /// The main group and the others.
    package let groups: Set<UInt32>

    /// nil when there is no such user in `/etc/passwd`: passwd(5), group(5).
    package init?(named name: String, in files: HostFiles) {
        let users = Self.rows(files.text("/etc/passwd"))
        guard let row = users.first(where: { $0.first == name && $0.count >= 4 }), let uid = UInt32(row[2]),
            let main = UInt32(row[3])
        else { return nil }
        let others = Self.rows(files.text("/etc/group")).filter { row in
            row.count >= 4 && row[3].split(separator: ",").contains { $0 == name }
        }
        self.name = name
        self.uid = uid
        groups = Set([main] + others.compactMap { UInt32($0[2]) })
    }

    private static func rows(_ text: String?) -> [[String]] {
        (text ?? "").split(separator: "\n").map { line in
            line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// Whether the nine bits of permission let it read and write. Access control lists are not looked at.
    func mayUse(_ status: FileStatus) -> Bool {
        let shift: UInt32 = status.uid == uid ? 6 : groups.contains(status.gid) ? 3 : 0
        return status.permissions >> shift & 6 == 6
    }
}

extension FileStatus {
    /// As ls(1) writes them, with the numbers of owner and group: `rw-rw---- 0:104`.
    var access: String {
        let letters = (0..<9).reversed().map { bit in
            permissions >> UInt32(bit) & 1 == 0 ? "-" : ["x", "w", "r"][bit % 3]
        }
        return "\(letters.joined()) \(uid):\(gid)"
    }
}
