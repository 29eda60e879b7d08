import CSMMUBroker
import Foundation
import Testing
import Wire

/// The C header is the specification; Wire describes the same bytes again. These tests prove that it does.
@Suite struct ABITests {
    @Test(
        "Structure sizes, offsets and member sizes are the same in C and in Swift",
        arguments: Structure.all + Structure.admin)
    func layout(structure: Structure) {
        #expect(structure.sizeInSwift == structure.sizeInC)
        for field in structure.fields {
            #expect(field.rangeInSwift == field.rangeInC, "\(structure.name).\(field.name)")
        }
    }

    @Test(
        "The members fill their structure: none is forgotten, and there is no padding",
        arguments: Structure.all + Structure.admin)
    func coverage(structure: Structure) {
        var end = 0
        for range in structure.fields.map(\.rangeInC).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            #expect(range.lowerBound == end)
            end = range.upperBound
        }
        #expect(end == structure.sizeInC)
    }

    @Test("A constant has the same value in C and in Swift", arguments: Constant.all + Constant.admin)
    func value(constant: Constant) {
        #expect(constant.inSwift == constant.inC)
    }

    @Test("Every structure, member and constant of the header is compared") func nothingForgotten() throws {
        for (name, constants, structures) in [
            ("smmu_broker.h", Constant.all, Structure.all), ("smmu_broker_admin.h", Constant.admin, Structure.admin),
        ] {
            let header = try Header(name)
            #expect(constants.map(\.name).sorted() == header.constants.sorted())
            #expect(structures.map(\.name).sorted() == header.structures.keys.sorted())
            for structure in structures {
                #expect(structure.fields.map(\.name) == header.structures[structure.name], "\(structure.name)")
            }
        }
    }

    @Test("Reasons and requests are called what the header calls them") func names() {
        for reason in Reason.allCases {
            let row = Constant.reasons.first { $0.name == "REASON_\(reason.name)" }
            #expect(row?.inC == UInt64(reason.rawValue), "\(reason.name)")
        }
        for type in RequestType.allCases {
            #expect(Constant.types.first { $0.name == type.name }?.inC == UInt64(type.rawValue), "\(type.name)")
        }
        for type in AdminRequestType.allCases {
            let row = Constant.admin.first { $0.name == "ADMIN_\(type.name)" }
            #expect(row?.inC == UInt64(type.rawValue), "\(type.name)")
        }
    }

    @Test("A status is the errno it is named after") func status() {
        let pairs: [(Status, Int32)] = [
            (.notPermitted, EPERM), (.notFound, ENOENT), (.inputOutput, EIO), (.noMemory, ENOMEM), (.busy, EBUSY),
            (.exists, EEXIST), (.noDevice, ENODEV), (.invalid, EINVAL), (.protocolViolated, EPROTO),
            (.notSupported, EOPNOTSUPP), (.timedOut, ETIMEDOUT), (.quotaExceeded, EDQUOT),
        ]
        for (status, errno) in pairs { #expect(status.rawValue == UInt32(errno)) }
    }
}

/// The names that the header declares, read from its text.
private struct Header {
    /// Enumerators and numbers, without `SMMU_BROKER_`.
    var constants: [String] = []
    /// Members by structure, without `smmu_broker_`.
    var structures: [String: [String]] = [:]

    init(_ name: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(
            contentsOf: root.appending(path: "Sources/CSMMUBroker/include/\(name)"), encoding: .utf8)
        constants = text.matches(of: /(?m)^(?:#define |    )SMMU_BROKER_([A-Z0-9_]+) (?:=|[^{\n]*$)/).map {
            String($0.1)
        }
        for structure in text.matches(of: /(?ms)^struct smmu_broker_(\w+) \{(.*?)^\};/) {
            structures[String(structure.1)] = structure.2.matches(of: /(?m)^    [\w ]+ (\w+)(?:\[\w+\])?;/).map {
                String($0.1)
            }
        }
    }
}
