import ProtobufC

#if canImport(Glibc)
  import Glibc
#endif

/// The work of one event loop on the frames of all its connections, in ticks. It does no I/O: a
/// driver receives bytes and sends answers. Confined to the loop's thread.
///
/// A tick is `begin`, then any number of `receive`, `resume` and `deliver`, then `execute`, again
/// any number of `deliver`, then `commit`, after which the driver sends what `nextTouched` names,
/// then `end`.
///
/// 1. What was received, and what was decoded from it, stays in place until `end`.
/// 2. The calls of a tick are executed in the order in which they were received.
/// 3. Answers leave after `commit`, which runs the dispatcher's `endOfTick`.
/// 4. While a connection has an exclusive call in flight, none of its later calls is executed.
/// 5. `inFlightCount` is the sum of the connections' pending calls.
public final class ServerTick {
  /// What handlers were lent.
  public let loop: ServerLoop
  /// What each connection may ask for.
  public let limits: ConnectionLimits
  /// Whether new calls are refused with UNAVAILABLE.
  public var isDraining = false
  /// Calls received since the start, refused ones included.
  public internal(set) var callCount: UInt64 = 0
  /// Calls that were started and not answered, or whose answers are held back beyond their tick, of
  /// all connections.
  public internal(set) var inFlightCount = 0

  let arena: Arena
  let mailbox: any AnswerMailbox
  let methods: MethodTable
  let endOfTick: ((TickSummary) -> Void)?
  let gate: (any AnswerGate)?
  private let callsPerTick: Int
  let interceptors: Unmanaged<InterceptorLink>?
  let completionHooks: [any ServerInterceptor]
  let blocks: UnsafeMutablePointer<OutputBlocks>

  var calls: UnsafeMutablePointer<InlineCall>
  var callCapacity = 1024
  var tickCallCount = 0
  var receivedBytes = 0
  var isExecuted = true
  var beginNanos: UInt64 = 0
  var serial: UInt64 = 0
  var deferredSerial: UInt64 = 0
  var heldInput: [UnsafeMutableRawBufferPointer] = []
  var stalled: [UnsafeMutablePointer<ServerConnection>] = []
  /// Connections of whose backlog this tick took a part only.
  var putOff: [UnsafeMutablePointer<ServerConnection>] = []
  var touched: [UnsafeMutablePointer<ServerConnection>] = []
  var connections: [UInt64: UnsafeMutablePointer<ServerConnection>] = [:]
  var deadlines = DeadlineQueue()
  /// The gate's, as of this phase of the tick; without a gate every mark is open.
  var openMark: Int64
  var held = HeldAnswers()
  /// Whether the gate is to be asked for refusals in this tick, and when it is without being woken.
  var isGateAskDue = false
  var gateAskNanos: UInt64 = 0
  /// Calls of this tick that were put back, or whose connection was abandoned.
  var skippedCallCount = 0

  /// - Parameters:
  ///   - dispatcher: made for `loop`.
  ///   - mailbox: takes the answers that handlers give later back to the driver.
  public init(
    dispatcher: Dispatcher, loop: ServerLoop, limits: ConnectionLimits = ConnectionLimits(),
    mailbox: any AnswerMailbox
  ) {
    self.loop = loop
    self.limits = limits
    self.mailbox = mailbox
    arena = loop.arena
    methods = MethodTable(Array(dispatcher.methods.values))
    endOfTick = dispatcher.endOfTick
    gate = dispatcher.gate
    callsPerTick = dispatcher.callsPerTick
    openMark = dispatcher.gate == nil ? .max : .min
    interceptors = InterceptorLink(dispatcher.interceptors[...]).map { .passRetained($0) }
    completionHooks = dispatcher.interceptors.filter(\.wantsCompletions)
    calls = .allocate(capacity: callCapacity)
    blocks = .allocate(capacity: 1)
    blocks.initialize(to: OutputBlocks())
  }

  deinit {
    precondition(connections.isEmpty, "a connection outlives its loop")
    interceptors?.release()
    calls.deallocate()
    blocks.deinitialize(count: 1)
    blocks.deallocate()
  }

  // MARK: Connections

  /// A new connection, which the driver puts at an address and attaches.
  public func makeConnection(_ context: ServerConnectionContext) -> ServerConnection {
    ServerConnection(context, blocks: blocks)
  }

  /// From now on the connection takes part. Its memory stays where it is until `detach`.
  public func attach(_ machine: UnsafeMutablePointer<ServerConnection>) {
    let previous = connections.updateValue(machine, forKey: machine.pointee.context.id)
    precondition(previous == nil, "two connections with one ID")
  }

