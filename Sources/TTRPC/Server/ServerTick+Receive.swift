import ProtobufC

// From bytes to prepared calls.
extension ServerTick {
  /// Takes bytes as they came, split anywhere. They stay in place until `end`.
  /// - Returns: how many frames they completed.
  @discardableResult
  public func receive(
    _ bytes: UnsafeRawBufferPointer, on machine: UnsafeMutablePointer<ServerConnection>
  ) -> Int {
    let before = tickCallCount
    receiveFrames(bytes, machine)
    return tickCallCount &- before
  }

  @inline(__always)
  private func receiveFrames(
    _ bytes: UnsafeRawBufferPointer, _ machine: UnsafeMutablePointer<ServerConnection>
  ) {
    receivedBytes &+= bytes.count
    guard machine.pointee.closeReason == nil, var at = bytes.baseAddress else { return }
    precondition(!machine.pointee.isStalled, "a stalled connection is resumed first")
    var count = bytes.count
    if machine.pointee.skipBytes > 0 {
      let skipped = min(machine.pointee.skipBytes, count)
      machine.pointee.skipBytes -= skipped
      at += skipped
      count -= skipped
    }
    if !machine.pointee.input.isEmpty {
      let used = completeFrame(UnsafeRawBufferPointer(start: at, count: count), machine)
      at += used
      count -= used
    }
    if count > 0 && machine.pointee.closeReason == nil {
      decode(UnsafeRawBufferPointer(start: at, count: count), machine, loop.monotonicNanos)
    }
  }

  /// So much of a backlog is decoded in one tick: of a connection whose calls are exclusive all
  /// but one of them are put back again.
  private static let maxResumedCalls = 64

  /// Decodes what waited while the connection was paused, or the first part of it. Only where
  /// `hasBacklog` holds and `isPaused` does not.
  public func resume(_ machine: UnsafeMutablePointer<ServerConnection>) {
    guard machine.pointee.isStalled else { return }
    machine.pointee.isStalled = false
    let memory = machine.pointee.input.take()
    heldInput.append(memory)
    receivedBytes += memory.count
    machine.pointee.resumedSerial = serial
    decode(
      UnsafeRawBufferPointer(memory), machine, machine.pointee.backlogNanos,
      maxCalls: Self.maxResumedCalls)
  }

  /// Keeps the rest of a backlog for a later tick.
  private func putOff(
    _ rest: UnsafeRawBufferPointer, _ machine: UnsafeMutablePointer<ServerConnection>
  ) {
    machine.pointee.input.append(rest)
    putOff.append(machine)
  }

  /// Adds to the frame that began in earlier bytes; gives how many bytes it took.
  private func completeFrame(
    _ bytes: UnsafeRawBufferPointer, _ machine: UnsafeMutablePointer<ServerConnection>
  ) -> Int {
    var used = 0
    while used < bytes.count {
      let missing = machine.pointee.input.missingBytes
      if missing == 0 { break }
      let step = min(missing, bytes.count - used)
      machine.pointee.input.append(UnsafeRawBufferPointer(rebasing: bytes[used..<used + step]))
      used += step
    }
    guard machine.pointee.input.missingBytes == 0 else { return used }
    let memory = machine.pointee.input.take()
    heldInput.append(memory)
    receivedBytes += memory.count
    decode(UnsafeRawBufferPointer(memory), machine, loop.monotonicNanos)
    let skipped = min(machine.pointee.skipBytes, bytes.count - used)
    machine.pointee.skipBytes -= skipped
    return used + skipped
  }

  /// Makes a call of each frame; keeps what is left of the bytes for later.
  private func decode(
    _ bytes: UnsafeRawBufferPointer, _ machine: UnsafeMutablePointer<ServerConnection>,
    _ receiveNanos: UInt64, maxCalls: Int = .max
  ) {
    guard let base = bytes.baseAddress else { return }
    let first = tickCallCount
    var cursor = FrameCursor(base, count: bytes.count)
    defer { callCount &+= UInt64(tickCallCount &- first) }
    while machine.pointee.closeReason == nil {
      if tickCallCount &- first >= maxCalls { return putOff(cursor.rest, machine) }
      switch cursor.next() {
      case .frame(let header, let frame):
        add(header, frame, machine, receiveNanos)
      case .oversized(let header, let frame):
        addOversized(header, frame, machine)
        let dataBytes = header.dataByteCount
        let skipped = min(dataBytes, cursor.rest.count)
        cursor.skip(skipped)
        machine.pointee.skipBytes = dataBytes - skipped
      case .hopeless:
        return close(machine, .notTTRPC)
      case .incomplete:
        return machine.pointee.input.append(cursor.rest)
      }
    }
  }

