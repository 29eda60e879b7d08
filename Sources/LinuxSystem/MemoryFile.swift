import CLinux

/// What a descriptor that should be memory refers to.
package struct MemoryFileInfo: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// A memfd, or a file of a tmpfs.
        case shmem
        /// Memory of huge pages.
        case hugetlb
        /// What a driver lends of its memory: a BAR, or memory of a graphics card.
        case dmabuf
        /// A pipe, a socket, a regular file: nothing that is memory.
        case other
    }

    /// Bytes.
    package let size: UInt64
    package let kind: Kind
    package let seals: FileSeals
    package let readable: Bool
    package let writable: Bool
}

/// What can no longer be done to a memfd (fcntl(2), F_ADD_SEALS).
package struct FileSeals: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let seal = FileSeals(rawValue: UInt32(CLINUX_SEAL_SEAL))
    package static let shrink = FileSeals(rawValue: UInt32(CLINUX_SEAL_SHRINK))
    package static let grow = FileSeals(rawValue: UInt32(CLINUX_SEAL_GROW))
    package static let write = FileSeals(rawValue: UInt32(CLINUX_SEAL_WRITE))
}

extension MemoryFileInfo.Kind {
    fileprivate init(_ kind: clinux_file_kind) {
        self =
            switch kind {
            case CLINUX_FILE_SHMEM: .shmem
            case CLINUX_FILE_HUGETLB: .hugetlb
            case CLINUX_FILE_DMABUF: .dmabuf
            default: .other
            }
    }

    /// By st_mode of stat(2) and f_type of statfs(2).
    package init(mode: UInt32, fileSystem: UInt64) { self.init(clinux_kind_of_file(mode, fileSystem)) }
}

extension OwnedFD {
    /// What kind of file this is, how large, sealed how, and opened for what.
    package borrowing func inspectMemory() throws(Errno) -> MemoryFileInfo {
        var file = clinux_file()
        // SAFETY: the call writes one structure.
        try Errno.check(unsafe clinux_file_inspect(raw, &file))
        return MemoryFileInfo(
            size: file.size, kind: MemoryFileInfo.Kind(file.kind), seals: FileSeals(rawValue: file.seals),
            readable: file.readable,
            writable: file.writable)
    }

    /// Which driver has made a dma-buf, as the kernel says in fdinfo; nil for anything else.
    package borrowing func dmabufExporter() -> String? {
        do throws(Errno) { return Self.exporter(in: try TextFile.read("/proc/self/fdinfo/\(raw)", limit: 4096)) } catch
        {
            return nil
        }
    }

    /// The line `exp_name:` of a text (drivers/dma-buf/dma-buf.c, dma_buf_show_fdinfo). The name that a user may give a
    /// dma-buf comes after it.
    package static func exporter(in fdinfo: [UInt8]) -> String? {
        for line in String(decoding: fdinfo, as: UTF8.self).split(separator: "\n") where line.hasPrefix("exp_name:") {
            return String(line.dropFirst(9).drop { $0 == "\t" || $0 == " " })
        }
        return nil
    }

    /// A new memfd of `size` bytes, which can be sealed. Its pages are allocated as they are touched.
    package static func memory(named name: String, size: UInt64) throws(Errno) -> OwnedFD {
        let raw = unsafe name.withCString { name in
            // SAFETY: the call reads a string that ends in 0 and keeps nothing of it.
            unsafe clinux_memfd(name, size)
        }
        return OwnedFD(adopting: try Errno.check(raw))
    }

    /// Adds seals to a memfd.
    package borrowing func seal(_ seals: FileSeals) throws(Errno) {
        try Errno.check(clinux_seal(raw, Int32(truncatingIfNeeded: seals.rawValue)))
    }
}
