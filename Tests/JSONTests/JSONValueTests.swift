import JSON
import Testing

@Suite struct JSONValueTests {
    static let numbers: [(JSONValue, UInt64?)] = [
        (0, 0), (-1, nil), (.unsigned(.max), .max), (1.0, nil), ("0x0", 0), ("0x1F", 31), ("0xffffffffffffffff", .max),
        ("0x", nil), ("0x10000000000000000", nil), ("0X1", nil), ("1f", nil), ("0x+1", nil), ("0x 1", nil), ("", nil),
        (.null, nil), (true, nil),
    ]

    @Test(arguments: numbers)
    func readsUnsignedNumbers(value: JSONValue, expected: UInt64?) {
        #expect(value.uint64 == expected)
    }

    @Test func accessorsAreNilForOtherKinds() {
        let value: JSONValue = ["a": [1, "x", .null], "b": true]
        #expect(value["a"]?[0]?.integer == 1)
        #expect(value["a"]?[1]?.string == "x")
        #expect(value["a"]?[2]?.isNull == true)
        #expect(value["a"]?[3] == nil)
        #expect(value["a"]?[-1] == nil)
        #expect(value["a"]?["b"] == nil)
        #expect(value["b"]?.bool == true)
        #expect(value["c"] == nil)
        #expect(value[0] == nil)
        #expect(value.string == nil && value.integer == nil && value.double == nil && value.array == nil)
        #expect(JSONValue.unsigned(1 << 63).double == 0x1p63)
        #expect(JSONValue(UInt64(1 << 32)).uint32 == nil)
    }

    @Test func anIntegerHasOneRepresentation() {
        #expect(JSONValue(UInt64(5)) == 5)
        #expect(JSONValue(UInt64(Int64.max)) == .integer(.max))
        #expect(JSONValue(UInt64(1) << 63) == .unsigned(1 << 63))
    }

    @Test func objectsKeepTheirOrder() {
        var object = JSONObject()
        for number in 0..<40 { object["k\(39 - number)"] = .integer(Int64(number)) }
        object["k39"] = "first"
        object["k20"] = nil
        object["absent"] = nil
        #expect(object.count == 39)
        #expect(object.keys.first == "k39" && object.keys.last == "k0")
        #expect(object["k39"] == "first" && object["k20"] == nil && object["k0"] == 39 && object["k19"] == 20)
        object["k20"] = 0
        #expect(object.keys.last == "k20")
    }

    @Test func aRepeatedKeyInALiteralKeepsItsLastValue() {
        #expect(JSONValue.object(JSONObject([("a", 1), ("b", 2), ("a", 3)])) == ["a": 3, "b": 2])
    }
}
