import CaptureFixtures
import Foundation
import HostSurvey
import JSON
import Testing

@testable import smmuctl

/// `doctor`, on trees of their own.
@Suite struct DoctorTests {
    private let findings = [
        Finding(.kernel, .note, "The kernel is Linux 6.17.0"),
        Finding(.smmu, .missing, "There is no SMMUv3", advice: "Backend=model needs none."),
        Finding(.catalog, .ok, "installed", advice: "not shown"),
    ]

    @Test("A report has a line for each finding, advice below it, and a conclusion") func report() {
        let fine = DoctorReport(backend: "model", findings: findings)
        #expect(
            fine.text(.plain) == """
                note     The kernel is Linux 6.17.0
                missing  There is no SMMUv3
                         -> Backend=model needs none.
                ok       installed

                Nothing that the backend model needs is missing. What is missing, only a backend for hardware needs.
                """)
        #expect(fine.isFine)
        var needed = findings
        needed[1].isNeeded = true
        let report = DoctorReport(backend: "iommufd", findings: needed)
        #expect(!report.isFine)
        #expect(report.text(.plain).hasSuffix("\n\nThe backend iommufd needs 1 thing more."))
        #expect(report.text(Style(colour: true)).hasSuffix("\u{1b}[0m"))
        #expect(report.json["findings"]?[1]?["needed"] == true)
    }

    @Test("A host without anything is fine for the model, and not for hardware") func emptyHost() throws {
        let root = try CaptureFixtures.scratchDirectory()
        let model = try Run(["doctor", "--root", root])
        #expect(model.status == 0, "\(model.output)")
        #expect(model.output.contains("missing  There is no SMMUv3"), "\(model.output)")
        let hardware = try Run(["doctor", "--root", root, "--backend", "iommufd", "--json"])
        #expect(hardware.status == 1)
        let json = try hardware.json()
        #expect(json["backend"] == "iommufd" && json["fine"] == false)
        let checks = json["findings"]?.array?.compactMap { $0["check"]?.string } ?? []
        #expect(checks.contains("daemon") && checks.contains("configuration"))
    }

    @Test("The configuration below the root counts") func configuration() throws {
        let root = try CaptureFixtures.scratchDirectory()
        let directory = "\(root)/etc/smmu-broker"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data("[Broker]\nAdminSocket=/x/a.sock\nColour=red\n".utf8)
            .write(to: URL(fileURLWithPath: "\(directory)/smmu-broker.conf"))
        let run = try Run(["doctor", "--root", root])
        #expect(run.status == 0)
        #expect(run.output.contains("/x/a.sock is not there"), "\(run.output)")
        #expect(run.output.contains("The configuration has 1 problem"), "\(run.output)")
    }

    @Test("A backend that does not exist is wrong usage") func wrongBackend() throws {
        #expect(try Run(["doctor", "--backend", "none"]).status == 64)
    }
}
