import Foundation
import TTRPCTestSupport
import Testing

@testable import Reactor

@Suite("A server in a process of its own")
struct ProcessTests {
  @Test("Without descriptors connections are refused, and those that are open are served")
  func outOfDescriptors() async throws {
    try await onThread {
      let server = try EchoProcess(maxDescriptors: 40)
      var clients: [BlockingClient] = []
      // The server has a dozen descriptors of its own.
      while clients.count < 40 {
        let client = try server.connect()
        // A connection that is refused ends, and may be reset before anything was sent.
        guard try client.tryCall(Wire.request(payload: [1])) else { break }
        clients.append(client)
      }
      #expect((15..<40).contains(clients.count))
      for _ in 0..<20 { #expect(try !server.connect().tryCall(Wire.request(payload: [1]))) }
      for client in clients { #expect(try client.tryCall(Wire.request(payload: [1]))) }
      clients.removeLast(5)
      // The server sees their ends before it sees this connection, or soon after.
      while try !server.connect().tryCall(Wire.request(payload: [1])) {}
      #expect(try server.terminate() == 0)
    }.get()
  }

  @Test("SIGTERM lets the call in flight finish, and the process exits with 0")
  func sigterm() async throws {
    try await onThread {
      let server = try EchoProcess()
      let (busy, idle) = (try server.connect(), try server.connect())
      #expect(try idle.tryCall(Wire.request(payload: [1])))
      try busy.send(
        Wire.request(stream: 1, method: "Sleep", payload: [UInt8](repeating: 0, count: 300))
          + Wire.request(stream: 3))
      #expect(try busy.receive().map(\.stream) == [3])
      kill(server.pid, SIGTERM)
      #expect(try idle.receiveUntilClosed() == [])
      #expect(try busy.receiveUntilClosed().map(\.stream) == [1])
      #expect(try server.terminate() == 0)
    }.get()
  }
}

/// Runs `reactor-echo`, which lies beside the tests.
private final class EchoProcess {
  private let process = Process()
  private let port: UInt16

  var pid: pid_t { process.processIdentifier }

  init(maxDescriptors: Int? = nil) throws {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let directory = tests.prefix(through: tests.lastIndex(of: "/")!)
    let limit = maxDescriptors.map { "ulimit -n \($0); " } ?? ""
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "\(limit)exec '\(directory)reactor-echo' 2>/dev/null"]
    process.standardOutput = output
    try process.run()
    var line: [UInt8] = []
    while line.last != UInt8(ascii: "\n"),
      let byte = try output.fileHandleForReading.read(upToCount: 1)
    {
      line += byte
    }
    let text = String(decoding: line.dropLast(), as: UTF8.self)
    guard case .tcp(_, let port) = try ListenAddress(parsing: text) else {
      fatalError("no TCP: \(text)")
    }
    self.port = port
  }

  deinit { if process.isRunning { kill(pid, SIGKILL) } }

  func connect() throws -> BlockingClient { try BlockingClient(port: port) }

  /// Asks it to end; gives its exit code.
  func terminate() throws -> Int32 {
    kill(pid, SIGTERM)
    process.waitUntilExit()
    return process.terminationReason == .exit ? process.terminationStatus : -1
  }
}

extension BlockingClient {
  /// Whether the call was answered; `false`: the connection has ended.
  fileprivate func tryCall(_ request: [UInt8]) throws -> Bool {
    do {
      return try call(request) != nil
    } catch let error as BlockingClient.SocketError where error.description.hasPrefix("send") {
      return false
    }
  }
}
