/// A word of memory that some lookup goes through.
struct ScenarioLiveWord {
    let pa: UInt64
    let kind: ScenarioMutation.Kind
    let sid: UInt32
    let ssid: UInt32?
    /// An input address, of the stage in question, whose walk reads the word.
    let address: UInt64
    /// The level of a table entry; for an STE or CD the number of the word in it.
    let level: Int
    /// A value that makes sense here, in the byte order of a little-endian reader.
    let template: UInt64
    let bigEndian: Bool
    /// Of a table entry.
    var granule: ScenarioGranule?
}
