import SMMUv3
import Testing

/// A command in a few words, for lines that have many of them.
@Suite struct CommandBriefTests {
    @Test(
        arguments: [
            (.tlbi(.tlbiNHVA, asid: 5, address: 0x1000), "TLBI_NH_VA ASID 5, 0x1000"),
            (.tlbi(.tlbiNHVAA, address: 0x1000), "TLBI_NH_VAA 0x1000"),
            (.tlbi(.tlbiNHASID, asid: 7), "TLBI_NH_ASID ASID 7"),
            (.tlbi(.tlbiNHAll), "TLBI_NH_ALL"),
            (.cfgiSTE(StreamID(8)), "CFGI_STE StreamID 0x8"),
            (.atcInv(StreamID(8)), "ATC_INV StreamID 0x8, everything"),
            (.sync(), "SYNC"),
            (Command(d0: 0xff, d1: 0), "opcode 0xff"),
        ] as [(Command, String)])
    func brief(command: Command, text: String) { #expect(command.brief == text) }

    @Test("Every opcode has one, whatever its operands", arguments: Command.Opcode.allCases)
    func every(opcode: Command.Opcode) {
        let command = Command(d0: .max << 8 | UInt64(opcode.rawValue), d1: .max)
        #expect(command.brief.hasPrefix(command.name))
    }
}
