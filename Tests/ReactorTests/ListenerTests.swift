import Glibc
import TTRPC
import TTRPCTestSupport
import Testing

@testable import Reactor

@Suite("Listeners")
struct ListenerTests {
  @Test(
    "An address is read, and reads the same when it is printed",
    arguments: [
      ("tcp://127.0.0.1:7667", ListenAddress.tcp(host: "127.0.0.1", port: 7667)),
      ("tcp://[::1]:0", .tcp(host: "::1", port: 0)),
      ("tcp://localhost:65535", .tcp(host: "localhost", port: 65535)),
      ("unix:///run/roost.sock", .unix(path: "/run/roost.sock")),
    ])
  func parses(text: String, address: ListenAddress) throws {
    #expect(try ListenAddress(parsing: text) == address)
    #expect(address.description == text)
  }

  @Test(
    "What is no address says so",
    arguments: [
      "", "127.0.0.1:7667", "tcp://", "tcp://127.0.0.1", "tcp://:1", "tcp://h:65536", "tcp://h:-1",
      "tcp://h:", "tcp://::1:7", "tcp://[]:7", "unix://", "unix://relative", "http://h:1",
      "unix:///" + String(repeating: "x", count: 107),
    ])
  func rejects(text: String) {
    #expect(throws: ListenAddress.ParseError.self) { try ListenAddress(parsing: text) }
  }

  @Test(
    "Only addresses of this machine count as loopback",
    arguments: [
      ("tcp://127.0.0.1:1", true), ("tcp://127.9.9.9:1", true), ("tcp://[::1]:1", true),
      ("tcp://localhost:1", true), ("unix:///s", true), ("tcp://0.0.0.0:1", false),
      ("tcp://[::]:1", false), ("tcp://10.0.0.1:1", false), ("tcp://127.example.com:1", false),
    ])
  func loopback(text: String, isLoopback: Bool) throws {
    #expect(try ListenAddress(parsing: text).isLoopback == isLoopback)
  }

  @Test("The kernel's choice of a port is told, and a port in use is an error that names it")
  func ports() throws {
    let first = try SocketListener(.tcp(host: "127.0.0.1", port: 0))
    guard case .tcp(_, let port) = first.address else { return }
    #expect(port != 0)
    let error = #expect(throws: BindError.self) {
      try SocketListener(.tcp(host: "127.0.0.1", port: port))
    }
    #expect(error?.description.contains("tcp://127.0.0.1:\(port)") == true)
  }

  @Test("A Unix socket's file goes with its server")
  func unlinks() throws {
    let path = try makeDirectory() + "/s"
    var listener: SocketListener? = try SocketListener(.unix(path: path))
    #expect(access(path, F_OK) == 0)
    listener = nil
    _ = listener
    #expect(access(path, F_OK) != 0)
    rmdir(String(path.dropLast(2)))
  }

  @Test("A socket that nobody listens on any more is replaced")
  func replacesStale() throws {
    let path = try makeDirectory() + "/s"
    let old = try SocketListener(.unix(path: path))
    // As a crash leaves it: closed, and the file still there.
    shutdown(old.descriptor, Int32(SHUT_RDWR))
    let new = try SocketListener(.unix(path: path))
    _ = try BlockingClient(unixPath: path)
    withExtendedLifetime(old) {}
    withExtendedLifetime(new) {}
  }

  @Test("A socket that somebody listens on, and a file that is no socket, are left alone")
  func refusesTaken() throws {
    let path = try makeDirectory() + "/s"
    let listener = try SocketListener(.unix(path: path))
    #expect(throws: BindError.self) { try SocketListener(.unix(path: path)) }
    _ = try BlockingClient(unixPath: path)
    withExtendedLifetime(listener) {}

    let file = try makeDirectory() + "/f"
    close(open(file, O_CREAT | O_WRONLY, 0o600))
    #expect(throws: BindError.self) { try SocketListener(.unix(path: file)) }
    #expect(access(file, F_OK) == 0)
    unlink(file)
  }

  @Test("Where one of several addresses cannot be had, none is kept")
  func allOrNothing() throws {
    let path = try makeDirectory() + "/s"
    let configuration = ReactorConfiguration(listeners: [
      .unix(path: path), .unix(path: "/nonexistent/s"),
    ])
    let server = ReactorServer(
      configuration: configuration, logger: quietLogger, makeDispatcher: { TestServer.echo($0) })
    #expect(throws: BindError.self) { try server.bind() }
    #expect(access(path, F_OK) != 0)
  }
}
