import Dispatch
import Glibc
import TTRPC

/// A connection that speaks frames, written for these tests alone so that they do not depend on
/// this package's own client. It blocks on a queue of its own, never on Swift's threads.
final class WireConnection: RPCClient, @unchecked Sendable {
  // Sendable: all state is used on `queue` only.
  private let queue = DispatchQueue(label: "wire connection")
  private let socket: Int32
  private var nextStreamID: UInt32 = 1
  private var input: [UInt8] = []

  /// One call of a batch.
  struct Call {
    var method: MethodDescriptor
    var request: [UInt8]
  }

  /// What came back for a call.
  struct Answer: Sendable, Equatable {
    var code: StatusCode
    var message: String
    var payload: [UInt8]
  }

  init(unixPath: String) throws {
    socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(unixPath.utf8)) }
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard connected == 0 else { throw WireError(what: "connect: \(errno)") }
    // A test that hangs fails instead.
    var limit = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(socket) }

  struct WireError: Error { var what: String }

  func unary(
    _ method: MethodDescriptor, _ request: [UInt8], options: CallOptions
  ) async throws(RPCError) -> [UInt8] {
    let answers: [Answer]
    do {
      answers = try await exchange([Call(method: method, request: request)])
    } catch {
      throw RPCError(.unavailable, "\(error)")
    }
    if answers[0].code != .ok { throw RPCError(answers[0].code, answers[0].message) }
    return answers[0].payload
  }

  /// Sends every call in one write, and waits for all answers; they are in the calls' order.
  func exchange(_ calls: [Call]) async throws -> [Answer] {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try self.exchangeBlocking(calls) }) }
    }
  }

  private func exchangeBlocking(_ calls: [Call]) throws -> [Answer] {
    var frames: [UInt8] = []
    var streams: [UInt32] = []
    for call in calls {
      streams.append(nextStreamID)
      frames += Self.frame(call, streamID: nextStreamID)
      nextStreamID += 2
    }
    try writeAll(frames)
    var answers: [UInt32: Answer] = [:]
    while answers.count < calls.count {
      let header = try read(10)
      let length = Self.bigEndian(header[0..<4])
      answers[Self.bigEndian(header[4..<8])] = Self.answer(try read(Int(length)))
    }
    return streams.map { answers[$0]! }
  }

  private func writeAll(_ bytes: [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        send(socket, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { throw WireError(what: "write: \(errno)") }
      offset += count
    }
  }

  private func read(_ count: Int) throws -> [UInt8] {
    var chunk = [UInt8](repeating: 0, count: 256 << 10)
    while input.count < count {
      let received = recv(socket, &chunk, chunk.count, 0)
      if received <= 0 { throw WireError(what: "read: \(received) \(errno)") }
      input += chunk[0..<received]
    }
    defer { input.removeFirst(count) }
    return Array(input[0..<count])
  }
}

// The encoding, by hand.
extension WireConnection {
  static func frame(_ call: Call, streamID: UInt32) -> [UInt8] {
    let data =
      Wire.field(1, Array(call.method.service.utf8)) + Wire.field(2, Array(call.method.name.utf8))
      + Wire.field(3, call.request)
    return Wire.bigEndian(UInt32(data.count)) + Wire.bigEndian(streamID) + [1, 0] + data
  }

  static func bigEndian(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.reduce(0) { $0 << 8 | UInt32($1) }
  }

  static func answer(_ data: [UInt8]) -> Answer {
    var answer = Answer(code: .ok, message: "", payload: [])
    for (number, value) in Wire.fields(data) {
      if number == 2 { answer.payload = value.bytes }
      guard number == 1 else { continue }
      for (number, value) in Wire.fields(value.bytes) {
        if number == 1 { answer.code = StatusCode(rawValue: Int32(value.integer))! }
        if number == 2 { answer.message = String(decoding: value.bytes, as: UTF8.self) }
      }
    }
    return answer
  }
}

/// Protobuf by hand: to write what no message of this API is, and to read answers.
enum Wire {
  static func varint(_ value: UInt64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  static func field(_ number: UInt64, integer: UInt64) -> [UInt8] {
    varint(number << 3) + varint(integer)
  }

  static func bigEndian(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
  }

  /// Varints and length-delimited fields, in order.
  static func fields(_ data: [UInt8]) -> [(UInt64, (integer: UInt64, bytes: [UInt8]))] {
    var found: [(UInt64, (integer: UInt64, bytes: [UInt8]))] = []
    var index = 0
    func next() -> UInt64 {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while true {
        let byte = data[index]
        index += 1
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { return value }
        shift += 7
      }
    }
    while index < data.count {
      let tag = next()
      let value = next()
      if tag & 7 == 0 {
        found.append((tag >> 3, (value, [])))
      } else {
        found.append((tag >> 3, (0, Array(data[index..<index + Int(value)]))))
        index += Int(value)
      }
    }
    return found
  }
}
