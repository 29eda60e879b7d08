import Foundation
import Synchronization

/// Numbers that one thread appends and another reads.
final class Results: Sendable {
    private let storage = Mutex<[Int]>([])
    func append(_ number: Int) { storage.withLock { $0.append(number) } }
    var numbers: [Int] { storage.withLock { $0 } }
}

/// A thread that can be waited for.
final class JoinableThread: Sendable {
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Void) {
        let done = done
        Thread {
            body(); done.signal()
        }.start()
    }

    func join() { done.wait() }
}

func startThread(_ body: @escaping @Sendable () -> Void) -> JoinableThread { JoinableThread(body) }
