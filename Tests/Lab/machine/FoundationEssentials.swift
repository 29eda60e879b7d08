// What swift-argument-parser names of Foundation, for programs of the lab. Its JSON, by which tools ask for a command's
// structure, is not made there.

public protocol LocalizedError: Error {
    var errorDescription: String? { get }
}

extension LocalizedError {
    public var errorDescription: String? { nil }
}

public struct Data: Sendable {
    let bytes: [UInt8]
}

extension String {
    public enum Encoding: Sendable {
        case utf8
    }

    public init?(data: Data, encoding: Encoding) {
        self.init(decoding: data.bytes, as: UTF8.self)
    }
}

public final class JSONEncoder {
    public struct OutputFormatting: OptionSet, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }
        public static let prettyPrinted = OutputFormatting(rawValue: 1)
        public static let sortedKeys = OutputFormatting(rawValue: 2)
    }

    struct NotInTheLab: Error {}

    public var outputFormatting: OutputFormatting = []
    public init() {}
    public func encode(_ value: some Encodable) throws -> Data { throw NotInTheLab() }
}
