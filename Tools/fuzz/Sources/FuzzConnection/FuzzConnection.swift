import Synchronization
import TTRPC

/// Feeds a connection machine with the input's bytes, split as the input says, and checks what it
/// answers. The first byte chooses how: its low bits the sizes of the pieces, its high bits
/// whether the peer reads.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConnection(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let start, count > 1 else { return 0 }
  let input = UnsafeRawBufferPointer(start: start, count: count)
  var session = FuzzSession(choice: input[0])
  session.run(UnsafeRawBufferPointer(rebasing: input[1...]))
  session.end()
  return 0
}

/// One connection from its first byte to its end.
private struct FuzzSession {
  private static let maxUnreadBytes = 1 << 16

  private let mailbox = FuzzMailbox()
  private let tick: ServerTick
  private let machine: UnsafeMutablePointer<ServerConnection>
  private let pieceBytes: Int
  private let reads: Bool
  private var answers: [UInt8] = []
  private var nowNanos: UInt64 = 1

  init(choice: UInt8) {
    pieceBytes = [1, 2, 7, 10, 11, 64, 4096, .max][Int(choice & 7)]
    reads = choice & 8 == 0
    let loop = ServerLoop(index: 0)
    var dispatcher = Dispatcher(loop: loop)
    dispatcher.register(
      inline: EchoHandler(), for: MethodDescriptor(service: "s", name: "echo"))
    dispatcher.register(
      inline: LaterHandler(), for: MethodDescriptor(service: "s", name: "later"))
    var limits = ConnectionLimits()
    limits.maxUnreadBytes = Self.maxUnreadBytes
    limits.maxCallsPerConnection = 4
    tick = ServerTick(dispatcher: dispatcher, loop: loop, limits: limits, mailbox: mailbox)
    machine = .allocate(capacity: 1)
    machine.initialize(to: tick.makeConnection(ServerConnectionContext(id: 1, peer: .local)))
    tick.attach(machine)
  }

  mutating func run(_ input: UnsafeRawBufferPointer) {
    var offset = 0
    while offset < input.count && machine.pointee.closeReason == nil {
      let step = min(pieceBytes, input.count - offset)
      let piece = UnsafeRawBufferPointer(rebasing: input[offset..<offset + step])
      // A stalled connection is not read from, as a driver would not.
      if machine.pointee.hasBacklog && !reads { return }
      turn(piece)
      offset += step
    }
  }

  private mutating func turn(_ piece: UnsafeRawBufferPointer) {
    nowNanos += 1_000_000
    tick.begin(nowNanos: nowNanos)
    if machine.pointee.hasBacklog {
      tick.resume(machine)
      finishTurn()
      nowNanos += 1
      tick.begin(nowNanos: nowNanos)
    }
    if machine.pointee.hasBacklog {
      finishTurn()
      return
    }
    tick.receive(piece, on: machine)
    finishTurn()
  }

  private mutating func finishTurn() {
    tick.execute(nowNanos: nowNanos)
    for answer in mailbox.take() { tick.deliver(answer) }
    tick.expireDeadlines()
    tick.commit()
    while tick.nextTouched() != nil { send() }
    tick.end()
  }

  private mutating func send() {
    guard reads else {
      precondition(machine.pointee.unsentBytes <= 2 * Self.maxUnreadBytes, "unread answers pile up")
      return
    }
    let unsent = machine.pointee.unsent
    answers.append(contentsOf: unsent)
    machine.pointee.didSend(unsent.count)
  }

  /// Everything that was answered is whole frames; nothing is left behind.
  func end() {
    tick.detach(machine)
    precondition(tick.inFlightCount == 0, "calls are left over")
    machine.deinitialize(count: 1)
    machine.deallocate()
    answers.withUnsafeBytes { bytes in
      var offset = 0
      while offset < bytes.count {
        precondition(bytes.count - offset >= FrameHeader.byteCount, "half a header was sent")
        let header = FrameHeader(decoding: UnsafeRawBufferPointer(rebasing: bytes[offset...]))
        precondition(header.kind == .response, "a server sent something else than a response")
        offset += FrameHeader.byteCount + header.dataByteCount
      }
      precondition(offset == bytes.count, "half a frame was sent")
    }
  }
}

/// Answers with the request.
private final class EchoHandler: InlineHandler {
  func prepare(_ call: inout InlineCall) {
    if call.payload.count == 13 { call.refuse(.invalidArgument, "thirteen") }
  }

  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    response.respond(call.payload)
  }
}

/// Answers with the request later, or never where it is empty.
private final class LaterHandler: InlineHandler {
  private var kept: [DeferredResponse] = []

  func prepare(_ call: inout InlineCall) {}

  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let deferred = response.deferred()
    if call.payload.isEmpty {
      kept.append(deferred)
    } else {
      deferred.respond([UInt8](call.payload))
    }
  }
}

private final class FuzzMailbox: AnswerMailbox {
  private let answers = Mutex<[DeferredAnswer]>([])

  func post(_ answer: DeferredAnswer) { answers.withLock { $0.append(answer) } }

  func take() -> [DeferredAnswer] {
    answers.withLock { answers in
      defer { answers = [] }
      return answers
    }
  }
}
