import BrokerCore
import EventLoop
import LinuxSystem
import SMMUv3
import Synchronization
import Wire

/// Where a session puts what it knows of an access, for the operator who waits in the main loop. Put once, never waited for.
package final class ExplanationMailbox: Sendable {
    enum Outcome: Sendable {
        case known(Explanation)
        case noContext
        case ended
    }

    private let outcome = Mutex<Outcome?>(nil)
    private let ready: EventFD

    init() throws(Errno) { ready = try EventFD() }

    var descriptor: Int32 { ready.fd.raw }

    func put(_ new: Outcome) {
        outcome.withLock { $0 = new }
        // A counter that cannot be signalled is full, and so it is signalled.
        do { try ready.signal() } catch {}
    }

    func take() -> Outcome? { outcome.withLock { $0.take() } }
}

/// An operator's question on its way: ends with an answer, after a while, or with the operator's connection.
final class PendingExplanation {
    /// Milliseconds that a session may take; one in a call that blocks takes longer.
    static let patience: UInt64 = 1000

    // Dropped in this order: a watch goes before its descriptor.
    private var watch: Watch?
    private let mailbox: ExplanationMailbox
    private let loop: EventLoop
    private let timer: TimerID

    /// - Parameter done: Called once at most, in the loop's thread; nil: nobody answered in time.
    init(
        _ mailbox: ExplanationMailbox, on loop: EventLoop, _ done: @escaping (ExplanationMailbox.Outcome?) -> Void
    ) throws(Errno) {
        (self.mailbox, self.loop) = (mailbox, loop)
        let deadline = MonotonicTime.now.advanced(byMilliseconds: Self.patience)
        timer = loop.schedule(at: deadline) { _ in done(nil) }
        do throws(Errno) {
            watch = try Watch(mailbox.descriptor, for: .readable, on: loop) { _ in
                if let outcome = mailbox.take() { done(outcome) }
            }
        } catch {
            loop.cancel(timer)
            throw error
        }
    }

    deinit { loop.cancel(timer) }
}

extension ExplanationRequest {
    init(_ asked: AdminExplainRequest) {
        self.init(
            vsmmu: asked.vsmmu, vsid: asked.vsid, iova: asked.iova, substream: asked.substream,
            write: asked.flags.contains(.write), privileged: asked.flags.contains(.privileged),
            instruction: asked.flags.contains(.instruction))
    }
}

extension Explanation {
    /// Writes the reply and returns its length.
    func encode(to header: RequestHeader, into packet: inout MutableRawSpan) -> Int {
        var reply = AdminExplainReply(context: AdminContext(context, at: at))
        let since = MonotonicTime.now.nanoseconds &- at.nanoseconds
        reply.time = RealTime.nowNanoseconds &- since
        if let ste { (reply.ste, reply.flags) = (ste, .entry) }
        if let walk {
            reply.flags.insert(.memory)
            (reply.registers, reply.stream) = (walk.registers, walk.stream)
            reply.streamTableBase = walk.streamTableBase
            reply.streamTableBaseConfig = walk.streamTableBaseConfig
        }
        let past = invalidations.prefix(AdminLimits.invalidations).map {
            AdminInvalidation(
                first: $0.first, last: $0.last, age: at.since($0.at), count: $0.count)
        }
        let words = (walk?.words ?? []).prefix(AdminLimits.words).map {
            AdminWord(address: $0.address, value: $0.value)
        }
        return reply.encode(to: header, invalidations: past.span, words: words.span, into: &packet)
    }
}
