// Answers that are held back until the dispatcher's gate lets them leave.
extension ServerTick {
  /// How often the gate is asked for refusals while nobody wakes the loop.
  static let gatePollNanos: UInt64 = 100_000_000

  /// The loop was woken by `ServerLoop.wake`: this tick asks the gate for refusals too.
  public func noteWake() { isGateAskDue = true }

  /// When the next tick is due though nothing comes, on the monotonic clock: at the first deadline
  /// of a call in flight, and every 100 ms while answers are held back; `nil`: never.
  public var nextTickNanos: UInt64? {
    guard !held.isEmpty else { return deadlines.firstNanos }
    return min(deadlines.firstNanos ?? .max, gateAskNanos)
  }

  /// Takes the frame that a call has just written from the end of its connection's output.
  @inline(never)
  func hold(
    _ call: UnsafeMutablePointer<InlineCall>, until mark: Int64, _ code: StatusCode,
    frameBytes: Int
  ) {
    let machine = call.pointee.machine
    let answer = HeldAnswer(
      mark: mark, machine: machine, registered: call.pointee.registered,
      streamID: call.pointee.streamID, requestBytes: call.pointee.requestBytes, code: code,
      startedNanos: loop.monotonicNanos, deadlineNanos: call.pointee.deadlineNanos,
      frameBytes: frameBytes)
    held.append(answer, frame: machine.pointee.output.lastBytes(frameBytes))
    machine.pointee.output.removeLast(frameBytes)
    machine.pointee.heldBytes &+= frameBytes
  }

  @inline(__always)
  func readGate() {
    if let gate { openMark = gate.openMark }
  }

  /// What the tick did, before its answers leave.
  func summary() -> TickSummary {
    let previous = openMark
    readGate()
    var heldCount = held.count &- held.waitingCount
    if openMark != previous {
      for index in held.waitingCount..<held.count where held.answers[index].mark <= openMark {
        heldCount &-= 1
      }
    }
    return TickSummary(
      callCount: tickCallCount &- skippedCallCount, heldCount: heldCount,
      heldMark: held.highestMark > openMark ? held.highestMark : 0, isDraining: isDraining)
  }

  /// Writes the held answers that may leave, in the order of their calls; the others of this tick
  /// become pending calls. Then fails those whose marks are refused, where it is time to ask.
  @inline(never)
  func settleHeld() {
    readGate()
    if held.waitingCount == 0 { gateAskNanos = loop.monotonicNanos + Self.gatePollNanos }
    let goesThroughWaiting = held.lowestMark <= openMark || held.boundsAreWide
    var lowest = goesThroughWaiting ? Int64.max : held.lowestMark
    var highest = goesThroughWaiting || held.waitingCount == 0 ? 0 : held.highestMark
    for index in (goesThroughWaiting ? 0 : held.waitingCount)..<held.count {
      let answer = held.answers + index
      guard let machine = answer.pointee.machine else { continue }
      let isWaiting = index < held.waitingCount
      // What an abandoned connection waits for is dropped when it is detached.
      if answer.pointee.mark <= openMark && !machine.pointee.isAbandoned {
        release(answer, machine, isWaiting: isWaiting)
      } else {
        if !isWaiting { becomePending(answer, machine) }
        lowest = min(lowest, answer.pointee.mark)
        highest = max(highest, answer.pointee.mark)
      }
    }
    held.settle(lowestMark: lowest, highestMark: highest)
    askForRefusals()
  }

  @inline(__always)
  private func release(
    _ answer: UnsafeMutablePointer<HeldAnswer>, _ machine: UnsafeMutablePointer<ServerConnection>,
    isWaiting: Bool
  ) {
    let frameBytes = answer.pointee.frameBytes
    machine.pointee.output.append(held.frame(of: answer), count: frameBytes)
    if isWaiting { endPending(answer, machine) }
    touch(machine)
    leave(answer, machine, answer.pointee.code, responseBytes: frameBytes)
  }

  /// The answer, or another one, is in its connection's output.
  @inline(__always)
  private func leave(
    _ answer: UnsafeMutablePointer<HeldAnswer>, _ machine: UnsafeMutablePointer<ServerConnection>,
    _ code: StatusCode, responseBytes: Int
  ) {
    machine.pointee.heldBytes &-= answer.pointee.frameBytes
    held.remove(answer)
    guard !completionHooks.isEmpty else { return }
    complete(PendingCall(answer.pointee), code, responseBytes: responseBytes, machine)
  }

  @inline(never)
  private func endPending(
    _ answer: UnsafeMutablePointer<HeldAnswer>, _ machine: UnsafeMutablePointer<ServerConnection>
  ) {
    machine.pointee.pending[answer.pointee.streamID] = nil
    inFlightCount -= 1
  }

  @inline(never)
  private func becomePending(
    _ answer: UnsafeMutablePointer<HeldAnswer>, _ machine: UnsafeMutablePointer<ServerConnection>
  ) {
    deferredSerial &+= 1
    answer.pointee.serial = deferredSerial
    addPending(
      PendingCall(answer.pointee), machine, answer.pointee.streamID,
      deadlineNanos: answer.pointee.deadlineNanos)
  }

  @inline(__always)
  private func askForRefusals() {
    guard !held.isEmpty, isGateAskDue || loop.monotonicNanos >= gateAskNanos, let gate else {
      return
    }
    gateAskNanos = loop.monotonicNanos + Self.gatePollNanos
    guard gate.refusal(of: held.highestMark) != nil else { return }
    failRefused(gate)
  }

  @inline(never)
  private func failRefused(_ gate: any AnswerGate) {
    for index in 0..<held.count {
      let answer = held.answers + index
      guard let machine = answer.pointee.machine, !machine.pointee.isAbandoned,
        let error = gate.refusal(of: answer.pointee.mark)
      else { continue }
      let before = machine.pointee.output.unsentBytes
      StatusFrame.append(error, streamID: answer.pointee.streamID, to: &machine.pointee.output)
      let bytes = machine.pointee.output.unsentBytes - before
      endPending(answer, machine)
      touch(machine)
      leave(answer, machine, error.code, responseBytes: bytes)
    }
    held.noteFailures()
  }

  /// Nobody waits for the call's answer any more: cancels it, or drops its held answer.
  func giveUp(_ call: PendingCall, _ machine: UnsafeMutablePointer<ServerConnection>) {
    if let state = call.state { return state.cancel() }
    guard let bytes = held.drop(serial: call.serial) else { return }
    machine.pointee.heldBytes -= bytes
  }
}

extension PendingCall {
  /// A call whose answer is held back.
  @inline(__always)
  init(_ answer: HeldAnswer) {
    self.init(
      state: nil, serial: answer.serial, registered: answer.registered,
      requestBytes: answer.requestBytes, startedNanos: answer.startedNanos)
  }
}
