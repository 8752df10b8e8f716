import ExampleAPI
import TTRPC
import TTRPCClient
import Testing

@Suite("An example service, called through its generated client") struct ExampleServiceTests {
  @Test("Messages go there and back; the handler sees metadata and deadline")
  func call() async throws {
    try await withStation { (client, station) async throws in
      let reading = try await client.latest(
        LatestRequest(sensor: "roof"),
        options: CallOptions(timeout: .seconds(9), metadata: ["who": "me"]))
      #expect(reading == Reading(sensor: "roof", celsius: 21))
      let call = try #require(station.seen.first)
      #expect(call.metadata.first("who") == "me" && call.method.name == "Latest")
    }
  }

  @Test("A handler's error arrives with code, message and details")
  func error() async throws {
    try await withStation { (client, _) async throws in
      let error = await failure { () async throws(RPCError) in
        try await client.latest(LatestRequest(sensor: "cellar"))
      }
      #expect(error?.code == .notFound && error?.message == "no sensor cellar")
      #expect(error?.details.first?.value == [1, 2])
    }
  }

  @Test("Unknown methods and services, and every kind of stream, are unimplemented")
  func unimplemented() async throws {
    try await withStation { (client, _) async throws in
      for (service, method) in [("weather.v1.Station", "Nope"), ("nobody", "Latest")] {
        let error = await failure { () async throws(RPCError) in
          try await client.rpc.unary(
            MethodDescriptor(service: service, name: method), [], options: CallOptions())
        }
        #expect(error?.code == .unimplemented)
      }
      let codes = [
        await failure { () async throws(RPCError) in
          try await client.follow(LatestRequest(sensor: "roof"))
        }?.code,
        await failure { () async throws(RPCError) in try await client.upload() }?.code,
        await failure { () async throws(RPCError) in try await client.review() }?.code,
      ]
      #expect(codes == [.unimplemented, .unimplemented, .unimplemented])
    }
  }

  @Test("The deadline ends a slow call; others on the connection go on")
  func deadline() async throws {
    try await withStation { (client, _) async throws in
      _ = try await client.latest(LatestRequest(sensor: "roof"))
      let error = await failure { () async throws(RPCError) in
        try await client.latest(
          LatestRequest(sensor: "slow"), options: CallOptions(timeout: .milliseconds(30)))
      }
      #expect(error?.code == .deadlineExceeded)
      let reading = try await client.latest(LatestRequest(sensor: "roof"))
      #expect(reading.celsius == 21)
    }
  }

  @Test("Ten thousand calls at once to async handlers")
  func manyCalls() async throws {
    try await withStation { (client, _) async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<10_000 {
          group.addTask {
            let message = EchoMessage(payload: Array("\(number)".utf8))
            let answer = try await client.echo(message)
            #expect(answer == message)
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test("A message of 4 MiB less its envelope comes back; a byte more is refused on the way")
  func largest() async throws {
    try await withStation { (client, _) async throws in
      // The payload's own tag and length take 5 bytes, the answer's envelope 5, the request's 42.
      let fits = EchoMessage(payload: [UInt8](repeating: 3, count: (4 << 20) - 60))
      let answer = try await client.echo(fits)
      #expect(answer.payload.count == fits.payload.count)
      let error = await failure { () async throws(RPCError) in
        try await client.echo(EchoMessage(payload: [UInt8](repeating: 3, count: 4 << 20)))
      }
      #expect(error?.code == .resourceExhausted)
    }
  }

  @Test("Interceptors on both sides see method, metadata, peer and deadline, and may refuse")
  func interceptors() async throws {
    struct AddTrace: ClientInterceptor {
      func unary(
        _ call: ClientCall, _ request: [UInt8], next: Unary
      ) async throws(RPCError) -> [UInt8] {
        guard call.deadline != nil, call.peer.hasPrefix("unix://") else {
          throw RPCError(.internal, "\(call)")
        }
        var call = call
        call.metadata.append("t1", for: "trace")
        return try await next(call, request)
      }
    }
    struct NeedTrace: AsyncServerInterceptor {
      func unary(_ call: ServerCall, _ request: [UInt8], next: Unary) async throws -> [UInt8] {
        guard call.metadata.first("trace") == "t1" else {
          throw RPCError(.invalidArgument, "no trace on \(call.method.name)")
        }
        return try await next(call, request)
      }
    }
    try await withStation(client: [AddTrace()], server: NeedTrace()) {
      (client, station) async throws in
      _ = try await client.latest(LatestRequest(sensor: "roof"))
      #expect(station.seen.first?.metadata.first("trace") == "t1")
    }
    try await withStation(server: NeedTrace()) { (client, station) async throws in
      let error = await failure { () async throws(RPCError) in
        try await client.latest(LatestRequest(sensor: "roof"))
      }
      #expect(error?.message == "no trace on Latest")
      #expect(station.seen.isEmpty)
    }
  }
}
