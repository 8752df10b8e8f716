import TTRPC
import Testing

@Suite("When a client connects") struct ReconnectMachineTests {
  private func machine() -> ReconnectMachine {
    ReconnectMachine(
      backoff: .init(initial: .nanoseconds(100), maximum: .nanoseconds(450), jitter: 0.5))
  }

  @Test("With the first call that waits, once")
  func first() {
    var machine = machine()
    #expect(machine.callsWait(now: 0) == .connect)
    #expect(machine.callsWait(now: 0) == .none)
    machine.connected()
    #expect(machine.callsWait(now: 0) == .none)
  }

  @Test("After failures in a row the pauses double, up to the maximum, less the jitter")
  func backoff() {
    var machine = machine()
    var pauses: [UInt64] = []
    var now: UInt64 = 0
    for _ in 0..<5 {
      #expect(machine.callsWait(now: now) == .connect)
      machine.lost(now: now, random: 0)
      guard case .wait(let until) = machine.callsWait(now: now) else { break }
      pauses.append(until - now)
      now = until
    }
    #expect(pauses == [100, 200, 400, 450, 450])
    #expect(machine.callsWait(now: now) == .connect)
    machine.lost(now: now, random: 1)
    #expect(machine.callsWait(now: now) == .wait(until: now + 225))
  }

  @Test("A connection that was of use is replaced at once, and the count begins anew")
  func useful() {
    var machine = machine()
    _ = machine.callsWait(now: 0)
    machine.lost(now: 0, random: 0)
    #expect(machine.callsWait(now: 100) == .connect)
    machine.connected()
    machine.heard()
    machine.lost(now: 200, random: 0)
    #expect(machine.callsWait(now: 200) == .connect)
    machine.lost(now: 200, random: 0)
    #expect(machine.callsWait(now: 200) == .wait(until: 300))
  }

  @Test("A connection that ended before a word counts as a failure")
  func silent() {
    var machine = machine()
    _ = machine.callsWait(now: 0)
    machine.connected()
    machine.lost(now: 0, random: 0)
    #expect(machine.callsWait(now: 0) == .wait(until: 100))
  }

  @Test("A retired connection is replaced at once")
  func retired() {
    var machine = machine()
    _ = machine.callsWait(now: 0)
    machine.connected()
    machine.retired()
    #expect(machine.callsWait(now: 0) == .connect)
  }

  @Test(
    "Durations become nanoseconds, and stop at the bounds",
    arguments: [
      (Duration.seconds(1), 1_000_000_000), (.nanoseconds(-5), -5), (.zero, 0),
      (.seconds(Int64.max), .max), (.seconds(Int64.min), .min),
    ] as [(Duration, Int64)])
  func clamped(duration: Duration, nanos: Int64) {
    #expect(duration.nanosecondsClamped == nanos)
  }
}
