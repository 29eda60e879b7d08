import SMMUv3
import UnitConfig

extension SMMUSettings {
    init(_ section: inout SectionReader) {
        self.init()
        let standard = SMMUSettings()
        let sizes = Self.outputAddressSizes
        outputAddressBits = section.value(
            .outputAddressBits, default: standard.outputAddressBits, text: { String($0) },
            { text throws(ValueFault) in
                let bits = Int(clamping: try Value.integer(text, in: 0...UInt64.max))
                guard sizes.contains(bits) else {
                    throw ValueFault("is none of: \(sizes.map(String.init).joined(separator: ", "))")
                }
                return bits
            })
        readGranules(&section)
        pasidBits = section.integer(.smmuPASIDBits, default: standard.pasidBits, in: 0...20)
        ats = section.boolean(.smmuATS, default: standard.ats)
        stalls = section.boolean(.stalls, default: standard.stalls)
        rangeInvalidation = section.boolean(.rangeInvalidation, default: standard.rangeInvalidation)
        asid16Bit = section.boolean(.asid16Bit, default: standard.asid16Bit)
    }

    private mutating func readGranules(_ section: inout SectionReader) {
        let names = Granule.names
        let all = names.map(\.0).joined(separator: " ")
        let list = section.list(.granules, default: all) { word throws(ValueFault) in
            guard let granule = names.first(where: { $0.0 == word })?.1 else {
                throw ValueFault("is none of: 4K, 16K, 64K")
            }
            return granule
        }
        guard let list, !list.values.isEmpty, !list.hasFaults else {
            section.replace(.granules, by: all)
            return
        }
        granules = Set(list.values)
    }
}

extension Granule {
    fileprivate static let names: [(String, Granule)] = [("4K", .k4), ("16K", .k16), ("64K", .k64)]
}
