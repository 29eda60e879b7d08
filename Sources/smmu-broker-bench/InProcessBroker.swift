struct InProcessBroker {
    init(_ one: SocketCase) throws {}
    func run(_ operations: UInt64) throws {}
    func allocations(requests: Int) throws -> Double { 0 }
}
