import BrokerClient
import Foundation
import SMMUv3
import Testing
import Wire

/// Expects a refusal of this name, and gives it.
@discardableResult
func expectRefusal(
    _ reason: Reason, _ location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) -> BrokerError? {
    do {
        try body()
        Issue.record("expected \(reason.name), and it was done", sourceLocation: location)
    } catch let error as BrokerError {
        #expect(error.reason == reason, "\(error)", sourceLocation: location)
        return error
    } catch { Issue.record(error, sourceLocation: location) }
    return nil
}

/// Expects a refusal for a quota, and gives its sentence.
func expectQuota(_ location: SourceLocation = #_sourceLocation, _ body: () throws -> Void) -> String {
    expectRefusal(.quota, location, body)?.text ?? ""
}
