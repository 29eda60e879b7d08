import Glibc
import JSON
import SMMUv3
import Wire

/// The commands of a recorded Linux guest with strict invalidation, as its VMM sends them: what stands between two
/// CMD_SYNCs is one COMMANDS, and that is a single TLBI nearly always.
///
/// Left out are CMD_SYNC itself, PREFETCH, and CFGI_STE with its kin: those are for STE_SET.
enum CapturePhase: String, CaseIterable {
    case initialization = "init"
    case boot
    case io

    private static let archive = "Tests/Fixtures/captures/lin-4k-s1-plain.tar.xz"
    private static let directory = "lin-4k-s1-plain/"

    var benchmark: SocketCase {
        SocketCase(
            name: "plain-\(rawValue)", what: "the commands of lin-4k-s1-plain up to its mark '\(rawValue)', by SYNC",
            counted: 1000, makeScript: script)
    }

    @Sendable private func script(_ vsmmu: VSMMUID) throws -> Script {
        let marks = try Self.marks()
        guard let index = marks.firstIndex(where: { $0.name == rawValue }) else {
            throw Failure.system("find the mark \(rawValue) in \(Self.archive)", ENOENT)
        }
        let commands = try Self.commands()
        let (first, end) = (index == 0 ? 0 : marks[index - 1].commands, marks[index].commands)
        guard first < end, end <= commands.count else { throw Failure.system("read \(Self.archive)", EBADMSG) }
        var script = Script()
        var run: [Command] = []
        for command in commands[first..<end] {
            switch command.opcode {
            case .sync:
                if !run.isEmpty { script.append(run, on: vsmmu) }
                run = []
            case .prefetchConfig, .prefetchAddress, .cfgiSTE, .cfgiSTERange: break
            default: run.append(command)
            }
        }
        return script
    }

    private static func marks() throws -> [(name: String, commands: Int)] {
        let meta = try JSONValue(parsing: try member("meta.json"))
        return (meta["marks"]?.array ?? []).compactMap { mark in
            guard let name = mark["name"]?.string, let commands = mark["commands"]?.integer else { return nil }
            return (name, Int(commands))
        }
    }

    private static func commands() throws -> [Command] {
        let bytes = try member("commands.bin")
        let raw = unsafe bytes.span.bytes
        return (0..<bytes.count / 16).map {
            Command(
                d0: UInt64.load(from: raw, at: $0 * 16), d1: UInt64.load(from: raw, at: $0 * 16 + 8))
        }
    }

    /// A file of the archive, unpacked.
    private static func member(_ name: String) throws -> [UInt8] {
        guard let stream = unsafe popen("tar -xJOf \(archive) \(directory)\(name)", "r") else {
            throw Failure.system("unpack \(archive)", errno)
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = unsafe fread(&buffer, 1, buffer.count, stream), count > 0 { bytes += buffer[..<count] }
        guard unsafe pclose(stream) == 0 else { throw Failure.system("unpack \(archive)", EIO) }
        return bytes
    }
}
