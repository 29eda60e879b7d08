import CFuzzDriver
import Glibc
import Lockstep
import Scenarios

/// Fuzzes the model: the input decides about a scenario, about what is asked, changed and damaged, and about commands.
/// Whatever it says, the model must not trap, and must agree with the naive SMMU. Arguments are libFuzzer's.
@main
enum FuzzModel {
    static func main() {
        var count = CommandLine.argc
        // SAFETY: the arguments live as long as the process, and libFuzzer takes them as C's main gets them.
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
        _ = unsafe LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }

    fileprivate static func test(_ bytes: [UInt8]) {
        var (scenario, random) = Scenario.from(bytes: bytes)
        let registers = scenario.damagedRegisters(using: &random)
        var lockstep = Lockstep(scenario)
        check(lockstep.runCold(questions: 4, using: &random))
        check(lockstep.runWarm(questions: 4, using: &random))
        for _ in 0..<random.within(0...6) { lockstep.runAnyCommand(using: &random) }
        check(lockstep.runSequence(steps: 4, using: &random))
        // From here on tables may contradict each other, so that nothing cached may be used.
        for _ in 0..<random.within(1...6) {
            lockstep.damage(using: &random)
            check(lockstep.runCold(questions: 2, using: &random))
        }
        lockstep.setRegisters(registers)
        check(lockstep.runCold(questions: 4, using: &random))
    }

    private static func check(_ disagreement: String?) {
        guard let disagreement else { return }
        // An optimised build traps without a word.
        print(disagreement)
        fflush(nil)
        preconditionFailure("the model and the naive SMMU disagree")
    }
}

// SAFETY: libFuzzer gives `size` readable bytes at `data`, for the time of the call.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // SAFETY: as above.
    FuzzModel.test(unsafe Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
