import NIOConcurrencyHelpers
import TTRPC
import TTRPCClient
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("Losing and finding the server") struct ReconnectTests {
  @Test("Calls wait for a server that starts later")
  func startsLater() async throws {
    let path = try temporarySocket()
    var configuration = TTRPCClientConfiguration(endpoint: .unix(path: path))
    configuration.backoff = .init(initial: .milliseconds(1), maximum: .milliseconds(5))
    let client = TTRPCClient(configuration: configuration)
    let early = Task { try await client.echo("early") }
    // On a busy machine the first of these may end before the first attempt to connect has.
    var doomed: RPCError?
    for _ in 0..<100 where doomed?.message.contains("no such file") != true {
      doomed = await failure { () async throws(RPCError) in
        try await client.echo("doomed", timeout: .milliseconds(30))
      }
      #expect(doomed?.code == .deadlineExceeded && doomed?.isOutcomeUnknown == false)
    }
    #expect(doomed?.message.contains("no such file") == true)
    let server = try await ScriptedServer(at: .unix(path: path)) { $1.answer($0) }
    try await expect(early, "early")
    await client.close()
    await server.stop()
  }

  @Test("After a loss the next call finds the restarted server")
  func restart() async throws {
    let first = try await ScriptedServer { $1.answer($0) }
    var configuration = TTRPCClientConfiguration(endpoint: first.endpoint)
    configuration.backoff = .init(initial: .milliseconds(1), maximum: .milliseconds(5))
    let client = TTRPCClient(configuration: configuration)
    try await client.expectEcho("one")
    await first.stop()
    let waiting = Task { try await client.echo("two", timeout: .seconds(20)) }
    let second = try await ScriptedServer(at: first.endpoint) { $1.answer($0) }
    let answer = await waiting.result
    if case .failure(let error) = answer {
      // It was sent before the loss was known.
      #expect((error as? RPCError)?.isOutcomeUnknown == true)
    }
    try await client.expectEcho("three")
    await client.close()
    await second.stop()
  }

  @Test("Of calls at a loss, those that were sent fail, and those that were not go out again")
  func sentAndUnsent() async throws {
    let server = try await ScriptedServer { request, peer in
      if peer.number > 0 { peer.answer(request) } else { peer.close() }
    }
    try await withClient(of: server) {
      $0.maxCallsInFlight = 1
    } _: { client in
      async let results = withTaskGroup(of: Bool?.self) { group in
        for number in 0..<10 {
          group.addTask {
            do throws(RPCError) {
              return try await client.echo("\(number)") == "\(number)" ? nil : false
            } catch { return error.code == .unavailable && error.isOutcomeUnknown }
          }
        }
        return await group.reduce(into: [Bool?]()) { $0.append($1) }
      }
      let outcomes = await results
      #expect(outcomes.count { $0 == nil } == 9)
      #expect(outcomes.count { $0 == true } == 1)
    }
  }

  @Test("With the policy to fail, calls fail as soon as an attempt has")
  func failFast() async throws {
    let path = try temporarySocket()
    var configuration = TTRPCClientConfiguration(endpoint: .unix(path: path))
    configuration.whenUnreachable = .fail
    let client = TTRPCClient(configuration: configuration)
    let error = await failure { () async throws(RPCError) in try await client.echo("x") }
    #expect(error?.code == .unavailable && error?.isOutcomeUnknown == false)
    #expect(error?.message.contains("cannot connect to unix://\(path)") == true)
    await client.close()
  }

  @Test("A refused TCP port and an unknown host are named in the error")
  func unreachable() async throws {
    let server = try await ScriptedServer { $1.answer($0) }
    await server.stop()
    for endpoint in [server.endpoint, .tcp(host: "no-such-host.invalid", port: 1)] {
      var configuration = TTRPCClientConfiguration(endpoint: endpoint)
      configuration.whenUnreachable = .fail
      let client = TTRPCClient(configuration: configuration)
      let error = await failure { () async throws(RPCError) in try await client.echo("x") }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("\(endpoint)") == true)
      await client.close()
    }
  }

  @Test("A full queue refuses calls at once")
  func fullQueue() async throws {
    let path = try temporarySocket()
    var configuration = TTRPCClientConfiguration(endpoint: .unix(path: path))
    configuration.maxWaitingCalls = 3
    let client = TTRPCClient(configuration: configuration)
    let codes = await withTaskGroup(of: StatusCode?.self) { group in
      for _ in 0..<10 {
        group.addTask {
          await failure { () async throws(RPCError) in
            try await client.echo("x", timeout: .milliseconds(200))
          }?.code
        }
      }
      return await group.reduce(into: [StatusCode?]()) { $0.append($1) }
    }
    #expect(codes.count { $0 == .resourceExhausted } == 7)
    #expect(codes.count { $0 == .deadlineExceeded } == 3)
    await client.close()
  }

  @Test("A connection is replaced before its stream IDs run out; no call notices")
  func rotation() async throws {
    let server = try await ScriptedServer { $1.answer($0) }
    try await withClient(of: server) {
      $0.maxCallsPerConnection = 10
    } _: { client in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<95 {
          group.addTask {
            let answer = try await client.echo("\(number)")
            #expect(answer == "\(number)")
          }
        }
        try await group.waitForAll()
      }
    }
    #expect(server.connectionCount == 10)
  }

  @Test("Unix sockets and TCP alike")
  func unixSocket() async throws {
    let server = try await ScriptedServer(at: .unix(path: temporarySocket())) { $1.answer($0) }
    try await withClient(of: server) { client in
      try await client.expectEcho("over a file")
    }
  }

  private func temporarySocket() throws -> String {
    var template = Array("/tmp/ttrpc-client-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self) + "/s"
  }
}
