import Foundation
import Glibc
import ProtobufC
import TTRPC

/// A client that knows of ttrpc only what its specification says: frames and envelopes written by
/// hand over a blocking socket. It shares no code with the server.
final class WireClient {
  struct Reply {
    var streamID: UInt32
    var code: StatusCode
    var message: String
    var payload: [UInt8]
  }

  struct Closed: Error {}

  private let socket: Int32
  private var nextStreamID: UInt32 = 1

  /// Connects to `tcp://127.0.0.1:PORT` or `unix:///PATH`.
  init(_ address: String) throws {
    if address.hasPrefix("unix://") {
      socket = try Self.connectUnix(String(address.dropFirst("unix://".count)))
    } else {
      let port = UInt16(address.split(separator: ":").last ?? "") ?? 0
      socket = try Self.connectLoopback(port: port)
    }
    // A test that waits for an answer that does not come fails instead of hanging.
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(socket) }

  /// Calls one method and waits for its answer.
  func call<Request: Message, Response: Message>(
    _ method: Method<Request, Response>, _ request: Request, token: String? = nil,
    authorization: String? = nil
  ) throws -> (code: StatusCode, response: Response?) {
    let streamID = try send(
      method.descriptor, try request.encoded(),
      authorization: authorization ?? token.map { "Bearer \($0)" })
    let reply = try receive()
    guard reply.streamID == streamID else { throw Closed() }
    return (reply.code, reply.code == .ok ? try Response(decoding: reply.payload) : nil)
  }

  /// Sends one request without waiting.
  @discardableResult
  func send(
    _ method: MethodDescriptor, _ payload: [UInt8], authorization: String? = nil
  ) throws -> UInt32 {
    try send([(method, payload, authorization)])[0]
  }

  /// Sends several requests with one write, so that they may meet in one tick of the server.
  @discardableResult
  func send(
    _ calls: [(method: MethodDescriptor, payload: [UInt8], authorization: String?)]
  ) throws -> [UInt32] {
    var bytes: [UInt8] = []
    var streamIDs: [UInt32] = []
    for call in calls {
      var data = Self.field(1, Array(call.method.service.utf8))
      data += Self.field(2, Array(call.method.name.utf8))
      data += Self.field(3, call.payload)
      if let authorization = call.authorization {
        data += Self.field(
          5,
          Self.field(1, Array("authorization".utf8)) + Self.field(2, Array(authorization.utf8)))
      }
      bytes += Self.bigEndian(UInt32(data.count)) + Self.bigEndian(nextStreamID) + [1, 0] + data
      streamIDs.append(nextStreamID)
      nextStreamID += 2
    }
    try write(bytes)
    return streamIDs
  }

  /// Waits for the next answer.
  func receive() throws -> Reply {
    let header = try read(10)
    let count = header[0..<4].reduce(0) { $0 << 8 | Int($1) }
    let streamID = header[4..<8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    var reply = Reply(streamID: streamID, code: .ok, message: "", payload: [])
    for (number, value) in try Self.fields(try read(count)) {
      guard case .bytes(let bytes) = value else { continue }
      if number == 2 { reply.payload = bytes }
      if number == 1 {
        for (number, value) in try Self.fields(bytes) {
          switch (number, value) {
          case (1, .varint(let code)): reply.code = StatusCode(rawValue: Int32(code)) ?? .unknown
          case (2, .bytes(let text)): reply.message = String(decoding: text, as: UTF8.self)
          default: continue
          }
        }
      }
    }
    return reply
  }

  /// Whether the server closes the connection before it sends anything more.
  func isClosedByPeer() -> Bool {
    var byte: UInt8 = 0
    return recv(socket, &byte, 1, 0) == 0
  }

  private func write(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Closed() }
      sent += count
    }
  }

  private func read(_ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var got = 0
    while got < count {
      let more = bytes.withUnsafeMutableBytes {
        recv(socket, $0.baseAddress! + got, count - got, 0)
      }
      guard more > 0 else { throw Closed() }
      got += more
    }
    return bytes
  }

  // MARK: Protobuf

  private enum Value {
    case varint(UInt64)
    case bytes([UInt8])
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    var value = value
    var bytes: [UInt8] = []
    while value > 0x7F {
      bytes.append(UInt8(value & 0x7F) | 0x80)
      value >>= 7
    }
    return bytes + [UInt8(value)]
  }

  private static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  private static func fields(_ bytes: [UInt8]) throws -> [(Int, Value)] {
    var rest = bytes[...]
    func number() throws -> UInt64 {
      var value: UInt64 = 0
      var shift = 0
      while let byte = rest.popFirst() {
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { return value }
        shift += 7
      }
      throw Closed()
    }
    var result: [(Int, Value)] = []
    while !rest.isEmpty {
      let tag = try number()
      switch tag & 7 {
      case 0: result.append((Int(tag >> 3), .varint(try number())))
      case 2:
        let count = Int(try number())
        guard count <= rest.count else { throw Closed() }
        result.append((Int(tag >> 3), .bytes(Array(rest.prefix(count)))))
        rest = rest.dropFirst(count)
      default: throw Closed()
      }
    }
    return result
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian, Array.init)
  }

  // MARK: Sockets

  private static func connectLoopback(port: UInt16) throws -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return try connect(AF_INET, address)
  }

  private static func connectUnix(_ path: String) throws -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return try connect(AF_UNIX, address)
  }

  private static func connect(_ family: Int32, _ address: some Any) throws -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let socket = Glibc.socket(family, type, 0)
    let code = withUnsafeBytes(of: address) {
      Glibc.connect(
        socket, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
    }
    guard code == 0 else {
      close(socket)
      throw Closed()
    }
    return socket
  }
}
