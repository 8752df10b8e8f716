import NIOConcurrencyHelpers
import TTRPC
import TTRPCClient
import Testing

@Suite("Servers that misbehave") struct PeerMisbehaviourTests {
  @Test("A server that hangs up leaves calls with an unknown outcome")
  func hangUp() async throws {
    let server = try await ScriptedServer { _, peer in peer.close() }
    let error = try await withClient(of: server) { client in
      await failure { () async throws(RPCError) in try await client.echo("x") }
    }
    #expect(error?.code == .unavailable && error?.isOutcomeUnknown == true)
    #expect(error?.message.contains("\(server.endpoint)") == true)
    #expect(error?.message.contains("unknown") == true)
  }

  @Test("A server that hangs up in the middle of an answer is said to have done so")
  func midAnswer() async throws {
    let server = try await ScriptedServer { request, peer in
      peer.send(Array(Wire.response(request.payload, streamID: request.streamID).dropLast(3)))
      peer.close()
    }
    let error = try await withClient(of: server) { client in
      await failure { () async throws(RPCError) in try await client.echo("hello") }
    }
    #expect(error?.code == .unavailable && error?.isOutcomeUnknown == true)
    #expect(error?.message.contains("middle of a frame") == true)
  }

  @Test(
    "A broken frame ends the connection; the next call works on a new one",
    arguments: [
      Wire.response([], streamID: 99), Wire.response([], streamID: 2),
      Wire.frame([], streamID: 1, type: 3), Wire.frame([], streamID: 1, length: 0xffff_ffff),
      Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8),
    ])
  func brokenFrame(bytes: [UInt8]) async throws {
    let server = try await ScriptedServer { request, peer in
      if peer.number == 0 { peer.send(bytes) } else { peer.answer(request) }
    }
    try await withClient(of: server) { client in
      let error = await failure { () async throws(RPCError) in try await client.echo("x") }
      #expect(error?.code == .unavailable && error?.isOutcomeUnknown == true)
      #expect(error?.message.contains("broke the protocol") == true)
      try await client.expectEcho("again")
    }
    #expect(server.connectionCount == 2)
  }

  @Test("A byte at a time is an answer all the same")
  func byteAtATime() async throws {
    let server = try await ScriptedServer { request, peer in
      for byte in Wire.response(request.payload, streamID: request.streamID) { peer.send([byte]) }
    }
    try await withClient(of: server) { client in
      try await client.expectEcho("slowly")
    }
  }

  @Test("An answer over 4 MiB fails its call alone; others on the connection go on")
  func oversizedAnswer() async throws {
    let server = try await ScriptedServer { request, peer in
      guard request.payload == Array("large".utf8) else { return peer.answer(request) }
      let data = [UInt8](repeating: 0, count: FrameHeader.maxDataBytes + 1)
      peer.send(Wire.frame(data, streamID: request.streamID))
    }
    try await withClient(of: server) { client in
      async let large = failure { () async throws(RPCError) in try await client.echo("large") }
      async let small = client.echo("small")
      let error = await large
      #expect(error?.code == .resourceExhausted && error?.isOutcomeUnknown == false)
      let answer = try await small
      #expect(answer == "small")
    }
    #expect(server.connectionCount == 1)
  }

  @Test("A request over 4 MiB is refused here, and the server hears nothing of it")
  func oversizedRequest() async throws {
    let server = try await ScriptedServer { $1.answer($0) }
    try await withClient(of: server) { client in
      let error = await failure { () async throws(RPCError) in
        try await client.unary(
          echo, [UInt8](repeating: 0, count: 4 << 20), options: CallOptions())
      }
      #expect(error?.code == .resourceExhausted && error?.isOutcomeUnknown == false)
    }
    #expect(server.connectionCount == 0)
  }

  @Test("Requests of 3 MiB go through, many at once, in spite of full socket buffers")
  func largeRequests() async throws {
    let server = try await ScriptedServer { request, peer in
      peer.answer(request, Array("\(request.payload.count)".utf8))
    }
    try await withClient(of: server) { client in
      try await withThrowingTaskGroup(of: [UInt8].self) { group in
        for _ in 0..<12 {
          group.addTask {
            let request = [UInt8](repeating: 9, count: 3 << 20)
            return try await client.unary(echo, request, options: CallOptions())
          }
        }
        for try await answer in group { #expect(answer == Array("\(3 << 20)".utf8)) }
      }
    }
  }

  @Test("A silent server is met by the deadline; its late answer disturbs nobody")
  func lateAnswer() async throws {
    let withheld = NIOLockedValueBox<Wire.Request?>(nil)
    let server = try await ScriptedServer { request, peer in
      if request.payload == Array("late".utf8) {
        withheld.withLockedValue { $0 = request }
        return
      }
      if let late = withheld.withLockedValue({ $0.take() }) { peer.answer(late) }
      peer.answer(request)
    }
    try await withClient(of: server) { client in
      try await client.expectEcho("first")
      let error = await failure { () async throws(RPCError) in
        try await client.echo("late", timeout: .milliseconds(300))
      }
      #expect(error?.code == .deadlineExceeded && error?.isOutcomeUnknown == true)
      try await client.expectEcho("next")
      try await client.expectEcho("after")
    }
    #expect(server.connectionCount == 1)
  }

  @Test("A server that never answers is left after half of the calls in flight are lost")
  func deafServer() async throws {
    let server = try await ScriptedServer { request, peer in
      if peer.number > 0 { peer.answer(request) }
    }
    try await withClient(of: server) {
      $0.maxCallsInFlight = 8
    } _: { client in
      // Some of these may not even be sent in their time.
      for _ in 0..<1000 {
        let answer = try? await client.echo("x", timeout: .milliseconds(20))
        if answer != nil { break }
      }
      try await client.expectEcho("again")
    }
    #expect(server.connectionCount >= 2)
  }
}
