/// The state of an SMMUv3 at one moment, the memory that its configuration reaches, and questions with answers.
///
/// Order: `init(directory:)` reads state and memory; the other files are read and checked when asked for.
package struct Capture: Sendable {
    /// The last component of the directory, by which the capture is known.
    package let name: String
    package let title: String
    /// Where the configuration came from: `linux` (a running guest) or `generated`.
    package let origin: String
    package let kind: Kind
    package let registers: CaptureRegisters
    /// Copy it to store to it.
    package let pages: CapturePages
    /// Moments of the recording in order; none in generated captures.
    package let marks: [CaptureMark]
    /// The streams that translate, by ascending StreamID; not all captures have this.
    package let streams: [CaptureStream]
    /// How many rows the oracle had when it was written; nil if the capture does not say.
    package let declaredRows: Int?

    private let directory: String

    package enum Kind: Equatable, Sendable {
        /// Independent questions in any order: `rows()`.
        case oracle
        /// A script to be done in order: `steps()`.
        case steps
    }

    /// Reads the capture in this directory, all but its queues and questions.
    /// Errors: `.capture` if something is missing or damaged, `.system` if it cannot be read.
    package init(directory: String) throws(CaptureError) {
        let files = CaptureDirectory(path: directory)
        let meta = try CaptureMeta(in: files)
        self.directory = directory
        name = directoryName(directory)
        title = meta.title
        origin = meta.origin
        kind = try files.kind()
        registers = meta.registers
        pages = try CapturePages(in: files)
        marks = meta.marks
        streams = meta.streams
        declaredRows = meta.declaredRows
    }

    private var files: CaptureDirectory { CaptureDirectory(path: directory) }

    /// The questions with their answers.
    /// Errors: as `init`, with the line; `.caller` if this capture is a script.
    package func rows() throws(CaptureError) -> [CaptureRow] {
        guard kind == .oracle else {
            throw files.error(CaptureDirectory.oracle, "This capture is a script and has no independent rows.", .caller)
        }
        return try files.lines(CaptureDirectory.oracle, CaptureRow.init)
    }

    /// The operations of the script in order.
    /// Errors: as `init`, with the line; `.caller` if this capture is no script.
    package func steps() throws(CaptureError) -> [CaptureStep] {
        guard kind == .steps else {
            throw files.error(CaptureDirectory.steps, "This capture has independent rows and no script.", .caller)
        }
        return try files.lines(CaptureDirectory.steps, CaptureStep.init)
    }

    /// Every command put into the command queue since reset, in order, as two little-endian words; none if there is no
    /// such file. `marks` cuts it into phases. Errors: as `init`.
    package func commands() throws(CaptureError) -> [(d0: UInt64, d1: UInt64)] {
        let words = littleEndianWords(try files.units("commands.bin", of: 16))
        return stride(from: 0, to: words.count, by: 2).map { (d0: words[$0], d1: words[$0 + 1]) }
    }

    /// Every event record that QEMU wrote, 32 bytes each, in order; none if there is no such file. Errors: as `init`.
    package func events() throws(CaptureError) -> [[UInt8]] {
        let bytes = try files.units("events.bin", of: 32)
        return stride(from: 0, to: bytes.count, by: 32).map { Array(bytes[$0..<$0 + 32]) }
    }

    /// The questions on which QEMU and the reference walker differ; none if there is no such file.
    /// Errors: as `init`, with the line.
    package func disputed() throws(CaptureError) -> [DisputedRow] {
        try files.lines("disputed.jsonl", isRequired: false, DisputedRow.init)
    }
}

/// A moment of a recording, named by its phase. The recording may go on after the last one.
package struct CaptureMark: Equatable, Sendable {
    package let name: String
    /// How many commands had been put into the queue by then; an index into `commands()`.
    package let commands: Int
    /// How many events had been written by then; an index into `events()`.
    package let events: Int
}

/// A stream that translates.
package struct CaptureStream: Equatable, Sendable {
    package let sid: UInt32
    package let asid: UInt32?
    package let vmid: UInt32?
    /// The bits of an offset in a granule: 12, 14 or 16. Only generated captures say it.
    package let granuleBits: UInt32?
    /// The stages: 1, 2, or 3 for both. Only generated captures say it.
    package let stage: UInt32?
}
