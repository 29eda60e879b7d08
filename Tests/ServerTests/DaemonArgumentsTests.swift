import Server
import Testing

@Suite("Arguments of the daemon")
struct DaemonArgumentsTests {
    @Test("Every form of an option means the same")
    func forms() throws {
        #expect(try DaemonArguments([]).action == .serve)
        #expect(try DaemonArguments(["--config", "a"]).configurationFile == "a")
        #expect(try DaemonArguments(["-c", "a"]) == DaemonArguments(["--config=a"]))
        #expect(try DaemonArguments(["--check-config", "-c", "a"]).action == .checkConfiguration)
        #expect(try DaemonArguments(["--config", "--odd-name"]).configurationFile == "--odd-name")
    }

    @Test("Help goes before version, and both before all else")
    func precedence() throws {
        #expect(try DaemonArguments(["--version", "--help", "--check-config"]).action == .help)
        #expect(try DaemonArguments(["--check-config", "--version"]).action == .version)
    }

    @Test(
        "What is wrong is said of the argument that is",
        arguments: [
            (["--nothing"], ArgumentFault.unknown("--nothing")), (["word"], .unknown("word")), ([""], .unknown("")),
            (["--config"], .missingFile("--config")), (["--config="], .missingFile("--config=")),
            (["--help=1"], .unwantedValue("--help")), (["-c", "a", "-c", "b"], .repeated("-c")),
        ])
    func faults(_ arguments: [String], _ fault: ArgumentFault) {
        #expect(throws: fault) { try DaemonArguments(arguments) }
    }
}
