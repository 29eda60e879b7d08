import Foundation
import Synchronization
import Systemd

/// A value that several threads read and write.
package final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>
    package init(_ value: Value) { mutex = Mutex(value) }
    package var value: Value {
        get { mutex.withLock { $0 } }
        set { mutex.withLock { $0 = newValue } }
    }
}

/// A value that one thread waits for and another one has.
package final class Promise<Value: Sendable>: Sendable {
    private let value = Shared<Value?>(nil)
    private let wakeUp: WakeUp
    package init() throws { wakeUp = try WakeUp() }

    package func keep(_ value: Value) {
        self.value.value = value
        wakeUp.set()
    }

    package func wait() -> Value {
        while true {
            if let value = value.value { return value }
            _ = wakeUp.wait()
        }
    }
}

/// Waits for what another thread or process is about to bring about; false after a minute, which is as good as never.
package func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Date().addingTimeInterval(60)
    while Date() < deadline {
        if try condition() { return true }
        usleep(2000)
    }
    return false
}
