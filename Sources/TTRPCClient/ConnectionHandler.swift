import NIOCore
import TTRPC

/// One connection in its channel's pipeline: carries bytes between the socket and the machine.
/// Confined to the event loop.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  /// Its number among the client's connections.
  let number: Int
  private(set) var channel: (any Channel)?
  /// Whether calls may be sent: the handshake's request is there, if there is one.
  var isReady = false
  private var machine: ClientConnectionMachine
  private var output = ByteBufferSink()
  private var answers: [ClientAnswer] = []
  private var failure: String?
  /// The two hold each other until the channel is closed.
  private let core: ClientCore

  /// What is written to the channel at once, in bytes, before its writability is asked again.
  private static let maxBatchBytes = 1 << 20

  init(number: Int, limits: ClientConnectionMachine.Limits, core: ClientCore) {
    self.number = number
    self.machine = ClientConnectionMachine(limits: limits)
    self.core = core
  }

  var callCount: Int { machine.callCount }
  var isUsedUp: Bool { machine.isUsedUp }

  /// Whether a call may be sent now. What was sent goes out where that is needed to say so, in
  /// the course of which the connection may end.
  func canSend() -> Bool {
    if output.buffer.readableBytes >= Self.maxBatchBytes { flush() }
    guard isReady, machine.canSend, let channel else { return false }
    return channel.isWritable
  }

  /// - Returns: the stream that carries the call.
  func send(_ waiting: CallTable<CallTicket>.Waiting, nowNanos: UInt64) -> UInt32 {
    let timeout = waiting.deadline.map { deadline in
      Int64(clamping: deadline > nowNanos ? deadline - nowNanos : 1)
    }
    return machine.send(waiting.request, call: waiting.id, timeoutNanos: timeout, into: &output)
  }

  func flush() {
    guard output.buffer.readableBytes > 0, let channel else { return }
    channel.writeAndFlush(output.take(), promise: nil)
  }

  func abandon(_ streamID: UInt32) { machine.abandon(streamID) }

  /// The connection is over.
  /// - Returns: the calls that were in flight.
  func takeCallsInFlight() -> [CallID] { machine.close() }

  /// Closes the socket; the core hears of it as of any loss, with the first reason that was given.
  func close(_ reason: String) {
    if failure == nil { failure = reason }
    channel?.close(promise: nil)
  }

  // MARK: What the channel says

  func handlerAdded(context: ChannelHandlerContext) { channel = context.channel }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    let failure = buffer.withUnsafeReadableBytes { machine.receive($0, answers: &answers) }
    core.answered(&answers, on: self)
    if let failure { close(failure.message) }
  }

  func channelReadComplete(context: ChannelHandlerContext) { core.proceed() }

  func channelWritabilityChanged(context: ChannelHandlerContext) { core.proceed() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    close(ConnectError.describe(error))
  }

  func channelInactive(context: ChannelHandlerContext) {
    let reason = machine.isInsideFrame ? "the server closed it in the middle of a frame" : nil
    core.lost(self, reason: failure ?? reason ?? "the server closed it")
    channel = nil
  }
}

/// Collects one batch of frames.
private struct ByteBufferSink: ByteSink {
  private(set) var buffer = ByteBuffer()

  mutating func append(_ bytes: UnsafeRawBufferPointer) { buffer.writeBytes(bytes) }

  /// The batch, to be written. The next one will probably be as large.
  mutating func take() -> ByteBuffer {
    let batch = buffer
    let capacity = min(max(batch.readableBytes, 512), 64 << 10)
    buffer = ByteBufferAllocator().buffer(capacity: capacity)
    return batch
  }
}