  /// Ends the connection's part: calls in flight are cancelled, their answers dropped. Between
  /// `commit` and the next `begin` only.
  public func detach(_ machine: UnsafeMutablePointer<ServerConnection>) {
    precondition(isExecuted, "calls of this tick are not executed yet")
    connections[machine.pointee.context.id] = nil
    machine.pointee.abandon(.peerClosed)
    let pending = machine.pointee.pending
    machine.pointee.pending = [:]
    machine.pointee.exclusiveSerial = 0
    inFlightCount -= pending.count
    for call in pending.values {
      giveUp(call, machine)
      complete(call, .cancelled, responseBytes: 0, machine)
    }
    if machine.pointee.isTouched { touched.removeAll { $0 == machine } }
  }

  /// Nothing more is received from the connection. Its calls of this tick are executed and
  /// answered; then it is to be closed.
  public func close(
    _ machine: UnsafeMutablePointer<ServerConnection>, _ reason: CloseReason
  ) {
    machine.pointee.close(reason)
    touch(machine)
  }

  /// The connection is to be closed, and its calls of this tick are not executed.
  public func abandon(
    _ machine: UnsafeMutablePointer<ServerConnection>, _ reason: CloseReason
  ) {
    machine.pointee.abandon(reason)
    touch(machine)
  }

  // MARK: The tick

  /// Whether enough was received: the driver executes before it receives or resumes more. So a
  /// tick holds at most one large frame, and what was decoded from it, beyond its limits.
  @inline(__always)
  public var isFull: Bool {
    tickCallCount >= callsPerTick || receivedBytes >= Self.maxBytesPerTick
      || arena.usedBytes >= Self.maxArenaBytesPerTick
  }

  /// Whether the connection's calls wait: until its peer has read or the gate has opened, or until
  /// its exclusive call has ended. A server that drains refuses them, so that they need not wait
  /// for a call.
  @inline(__always)
  public func isPaused(_ machine: UnsafeMutablePointer<ServerConnection>) -> Bool {
    machine.pointee.unreadBytes >= limits.pauseBytes
      || machine.pointee.exclusiveSerial != 0 && !isDraining
  }

  static let maxBytesPerTick = 256 << 10
  /// What the arena keeps from tick to tick.
  static let maxArenaBytesPerTick = 1 << 20

  /// Begins a tick.
  /// - Parameter nowNanos: CLOCK_MONOTONIC; what timeouts count from.
  public func begin(nowNanos: UInt64) {
    loop.monotonicNanos = nowNanos
    beginNanos = nowNanos
    serial &+= 1
    isExecuted = false
  }

  /// Ends the execution phase: runs the dispatcher's `endOfTick`, if there is anything to send, and
  /// lets the held answers go that may leave.
  public func commit() {
    isExecuted = true
    if let endOfTick, tickCallCount > 0 || !touched.isEmpty { endOfTick(summary()) }
    if !held.isEmpty { settleHeld() }
    isGateAskDue = false
    if !putOff.isEmpty { keepPutOff() }
    guard !stalled.isEmpty else { return }
    for machine in stalled { machine.pointee.keepBacklog() }
    stalled.removeAll()
  }

  @inline(never)
  private func keepPutOff() {
    for machine in putOff where machine.pointee.closeReason == nil {
      machine.pointee.isStalled = true
      touch(machine)
    }
    putOff.removeAll()
  }

  /// A connection that has something to send or is to be closed, each once a tick.
  @inline(__always)
  public func nextTouched() -> UnsafeMutablePointer<ServerConnection>? {
    guard let machine = touched.popLast() else { return nil }
    machine.pointee.isTouched = false
    return machine
  }

  /// Ends the tick: what was received may be overwritten.
  public func end() {
    tickCallCount = 0
    skippedCallCount = 0
    receivedBytes = 0
    arena.reset()
    guard !heldInput.isEmpty else { return }
    for memory in heldInput { free(memory.baseAddress) }
    heldInput.removeAll()
  }

  /// Lets the driver have the connection as `nextTouched`, though it has no new answers.
  @inline(__always)
  public func touch(_ machine: UnsafeMutablePointer<ServerConnection>) {
    guard !machine.pointee.isTouched else { return }
    machine.pointee.isTouched = true
    touched.append(machine)
  }

  @inline(__always)
  func nextCallSlot() -> UnsafeMutablePointer<InlineCall> {
    if tickCallCount == callCapacity { growCalls() }
    return calls + tickCallCount
  }

  @inline(never)
  private func growCalls() {
    let grown = UnsafeMutablePointer<InlineCall>.allocate(capacity: callCapacity * 2)
    grown.moveInitialize(from: calls, count: tickCallCount)
    calls.deallocate()
    calls = grown
    callCapacity *= 2
  }
}
