// From prepared calls to answers.
extension ServerTick {
  /// Prefetches for all calls of the tick, then executes each in its turn.
  /// - Parameter nowNanos: CLOCK_MONOTONIC; calls whose time is up are not executed.
  public func execute(nowNanos: UInt64) {
    let count = tickCallCount
    for index in 0..<count {
      let call = calls + index
      guard call.pointee.refusal == nil, let method = call.pointee.registered else { continue }
      method._withUnsafeGuaranteedRef { $0.prefetch(call) }
    }
    loop.monotonicNanos = nowNanos
    readGate()
    for index in 0..<count { execute(calls + index, nowNanos) }
  }

  @inline(__always)
  private func execute(_ call: UnsafeMutablePointer<InlineCall>, _ nowNanos: UInt64) {
    let machine = call.pointee.machine
    guard !machine.pointee.isAbandoned else { return skip(call) }
    // Refusals are small and change nothing; everything else waits.
    if isPaused(machine) || machine.pointee.isStalled, call.pointee.refusal == nil {
      return putBack(call)
    }
    touch(machine)
    let before = machine.pointee.output.unsentBytes
    var writer = ResponseWriter(call, self, unsentBefore: before)
    if let registered = call.pointee.registered {
      registered._withUnsafeGuaranteedRef { run(call, $0, &writer, nowNanos) }
    }
    if call.pointee.refusal != nil { answerRefused(call, &writer) }
    if writer.code == nil { writer.fail(.unanswered) }
    if !completionHooks.isEmpty && !writer.isDeferred && !writer.isHeld {
      let bytes = machine.pointee.output.unsentBytes - before
      complete(call, writer.code ?? .unknown, responseBytes: bytes, nowNanos)
    }
  }

  /// Runs the handler, unless something stands against it: then that is the call's refusal.
  @inline(__always)
  private func run(
    _ call: UnsafeMutablePointer<InlineCall>, _ method: RegisteredMethod,
    _ writer: inout ResponseWriter, _ nowNanos: UInt64
  ) {
    if call.pointee.deadlineNanos <= nowNanos || isDraining
      || inFlightCount >= limits.maxCallsPerConnection
    {
      if let error = obstacle(call, nowNanos) { return override(call, error) }
    }
    if let interceptors,
      case .refuse(let error) = interceptors._withUnsafeGuaranteedRef({ $0.intercept(call) })
    {
      return override(call, error)
    }
    guard call.pointee.refusal == nil else { return }
    method.execute(call, &writer)
  }

  /// What stands against a call, whatever it is.
  @inline(never)
  private func obstacle(
    _ call: UnsafeMutablePointer<InlineCall>, _ nowNanos: UInt64
  ) -> RPCError? {
    if isDraining { return .drainingServer }
    if call.pointee.deadlineNanos <= nowNanos { return .deadlinePassed }
    if inFlightCount >= limits.maxCallsPerLoop { return .overloadedServer }
    if call.pointee.machine.pointee.pending.count >= limits.maxCallsPerConnection {
      return .tooManyCalls(limits.maxCallsPerConnection)
    }
    return nil
  }

  /// Refuses a call for a reason that comes before the one it may have.
  @inline(never)
  private func override(_ call: UnsafeMutablePointer<InlineCall>, _ error: RPCError) {
    drop(call)
    call.pointee.refuse(error)
  }

  @inline(never)
  private func answerRefused(
    _ call: UnsafeMutablePointer<InlineCall>, _ writer: inout ResponseWriter
  ) {
    if call.pointee.registered == nil { endCallThatTakesNoData(call) }
    if let refusal = call.pointee.refusal { writer.fail(refusal._withUnsafeGuaranteedRef(\.error)) }
    drop(call)
  }

  /// Where a data frame names a call in flight, its refusal is that call's answer; what the handler
  /// answers later is dropped.
  private func endCallThatTakesNoData(_ call: UnsafeMutablePointer<InlineCall>) {
    guard FrameHeader(unsafe: call.pointee.frame).kind == .data,
      let pending = call.pointee.machine.pointee.pending.removeValue(
        forKey: call.pointee.streamID)
    else { return }
    call.pointee.machine.pointee.endExclusive(pending)
    inFlightCount -= 1
    giveUp(pending, call.pointee.machine)
    complete(pending, .invalidArgument, responseBytes: 0, call.pointee.machine)
  }

  /// Nobody would read the answer.
  @inline(never)
  private func skip(_ call: UnsafeMutablePointer<InlineCall>) {
    skippedCallCount += 1
    drop(call)
  }

  /// Releases what a call holds.
  private func drop(_ call: UnsafeMutablePointer<InlineCall>) {
    call.pointee.refusal?.release()
    call.pointee.refusal = nil
  }

  /// Keeps the call's frame, to be decoded again when the connection goes on.
  @inline(never)
  private func putBack(_ call: UnsafeMutablePointer<InlineCall>) {
    let machine = call.pointee.machine
    skippedCallCount += 1
    callCount &-= 1
    if !machine.pointee.isStalled {
      machine.pointee.isStalled = true
      if machine.pointee.resumedSerial != serial { machine.pointee.backlogNanos = beginNanos }
      stalled.append(machine)
      touch(machine)
    }
    let frameBytes = FrameHeader.byteCount + Int(call.pointee.requestBytes)
    machine.pointee.backlog.append(
      UnsafeRawBufferPointer(start: call.pointee.frame, count: frameBytes))
  }

  @inline(never)
  private func complete(
    _ call: UnsafeMutablePointer<InlineCall>, _ code: StatusCode, responseBytes: Int,
    _ nowNanos: UInt64
  ) {
    let completed = CompletedCall(
      code: code, requestBytes: Int(call.pointee.requestBytes), responseBytes: responseBytes,
      startedNanos: nowNanos, completedNanos: nowNanos, registered: call.pointee.registered,
      context: .passUnretained(call.pointee.connection))
    for hook in completionHooks { hook.completed(completed) }
  }
}
