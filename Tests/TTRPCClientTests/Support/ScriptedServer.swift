import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TTRPC
import TTRPCClient

/// A server that does what a test says with each request: answers, lies, falls silent or hangs up.
final class ScriptedServer: Sendable {
  typealias Script = @Sendable (Wire.Request, Peer) -> Void

  /// One accepted connection. Usable from any thread.
  struct Peer: Sendable {
    let number: Int
    let channel: any Channel

    func send(_ bytes: [UInt8]) {
      channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }
    func answer(_ request: Wire.Request, _ payload: [UInt8]? = nil) {
      send(Wire.response(payload ?? request.payload, streamID: request.streamID))
    }
    func fail(_ request: Wire.Request, _ code: StatusCode, _ message: String = "") {
      send(Wire.status(code.rawValue, message, streamID: request.streamID))
    }
    func close() { channel.close(promise: nil) }
  }

  let endpoint: Endpoint
  private let listener: any Channel
  private let peers: NIOLockedValueBox<[Peer]>

  /// Listens on a free port of the loopback address, or at `endpoint`.
  /// - Parameter onAccept: is told of each connection before it is read.
  init(
    at endpoint: Endpoint? = nil, onAccept: @escaping @Sendable (Peer) -> Void = { _ in },
    script: @escaping Script
  ) async throws {
    let peers = NIOLockedValueBox<[Peer]>([])
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let peer = peers.withLockedValue { peers in
            peers.append(Peer(number: peers.count, channel: channel))
            return peers[peers.count - 1]
          }
          try channel.pipeline.syncOperations.addHandler(
            RequestReader(peer: peer, script: script))
          onAccept(peer)
        }
      }
    switch endpoint {
    case .unix(let path):
      listener = try await bootstrap.bind(unixDomainSocketPath: path).get()
      self.endpoint = .unix(path: path)
    case .tcp(let host, let port):
      listener = try await bootstrap.bind(host: host, port: port).get()
      self.endpoint = .tcp(host: host, port: port)
    case nil:
      listener = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
      self.endpoint = .tcp(host: "127.0.0.1", port: listener.localAddress?.port ?? 0)
    }
    self.peers = peers
  }

  var connectionCount: Int { peers.withLockedValue(\.count) }

  /// Stops listening and closes every connection.
  func stop() async {
    try? await listener.close().get()
    for peer in peers.withLockedValue({ $0 }) { try? await peer.channel.close().get() }
  }
}

private final class RequestReader: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let peer: ScriptedServer.Peer
  private let script: ScriptedServer.Script
  private var bytes: [UInt8] = []

  init(peer: ScriptedServer.Peer, script: @escaping ScriptedServer.Script) {
    self.peer = peer
    self.script = script
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    bytes += unwrapInboundIn(data).readableBytesView
    for request in Wire.takeRequests(&bytes) { script(request, peer) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
