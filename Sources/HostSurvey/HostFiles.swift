package import LinuxSystem

/// The files of a host, all below one directory: "" for those of this one. A survey reads through this alone.
package struct HostFiles: Sendable {
    package let root: String

    package init(root: String = "") {
        var root = root
        while root.hasSuffix("/") { root.removeLast() }
        self.root = root
    }

    /// Whether these are the files of the host that this runs on.
    package var isThisHost: Bool { root.isEmpty }

    package func path(_ path: String) -> String { root + path }

    package func exists(_ path: String) -> Bool { (try? status(path)) != nil }

    package func status(_ path: String) throws(Errno) -> FileStatus { try FileStatus(of: root + path) }

    /// The names in a directory, numbers first by their value, the rest sorted; nil when there is none that can be listed.
    package func names(_ path: String) -> [String]? {
        guard let names = try? DirectoryListing.names(in: root + path) else { return nil }
        let numbers = names.filter { UInt64($0) != nil }.sorted { (UInt64($0) ?? 0, $0) < (UInt64($1) ?? 0, $1) }
        return numbers + names.filter { UInt64($0) == nil }
    }

    /// The bytes of a small file.
    package func bytes(_ path: String, limit: Int = 1 << 16) throws(Errno) -> [UInt8] {
        try TextFile.read(root + path, limit: limit)
    }

    /// The text of a small file without the white space around it; nil when it cannot be read.
    package func text(_ path: String) -> String? {
        guard let bytes = try? bytes(path) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        let isBlank = { (character: Character) in character.isWhitespace || character == "\0" }
        guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(text[first...last])
    }

    /// The last part of the path that a link leads to, as sysfs names a device's driver or group.
    package func linkName(_ path: String) -> String? {
        guard let target = try? SymbolicLink.target(root + path) else { return nil }
        return target.split(separator: "/").last.map(String.init)
    }
}
