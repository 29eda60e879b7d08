import CFuzzDriver
import Glibc

/// Fuzzes a session with the model behind it: the input is a program of packets, descriptors, events, an operator's
/// doings and the end. Whatever it says nothing may trap, each packet gets its one reply, and the promises that can be
/// seen from outside hold. Arguments are libFuzzer's.
@main
enum FuzzBroker {
    static func main() {
        var count = CommandLine.argc
        // SAFETY: the arguments live as long as the process, and libFuzzer takes them as C's main gets them.
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
        _ = unsafe LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }

    fileprivate static func test(_ bytes: [UInt8]) {
        var program = Program(bytes)
        guard let world = World() else { return }
        world.begin(&program)
        while !program.isAtEnd { world.step(&program) }
        world.end()
    }

    /// An optimised build traps without a word.
    static func require(_ holds: Bool, _ promise: @autoclosure () -> String) {
        if holds { return }
        print("broken: \(promise())")
        fflush(nil)
        preconditionFailure("a promise is broken")
    }
}

// SAFETY: libFuzzer gives `size` readable bytes at `data`, for the time of the call.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // SAFETY: as above.
    FuzzBroker.test(unsafe Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
