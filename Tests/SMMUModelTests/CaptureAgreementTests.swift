import CaptureFixtures
import Captures
import SMMUModel
import Testing

/// The model against what other SMMUs were recorded to answer.
@Suite struct CaptureAgreementTests {
    @Test(arguments: CaptureFixtures.names)
    func agreesWithEveryRow(name: String) throws {
        let capture = try Capture(directory: try CaptureFixtures.directory(named: name))
        let check = try CaptureCheck(capture)
        #expect(check.rows == CaptureFixtures.oracleRows[name] ?? 272)
        #expect(check.agreed == check.rows)
        for difference in check.disagreements.prefix(3) {
            Issue.record("line \(difference.row.line): \(difference.row.answer), not \(difference.given)")
        }
        #expect(check.failedSteps.isEmpty)
        #expect(check.isClean)
        #expect(check.rowsWithAlternative >= check.earlierAnswers)
    }

    /// A script asks between the change of an entry and its invalidation: a model that caches gives earlier answers.
    @Test func usesItsCachesInAScript() throws {
        let capture = try Capture(directory: try CaptureFixtures.directory(named: "seq-short"))
        let check = try CaptureCheck(capture)
        let alternatives = try capture.steps().count { step in
            if case .translate(let row) = step { row.alternative != nil } else { false }
        }
        #expect(check.rowsWithAlternative == alternatives)
        #expect(check.earlierAnswers > 0)
    }

    @Test(arguments: [("lin-4k-nested", 15), ("lin-4k-s2-vfio", 72)])
    func agreesWithTheReferenceOnDisputedRows(name: String, count: Int) throws {
        let capture = try Capture(directory: try CaptureFixtures.directory(named: name))
        let rows = try capture.disputed()
        #expect(rows.count == count)
        var smmu = CaptureSMMU(capture)
        for row in rows {
            smmu.smmu.invalidateEverything()
            let given = smmu.answer(streamID: row.sid, substreamID: row.ssid, address: row.iova, write: row.write)
            let expected = try #require(row.reference.answer)
            #expect(CaptureCheck.agree(given, expected), "line \(row.line)")
        }
    }
}
