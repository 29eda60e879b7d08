import Foundation
import Systemd
import Testing

/// The journal's catalog explains exactly the entries that there are.
@Suite struct CatalogTests {
    private let text: String
    private let manual: String

    init() throws {
        let project = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        text = try String(contentsOf: project.appending(path: "systemd/smmu-broker.catalog"), encoding: .utf8)
        manual = try String(contentsOf: project.appending(path: "docs/man/smmu-brokerd.8"), encoding: .utf8)
    }

    @Test func theManualListsEveryMessageID() {
        let listed = manual.matches(of: /\n\.It Sy ([0-9a-f]{32})\n/).map { String($0.1) }
        #expect(listed == JournalKind.allCases.map(\.messageID))
    }

    @Test func everyMessageIDIsInTheCatalogAndTheOtherWayRound() {
        let lines = text.split(separator: "\n")
        let explained = lines.filter { $0.hasPrefix("-- ") }.map { String($0.dropFirst(3)) }
        #expect(explained.sorted() == JournalKind.allCases.map(\.messageID).sorted())
    }

    @Test(arguments: JournalKind.allCases)
    func messageIDsAreWhatTheJournalTakes(kind: JournalKind) {
        #expect(kind.messageID.wholeMatch(of: /[0-9a-f]{32}/) != nil)
    }

    /// A field that no entry has would show as it stands.
    @Test func theCatalogNamesOnlyFieldsThatEntriesHave() {
        let known: Set = [
            "SMMU_EVENT", "SMMU_VM", "SMMU_SESSION", "SMMU_PEER_PID", "SMMU_PEER_UID", "SMMU_DEVICE", "SMMU_VSMMU",
            "SMMU_VSID", "SMMU_COUNT", "SMMU_DETAIL", "SMMU_REASON",
        ]
        let named = Set(text.matches(of: /@([A-Z_]+)@/).map { String($0.1) })
        #expect(named.subtracting(known) == [])
    }
}