  @inline(__always)
  private func add(
    _ header: FrameHeader, _ frame: UnsafeRawPointer,
    _ machine: UnsafeMutablePointer<ServerConnection>, _ receiveNanos: UInt64
  ) {
    guard header.kind == .request, header.streamID & 1 == 1 else {
      return addStray(header, frame, machine)
    }
    guard claimStream(header.streamID, machine) else { return close(machine, .streamInUse) }
    let data = UnsafeRawBufferPointer(
      start: frame + FrameHeader.byteCount, count: header.dataByteCount)
    var envelope = RequestEnvelope()
    guard let registered = read(&envelope, data, machine) else {
      return addUnreadable(header, frame, machine, envelope)
    }
    let call = nextCallSlot()
    call.initialize(
      to: InlineCall(
        payload: envelope.payload,
        deadlineNanos: Self.deadline(envelope.timeoutNanos, receiveNanos),
        machine: machine, frame: frame, registered: registered, refusal: nil,
        metadataFields: envelope.metadataFields, streamID: header.streamID,
        requestBytes: UInt32(truncatingIfNeeded: header.dataByteCount)))
    tickCallCount &+= 1
    guard header.flags.rawValue == 0, envelope.metadataBytes <= limits.maxMetadataBytes else {
      return refuse(call, header, envelope)
    }
    arena.beginCall()
    registered._withUnsafeGuaranteedRef { $0.prepare(call) }
  }

  /// `false`: the stream is in use.
  @inline(__always)
  func claimStream(
    _ streamID: UInt32, _ machine: UnsafeMutablePointer<ServerConnection>
  ) -> Bool {
    guard machine.pointee.pending.isEmpty || machine.pointee.pending[streamID] == nil else {
      return false
    }
    return machine.pointee.streams.insert(streamID, tick: serial) {
      streamsOfTick(machine)
    }
  }

  private func streamsOfTick(_ machine: UnsafeMutablePointer<ServerConnection>) -> Set<UInt32> {
    var streams: Set<UInt32> = []
    for index in 0..<tickCallCount where calls[index].machine == machine {
      streams.insert(calls[index].streamID)
    }
    return streams
  }

  /// Reads the envelope and finds the method. `nil`: one of both did not work; without a service
  /// the envelope is malformed.
  @inline(__always)
  private func read(
    _ envelope: inout RequestEnvelope, _ data: UnsafeRawBufferPointer,
    _ machine: UnsafeMutablePointer<ServerConnection>
  ) -> Unmanaged<RegisteredMethod>? {
    let prefix = machine.pointee.lastPrefix
    if prefix.count > 0, data.begins(with: prefix), let last = machine.pointee.lastMethod {
      if envelope.read(data, from: prefix.count) && !envelope.hasNames { return last }
      envelope = RequestEnvelope()
    }
    return readAndFind(&envelope, data, machine)
  }

  @inline(never)
  private func readAndFind(
    _ envelope: inout RequestEnvelope, _ data: UnsafeRawBufferPointer,
    _ machine: UnsafeMutablePointer<ServerConnection>
  ) -> Unmanaged<RegisteredMethod>? {
    guard envelope.read(data, from: 0) else {
      envelope.isMalformed = true
      return nil
    }
    guard let method = methods.find(envelope.service, envelope.method) else { return nil }
    machine.pointee.lastMethod = method
    machine.pointee.lastPrefix = method._withUnsafeGuaranteedRef(\.envelopePrefix)
    return method
  }

  /// A timeout of 0 is none; a negative one has passed.
  @inline(__always)
  private static func deadline(_ timeoutNanos: Int64, _ nowNanos: UInt64) -> UInt64 {
    if timeoutNanos == 0 { return .max }
    if timeoutNanos < 0 { return 0 }
    let (sum, overflow) = nowNanos.addingReportingOverflow(UInt64(timeoutNanos))
    return overflow ? .max : sum
  }
}
