/// What the options, the environment and the defaults say about the server, resolved.
struct ConnectionSettings: Sendable {
  static let defaultTimeoutMilliseconds: Int64 = 5000

  let endpoint: EndpointText
  /// What each call may take; at least 1.
  let timeoutMilliseconds: Int64
  let token: TokenSource

  /// - Throws: `UsageError` that names the setting and where it came from, or what
  ///   `TokenSource` throws.
  init(
    endpoint: String?, timeout: String?, tokenFile: String?, environment: Environment
  ) throws {
    self.endpoint =
      try Self.resolve(
        endpoint, option: "--endpoint", variable: "ROOST_ENDPOINT", environment
      ) { text throws(UsageError) in try EndpointText(text) }
      ?? EndpointText(EndpointText.defaultText)
    let milliseconds = try Self.resolve(
      timeout, option: "--timeout", variable: "ROOST_TIMEOUT", environment
    ) { text throws(UsageError) in try DurationText.positiveMilliseconds(text) }
    timeoutMilliseconds = milliseconds ?? Self.defaultTimeoutMilliseconds
    self.token = try TokenSource(
      tokenFile: tokenFile, environment: environment, endpoint: self.endpoint)
  }

  private static func resolve<Value>(
    _ argument: String?, option: String, variable: String, _ environment: Environment,
    _ parse: (String) throws(UsageError) -> Value
  ) throws(UsageError) -> Value? {
    var source = option
    var text = argument
    if text == nil, let value = environment[variable], !value.isEmpty {
      source = variable
      text = value
    }
    guard let text else { return nil }
    do { return try parse(text) } catch { throw UsageError("\(source): \(error.message)") }
  }
}
