// Calls that are answered later.
extension ServerTick {
  /// Notes a call that a handler will answer later.
  func `defer`(
    _ call: UnsafeMutablePointer<InlineCall>, isExclusive: Bool
  ) -> DeferredResponse {
    let machine = call.pointee.machine
    let state = DeferredState()
    deferredSerial &+= 1
    let pending = PendingCall(
      state: state, serial: deferredSerial, registered: call.pointee.registered,
      requestBytes: call.pointee.requestBytes, startedNanos: loop.monotonicNanos)
    let address = addPending(
      pending, machine, call.pointee.streamID, deadlineNanos: call.pointee.deadlineNanos)
    if isExclusive { machine.pointee.exclusiveSerial = deferredSerial }
    return DeferredResponse(address, mailbox, state)
  }

  /// From now on the call is in flight.
  @discardableResult
  func addPending(
    _ call: PendingCall, _ machine: UnsafeMutablePointer<ServerConnection>, _ streamID: UInt32,
    deadlineNanos: UInt64
  ) -> CallAddress {
    let address = CallAddress(
      connectionID: machine.pointee.context.id, streamID: streamID, serial: call.serial)
    machine.pointee.pending[streamID] = call
    inFlightCount += 1
    if deadlineNanos != .max {
      let entry = DeadlineQueue.Entry(deadlineNanos: deadlineNanos, address: address)
      deadlines.insert(entry) { pendingCall($0) != nil }
    }
    return address
  }

  /// Writes an answer that came from elsewhere; one that nobody waits for is dropped. Unlike a call
  /// that is still to be executed it cannot wait until the peer has read: where it has no room,
  /// its call alone fails.
  public func deliver(_ answer: DeferredAnswer) {
    guard let machine = takePending(answer.address) else { return }
    let (machinePointer, call) = machine
    let before = machinePointer.pointee.output.unsentBytes
    var result = answer.result
    if case .success(let message) = result, before + message.count > limits.deferredBytes {
      result = .failure(.tooMuchUnread(before))
    }
    let code = machinePointer.pointee.write(result, streamID: answer.address.streamID)
    finish(machinePointer, call, code, before)
  }

  /// Answers the calls in flight whose time is up with DEADLINE_EXCEEDED, and cancels them.
  public func expireDeadlines() {
    while let address = deadlines.removeFirst(until: loop.monotonicNanos) {
      guard let (machine, call) = takePending(address) else { continue }
      giveUp(call, machine)
      let before = machine.pointee.output.unsentBytes
      StatusFrame.append(.deadlinePassed, streamID: address.streamID, to: &machine.pointee.output)
      finish(machine, call, .deadlineExceeded, before)
    }
  }

  private func pendingCall(
    _ address: CallAddress
  ) -> (UnsafeMutablePointer<ServerConnection>, PendingCall)? {
    guard let machine = connections[address.connectionID],
      let call = machine.pointee.pending[address.streamID], call.serial == address.serial
    else { return nil }
    return (machine, call)
  }

  private func takePending(
    _ address: CallAddress
  ) -> (UnsafeMutablePointer<ServerConnection>, PendingCall)? {
    guard let found = pendingCall(address) else { return nil }
    found.0.pointee.pending[address.streamID] = nil
    found.0.pointee.endExclusive(found.1)
    inFlightCount -= 1
    return found
  }

  private func finish(
    _ machine: UnsafeMutablePointer<ServerConnection>, _ call: PendingCall, _ code: StatusCode,
    _ unsentBefore: Int
  ) {
    touch(machine)
    complete(
      call, code, responseBytes: machine.pointee.output.unsentBytes - unsentBefore, machine)
  }

  /// Tells the hooks of the end of a call that was deferred or held back.
  func complete(
    _ call: PendingCall, _ code: StatusCode, responseBytes: Int,
    _ machine: UnsafeMutablePointer<ServerConnection>
  ) {
    guard !completionHooks.isEmpty else { return }
    let completed = CompletedCall(
      code: code, requestBytes: Int(call.requestBytes), responseBytes: responseBytes,
      startedNanos: call.startedNanos, completedNanos: loop.monotonicNanos,
      registered: call.registered, context: .passUnretained(machine.pointee.context))
    for hook in completionHooks { hook.completed(completed) }
  }
}

extension ServerConnection {
  /// Writes an answer; gives its code.
  mutating func write(_ result: Result<[UInt8], RPCError>, streamID: UInt32) -> StatusCode {
    switch result {
    case .success(let message) where message.count <= ResponseWriter.maxMessageBytes:
      message.withUnsafeBytes { ResponseFrame.append($0, streamID: streamID, to: &output) }
      return .ok
    case .success(let message):
      StatusFrame.append(
        .responseTooLarge(bytes: message.count), streamID: streamID, to: &output)
      return .resourceExhausted
    case .failure(let error):
      StatusFrame.append(error, streamID: streamID, to: &output)
      return error.code
    }
  }

  /// The call is not in flight any more: where it was exclusive, the others may go on.
  mutating func endExclusive(_ call: PendingCall) {
    if exclusiveSerial == call.serial { exclusiveSerial = 0 }
  }

  /// After a tick: what was put back comes before what was left over.
  mutating func keepBacklog() {
    guard isStalled else { return }
    backlog.append(input.bytes)
    input.removeAll()
    swap(&input, &backlog)
  }
}
