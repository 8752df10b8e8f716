import ExampleAPI
import Logging
import NIOConcurrencyHelpers
import Reactor
import TTRPC
import TTRPCClient

#if canImport(Glibc)
  import Glibc
#endif

/// A service on TTRPC alone, as any application would write it.
struct WeatherStation: Station.Service {
  private let calls = NIOLockedValueBox<[ServerCall]>([])

  /// The calls of `latest` so far.
  var seen: [ServerCall] { calls.withLockedValue { $0 } }

  func latest(_ request: LatestRequest, call: ServerCall) async throws -> Reading {
    calls.withLockedValue { $0.append(call) }
    switch request.sensor {
    case "slow":
      try await Task.sleep(for: .seconds(3600))
      return Reading()
    case "roof": return Reading(sensor: "roof", celsius: 21)
    default:
      throw RPCError(
        .notFound, "no sensor \(request.sensor)",
        details: [StatusDetail(typeURL: "type.googleapis.com/weather", value: [1, 2])])
    }
  }

  func echo(_ request: EchoMessage, call: ServerCall) async throws -> EchoMessage { request }

  func follow(
    _ request: LatestRequest, responses: ResponseSink<Reading>, call: ServerCall
  ) async throws {}

  func upload(_ requests: RequestStream<Reading>, call: ServerCall) async throws -> UploadSummary {
    UploadSummary()
  }

  func review(
    _ requests: RequestStream<Reading>, responses: ResponseSink<Reading>, call: ServerCall
  ) async throws {}
}

/// Serves a weather station on a real server while `body` runs.
func withStation<Result>(
  client interceptors: [any ClientInterceptor] = [],
  server interceptor: (any AsyncServerInterceptor)? = nil,
  _ body: (Station.Client, WeatherStation) async throws -> Result
) async throws -> Result {
  var template = Array("/tmp/ttrpc-example-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw RPCError(.internal, "mkdtemp") }
  let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  let station = WeatherStation()
  var serverConfiguration = ReactorConfiguration(listeners: [.unix(path: directory + "/s")])
  serverConfiguration.drainTimeout = .milliseconds(100)
  let server = ReactorServer(
    configuration: serverConfiguration,
    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
  ) { loop in
    var dispatcher = Dispatcher(loop: loop)
    if let interceptor { dispatcher.add(asyncInterceptor: interceptor) }
    Station.register(station, on: &dispatcher)
    return dispatcher
  }
  try server.bind()
  let running = Task { try await server.run() }
  var configuration = TTRPCClientConfiguration(endpoint: .unix(path: directory + "/s"))
  configuration.shutdownTimeout = .milliseconds(100)
  configuration.interceptors = interceptors
  let client = TTRPCClient(configuration: configuration)
  let result: Swift.Result<Result, any Error>
  do {
    result = .success(try await body(Station.Client(client), station))
  } catch {
    result = .failure(error)
  }
  await client.close()
  server.shutDown()
  try await running.value
  rmdir(directory)
  return try result.get()
}
