import Foundation
import TestSupport
import Testing

/// A client that nobody here wrote: containerd's Go implementation of ttrpc, with stubs that its
/// own generator made from this repository's protos.
@Suite struct GoPeerTests {
  @Test("containerd's Go client makes every unary call, over TCP and over a Unix socket")
  func goPeer() async throws {
    let peer = try await GoProgram("gopeer", source: "main.go")
    let server = try await RoostdProcess.start()
    try await call(server, at: String(server.endpoint.dropFirst("tcp://".count)), by: peer)
    #expect(try await server.stop() == 0)

    let folder = try TemporaryFolder()
    let local = try await RoostdProcess.start(
      listen: "unix://\(folder.url.path)/roost.sock", folder: folder)
    try await call(local, at: String(local.endpoint.dropFirst("unix://".count)), by: peer)
    #expect(try await local.stop() == 0)
  }

  private func call(_ server: RoostdProcess, at address: String, by peer: GoProgram) async throws {
    let outcome = try await runProcess(peer.executable, [address, try server.adminToken])
    let failures = outcome.text.split(separator: "\n").filter { $0.hasPrefix("FAIL") }
    #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))\n\(outcome.errorText)")
    #expect(outcome.exitCode == 0)
    #expect(outcome.text.contains(" passed, 0 failed"))
  }

  @Test("README's Go example stores a value and reads it")
  func example() async throws {
    let example = try await GoProgram("example", source: "example/main.go")
    let server = try await RoostdProcess.start()
    let address = String(server.endpoint.dropFirst("tcp://".count))
    let outcome = try await runProcess(example.executable, [address, try server.adminToken])
    #expect(outcome.text == "true hello\n", "\(outcome.errorText)")
    #expect(try await server.stop() == 0)
  }
}

/// A program of `GoPeer`, built with Debian's Go packages against stubs from `Protos/`.
private struct GoProgram {
  private let folder: TemporaryFolder
  let executable: URL

  init(_ name: String, source: String) async throws {
    folder = try TemporaryFolder()
    let sources = folder.url.appendingPathComponent("src")
    let program = sources.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: program, withIntermediateDirectories: true)
    let protos = packageRoot.appendingPathComponent("Protos")
    let names = try FileManager.default.contentsOfDirectory(
      atPath: protos.appendingPathComponent("roost/v1").path)
    try await Self.must(
      "protoc",
      ["-I", protos.path, "--gogottrpc_out=plugins=ttrpc:\(sources.path)"]
        + names.map { "roost/v1/\($0)" })
    try FileManager.default.copyItem(
      at: packageRoot.appendingPathComponent("Tests/InteropTests/GoPeer/\(source)"),
      to: program.appendingPathComponent("main.go"))
    executable = folder.url.appendingPathComponent("\(name)-program")
    try await Self.must(
      "go", ["build", "-o", executable.path, name],
      environment: [
        "GO111MODULE": "off", "GOFLAGS": "",
        "GOPATH": "\(folder.url.path):/usr/share/gocode",
        "GOCACHE": FileManager.default.temporaryDirectory
          .appendingPathComponent("roost-test-go-cache").path,
      ])
  }

  private static func must(
    _ command: String, _ arguments: [String], environment: [String: String] = [:]
  ) async throws {
    let outcome = try await runProcess(
      URL(fileURLWithPath: "/usr/bin/env"), [command] + arguments, environment: environment)
    guard outcome.exitCode == 0 else {
      throw TestEnvironmentError(
        "\(command) failed (Tools/packages test installs it): \(outcome.errorText)")
    }
  }
}
