import TTRPC
import TTRPCClient
import Testing

let echo = MethodDescriptor(service: "test.Echo", name: "Echo")

/// Lends a client of the server to `body`, and closes both.
func withClient<Result>(
  of server: ScriptedServer, _ configure: (inout TTRPCClientConfiguration) -> Void = { _ in },
  _ body: (TTRPCClient) async throws -> Result
) async throws -> Result {
  var configuration = TTRPCClientConfiguration(endpoint: server.endpoint)
  configuration.defaultTimeout = .seconds(20)
  configuration.backoff = ReconnectBackoff(initial: .milliseconds(2), maximum: .milliseconds(20))
  configuration.shutdownTimeout = .seconds(2)
  configure(&configuration)
  let client = TTRPCClient(configuration: configuration)
  let result: Swift.Result<Result, any Error>
  do { result = .success(try await body(client)) } catch { result = .failure(error) }
  await client.close()
  await server.stop()
  return try result.get()
}

extension RPCClient {
  func echo(
    _ text: String, timeout: Duration? = nil, metadata: Metadata = [:]
  ) async throws(RPCError) -> String {
    let options = CallOptions(timeout: timeout, metadata: metadata)
    return String(
      decoding: try await unary(TTRPCClientTests.echo, Array(text.utf8), options: options),
      as: UTF8.self)
  }
}

extension RPCClient {
  /// The call has to bring back what it sent.
  func expectEcho(
    _ text: String, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let answer = try await echo(text)
    #expect(answer == text, sourceLocation: sourceLocation)
  }
}

/// The task has to end with this answer.
func expect(
  _ task: Task<String, any Error>, _ answer: String,
  sourceLocation: SourceLocation = #_sourceLocation
) async throws {
  let value = try await task.value
  #expect(value == answer, sourceLocation: sourceLocation)
}

/// The error of a call that has to fail.
func failure<Result>(_ call: () async throws(RPCError) -> Result) async -> RPCError? {
  do {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}
