import ArgumentParser
import Captures
import JSON
import SMMUv3

/// The ID registers by which `decode` judges.
struct AssumedRegisters {
    /// Of the SMMU that the structure is for.
    let architecture: IDRegisters
    /// Of the vSMMU that a guest is shown.
    let nested: IDRegisters
    /// Where they come from, in a few words.
    let origin: (architecture: String, nested: String)

    /// An SMMU with all that is known here and 48-bit addresses: stage 1 and 2, EL2, ATS, PRI, stalls and termination,
    /// mixed endianness, HTTU, all granules, 20 bits of SubstreamID. Not NS1ATS, which only forbids.
    static let everything = IDRegisters(idr0: 0x080d_76bb, idr1: 0x0e73_9d20, idr3: 0x3794, idr5: 0x0040_0475)

    /// What a vSMMU over nested translation may offer: stage 1 only, AArch64 tables, little-endian, faults terminate; no
    /// BTM, HTTU, EL2, PRI, VMID16 and FWB. What depends on host or policy is on: ATS, MSIs, 16-bit ASIDs, two-level
    /// tables, 20 bits of SubstreamID, range invalidation, all granules, 48 bits.
    static let safeProfile = IDRegisters(idr0: 0x0948_341a, idr1: 0x0273_0520, idr3: 0x1404, idr5: 0x75)
}

/// The options that replace the assumed ID registers.
struct RegisterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("IDR0 to assume for both verdicts, hexadecimal.", valueName: "hex"))
    var idr0: RegisterValue?
    @Option(help: ArgumentHelp("IDR1 to assume for both verdicts, hexadecimal.", valueName: "hex"))
    var idr1: RegisterValue?
    @Option(help: ArgumentHelp("IDR3 to assume for both verdicts, hexadecimal.", valueName: "hex"))
    var idr3: RegisterValue?
    @Option(help: ArgumentHelp("IDR5 to assume for both verdicts, hexadecimal.", valueName: "hex"))
    var idr5: RegisterValue?
    @Option(help: ArgumentHelp("Take all ID registers from this capture, an unpacked directory.", valueName: "dir"))
    var ids: String?

    func registers() throws(Failure) -> AssumedRegisters {
        var architecture = AssumedRegisters.everything
        var nested = AssumedRegisters.safeProfile
        var origin = ("everything on, 48-bit addresses", "safe profile for nested translation")
        if let ids {
            let capture = try openCapture(ids, to: "take ID registers from")
            architecture = IDRegisters(capture.registers)
            nested = architecture
            origin = ("from \(capture.name.visible)", "from \(capture.name.visible)")
        }
        let given = [("IDR0", idr0), ("IDR1", idr1), ("IDR3", idr3), ("IDR5", idr5)].filter { $0.1 != nil }.map(\.0)
        replace(in: &architecture)
        replace(in: &nested)
        if !given.isEmpty {
            let note = ", \(given.joined(separator: ", ")) as given"
            origin = (origin.0 + note, origin.1 + note)
        }
        return AssumedRegisters(architecture: architecture, nested: nested, origin: origin)
    }

    private func replace(in ids: inout IDRegisters) {
        if let idr0 { ids.idr0 = idr0.value }
        if let idr1 { ids.idr1 = idr1.value }
        if let idr3 { ids.idr3 = idr3.value }
        if let idr5 { ids.idr5 = idr5.value }
    }
}

extension IDRegisters {
    /// The four registers that decide, in one line.
    var line: String { "IDR0 \(idr0.hexWord)  IDR1 \(idr1.hexWord)  IDR3 \(idr3.hexWord)  IDR5 \(idr5.hexWord)" }

    var json: JSONValue {
        .object(
            JSONObject([
                ("IDR0", .string(idr0.hexWord)), ("IDR1", .string(idr1.hexWord)), ("IDR3", .string(idr3.hexWord)),
                ("IDR5", .string(idr5.hexWord)),
            ]))
    }
}
