/// The pauses between attempts to connect.
public struct ReconnectBackoff: Sendable, Hashable {
  /// After the first failure; it doubles with each that follows.
  public var initial: Duration
  /// No pause is longer.
  public var maximum: Duration
  /// Each pause is shortened by a random part of itself, up to this much of it (0 to 1), so that
  /// many clients do not come back in step.
  public var jitter: Double

  /// 50 ms, doubling up to 5 s, each shortened by up to a half.
  public init(
    initial: Duration = .milliseconds(50), maximum: Duration = .seconds(5), jitter: Double = 0.5
  ) {
    self.initial = initial
    self.maximum = maximum
    self.jitter = min(max(jitter, 0), 1)
  }
}

/// When a client connects: with the first call that waits, and after failures not before a pause.
/// It does no I/O; times are nanoseconds of one monotonic clock.
///
/// 1. At most one attempt to connect is under way.
/// 2. `failureCount` counts attempts in a row that came to nothing. A connection that ended
///    before the server sent anything is such an attempt: else a server that accepts and closes
///    would be met at full speed.
public struct ReconnectMachine: Sendable {
  private enum State {
    case idle
    case connecting
    case connected(heard: Bool)
  }

  /// What the transport does now for the calls that wait.
  public enum Action: Sendable, Hashable {
    /// There is a connection, or an attempt is under way.
    case none
    /// Begin an attempt.
    case connect
    /// Ask again at this time.
    case wait(until: UInt64)
  }

  private let backoff: ReconnectBackoff
  private var state = State.idle
  private var failureCount = 0
  private var notBefore: UInt64 = 0

  /// Not connected.
  public init(backoff: ReconnectBackoff = ReconnectBackoff()) { self.backoff = backoff }

  /// Asked whenever calls wait and cannot be sent.
  public mutating func callsWait(now: UInt64) -> Action {
    guard case .idle = state else { return .none }
    if now < notBefore { return .wait(until: notBefore) }
    state = .connecting
    return .connect
  }

  /// The attempt succeeded.
  public mutating func connected() { state = .connected(heard: false) }

  /// The server answered a call.
  public mutating func heard() {
    guard case .connected(heard: false) = state else { return }
    state = .connected(heard: true)
    failureCount = 0
  }

  /// The connection is not used for further calls, by this side's own decision.
  public mutating func retired() { state = .idle }

  /// The attempt failed, or the connection was lost.
  /// - Parameter random: from 0 to 1.
  public mutating func lost(now: UInt64, random: Double) {
    if case .connected(heard: true) = state {
      state = .idle
      return
    }
    state = .idle
    failureCount += 1
    notBefore = now + pauseNanos(random: random)
  }

  private func pauseNanos(random: Double) -> UInt64 {
    let doublings = min(failureCount - 1, 32)
    let initial = Double(max(backoff.initial.nanosecondsClamped, 0))
    // A day at most: the clock has room for that.
    let maximum = Double(max(min(backoff.maximum, .seconds(86_400)).nanosecondsClamped, 0))
    let pause = min(initial * Double(UInt64(1) << UInt64(doublings)), maximum)
    return UInt64(pause * (1 - backoff.jitter * random))
  }
}

extension Duration {
  /// In nanoseconds; beyond the range of Int64, the bound.
  public var nanosecondsClamped: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return seconds < 0 ? .min : .max }
    let (sum, sumOverflow) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    if sumOverflow { return seconds < 0 ? .min : .max }
    return sum
  }
}
