import Foundation
import LinuxSystem
import Testing

@Suite(.serialized) struct DescriptorTests {
    @Test("every descriptor is closed with its owner, and a released one is not")
    func ownership() throws {
        let name = "ownership-test"
        do {
            let file = try OwnedFD.memory(named: name, size: 1)
            let copy = try file.duplicate()
            #expect(copy.raw != file.raw)
            #expect(openDescriptors(toMemory: name) == 2)
        }
        #expect(openDescriptors(toMemory: name) == 0)
        let released = try OwnedFD.memory(named: name, size: 1).release()
        #expect(openDescriptors(toMemory: name) == 1)
        _ = OwnedFD(adopting: released)
        #expect(openDescriptors(toMemory: name) == 0)
    }

    @Test("an eventfd adds up what is signalled, and gives it once")
    func eventFD() throws {
        let event = try EventFD()
        #expect(try event.take() == 0)
        try event.signal()
        try event.signal()
        #expect(try event.take() == 2)
        #expect(try event.take() == 0)
    }

    @Test("a timer expires at its deadline and not when it is disarmed")
    func timerFD() throws {
        let timer = try TimerFD()
        #expect(try timer.take() == false)
        try timer.set(MonotonicTime(nanoseconds: 0))
        let epoll = try Epoll()
        try epoll.add(timer.fd.raw, .readable, data: 5)
        var batch = Epoll.emptyBatch
        #expect(try epoll.wait(&batch, milliseconds: nil) == 1)
        #expect(batch[0].token == 5 && batch[0].readiness == .readable)
        #expect(try timer.take() == true)
        try timer.set(MonotonicTime.now.advanced(bySeconds: 3600))
        try timer.set(nil)
        #expect(try epoll.wait(&batch, milliseconds: 0) == 0)
    }

    @Test("times add up without overflow")
    func time() {
        #expect(MonotonicTime(nanoseconds: .max).advanced(byNanoseconds: 1).nanoseconds == .max)
        #expect(MonotonicTime(nanoseconds: 1).advanced(bySeconds: .max).nanoseconds == .max)
        #expect(MonotonicTime(nanoseconds: 1).advanced(byMilliseconds: 2).nanoseconds == 2_000_001)
        #expect(MonotonicTime.now <= MonotonicTime.now)
    }

    @Test("errors name themselves")
    func errors() {
        #expect(Errno.again.description == "Resource temporarily unavailable (EAGAIN)")
        #expect(Errno(9999).description == "Unknown error (errno 9999)")
    }
}
