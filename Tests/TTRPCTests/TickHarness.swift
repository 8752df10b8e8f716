import ProtobufC
import Synchronization
import TTRPCTestSupport

@testable import TTRPC

/// Answers with the request's bytes.
final class EchoHandler: InlineHandler {
  private(set) var executedCount = 0

  func prepare(_ call: inout InlineCall) {}
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    executedCount += 1
    response.respond(call.payload)
  }
}

/// Runs closures in place of a handler's phases.
final class ClosureHandler: InlineHandler {
  var onPrepare: (inout InlineCall) -> Void = { _ in }
  let onExecute: (inout InlineCall, inout ResponseWriter) -> Void

  init(_ onExecute: @escaping (inout InlineCall, inout ResponseWriter) -> Void) {
    self.onExecute = onExecute
  }

  func prepare(_ call: inout InlineCall) { onPrepare(&call) }
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    onExecute(&call, &response)
  }
}

/// Keeps the answers that come from elsewhere until a tick takes them.
final class TestMailbox: AnswerMailbox {
  private let answers = Mutex<[DeferredAnswer]>([])

  func post(_ answer: DeferredAnswer) { answers.withLock { $0.append(answer) } }

  func takeAll() -> [DeferredAnswer] {
    answers.withLock { answers in
      defer { answers = [] }
      return answers
    }
  }
}

/// Drives ticks without sockets. The clock stands still unless a test moves it.
final class TickHarness {
  let loop = ServerLoop(index: 0)
  let mailbox = TestMailbox()
  let tick: ServerTick
  let echo = EchoHandler()
  var nowNanos: UInt64 = 1_000_000_000
  /// What passes between decoding and execution.
  var prepareNanos: UInt64 = 0
  /// Whether peers take their answers.
  var sends = true
  private(set) var peers: [TestPeer] = []

  /// `test.Echo/Echo` is there; `register` adds more.
  init(
    limits: ConnectionLimits = ConnectionLimits(), register: (inout Dispatcher) -> Void = { _ in }
  ) {
    var dispatcher = Dispatcher(loop: loop)
    dispatcher.register(inline: echo, for: .echo)
    register(&dispatcher)
    tick = ServerTick(dispatcher: dispatcher, loop: loop, limits: limits, mailbox: mailbox)
  }

  deinit { for peer in peers { peer.disconnect() } }

  func connect() -> TestPeer {
    let context = ServerConnectionContext(id: UInt64(peers.count + 1), peer: .local)
    let peer = TestPeer(tick, context)
    peers.append(peer)
    return peer
  }

  /// One tick, with these bytes of each peer, in order.
  func run(_ input: [(TestPeer, [UInt8])] = []) {
    // The machine borrows the bytes until the tick ends.
    var borrowed: [UnsafeMutableRawBufferPointer] = []
    defer { for buffer in borrowed { buffer.deallocate() } }
    tick.begin(nowNanos: nowNanos)
    for peer in peers where peer.machine?.pointee.hasBacklog == true {
      if let machine = peer.machine, !tick.isPaused(machine) {
        tick.resume(machine)
      }
    }
    for (peer, bytes) in input {
      guard let machine = peer.machine else { continue }
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
      buffer.copyBytes(from: bytes)
      borrowed.append(buffer)
      tick.receive(UnsafeRawBufferPointer(buffer), on: machine)
    }
    nowNanos += prepareNanos
    tick.execute(nowNanos: nowNanos)
    for answer in mailbox.takeAll() { tick.deliver(answer) }
    tick.expireDeadlines()
    tick.commit()
    while let machine = tick.nextTouched() {
      if sends { peers.first { $0.machine == machine }?.take() }
    }
    tick.end()
  }
}

/// The far end of a machine.
final class TestPeer {
  private let tick: ServerTick
  let context: ServerConnectionContext
  private(set) var machine: UnsafeMutablePointer<ServerConnection>?
  private var received: [UInt8] = []

  init(_ tick: ServerTick, _ context: ServerConnectionContext) {
    self.tick = tick
    self.context = context
    let machine = UnsafeMutablePointer<ServerConnection>.allocate(capacity: 1)
    machine.initialize(to: tick.makeConnection(context))
    tick.attach(machine)
    self.machine = machine
  }

  /// Receives what is unsent, at most `limit` bytes.
  func take(_ limit: Int = .max) {
    guard let machine else { return }
    let unsent = machine.pointee.unsent.prefix(limit)
    received += unsent
    machine.pointee.didSend(unsent.count)
  }

  /// The whole answers that were received and not asked for before.
  func answers() -> [WireAnswer] { WireAnswer.take(from: &received) ?? [] }

  var closeReason: CloseReason? { machine?.pointee.closeReason }
  var hasBacklog: Bool { machine?.pointee.hasBacklog ?? false }
  var unsentBytes: Int { machine?.pointee.unsentBytes ?? 0 }
  var heldBytes: Int { machine?.pointee.heldBytes ?? 0 }
  var unreadBytes: Int { machine?.pointee.unreadBytes ?? 0 }
  var pendingCallCount: Int { machine?.pointee.pendingCallCount ?? 0 }
  var inputCapacity: Int { machine?.pointee.input.capacity ?? 0 }
  var outputCapacity: Int { machine?.pointee.output.capacity ?? 0 }

  func disconnect() {
    guard let machine else { return }
    tick.detach(machine)
    machine.deinitialize(count: 1)
    machine.deallocate()
    self.machine = nil
  }
}

extension TickHarness {
  /// One tick with these bytes of one peer, and what it answers.
  func exchange(_ peer: TestPeer, _ bytes: [UInt8]) -> [WireAnswer] {
    run([(peer, bytes)])
    return peer.answers()
  }
}

extension MethodDescriptor {
  static let echo = MethodDescriptor(service: "test.Echo", name: "Echo")
  static let other = MethodDescriptor(service: "test.Echo", name: "Other")
}
