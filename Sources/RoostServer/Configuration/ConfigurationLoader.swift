import Configuration
import Reactor

extension Setting {
  /// The setting's key at every provider. The provider of the environment makes `ROOST_<NAME>` of
  /// it.
  var key: AbsoluteConfigKey { AbsoluteConfigKey(["roost", name]) }
}

/// Merges flags, environment, file and defaults, in this order, into a `ServerConfiguration`.
public struct ConfigurationLoader {
  /// Variables with our prefix that are for the command line.
  static let clientVariables: Set = [
    "ROOST_TOKEN", "ROOST_TOKEN_FILE", "ROOST_ENDPOINT", "ROOST_TIMEOUT", "ROOST_OUTPUT",
  ]

  private let flags: [String: [String]]
  private let environment: [String: String]

  /// What was set, and what looks like a mistake and is none for certain.
  public struct Outcome: Sendable {
    /// Every value within its bounds.
    public var configuration: ServerConfiguration
    /// Where each setting that is not a default came from, by its name.
    public var sources: [String: ConfigurationSource]
    /// For the log.
    public var warnings: [String]
  }

  /// - Parameters:
  ///   - flags: values by a setting's name, as many as were given; `config` names the file.
  ///   - environment: the process's; empty values count as not set.
  public init(flags: [String: [String]], environment: [String: String]) {
    self.flags = flags.filter { !$0.value.isEmpty }
    self.environment = environment.filter { !$0.value.isEmpty }
  }

  /// Reads the file, if one is named, and checks everything.
  public func load() throws(ConfigurationError) -> Outcome {
    let providers = try makeProviders()
    // Known late, so that a data directory that is given needs no home.
    var configuration = ServerConfiguration(dataDirectory: "")
    var sources: [String: ConfigurationSource] = [:]
    for setting in Setting.all {
      for (source, provider) in providers {
        guard let values = Self.values(of: setting, in: provider) else { continue }
        guard values.count == 1 || setting.isRepeatable, setting.apply(values, &configuration)
        else {
          throw .badValue(
            setting: setting.name, source: source, value: values.joined(separator: ", "),
            allowed: setting.allowed)
        }
        sources[setting.name] = source
        break
      }
    }
    if configuration.dataDirectory.isEmpty {
      configuration.dataDirectory = try DataDirectory.defaultPath(environment: environment)
    }
    try Self.check(configuration, sources)
    return Outcome(
      configuration: configuration, sources: sources, warnings: unknownVariables())
  }

  private func makeProviders()
    throws(ConfigurationError) -> [(ConfigurationSource, any ConfigProvider)]
  {
    var values: [AbsoluteConfigKey: ConfigValue] = [:]
    for (name, texts) in flags where name != "config" {
      values[AbsoluteConfigKey(["roost", name])] = ConfigValue(
        .stringArray(texts), isSecret: false)
    }
    var providers: [(ConfigurationSource, any ConfigProvider)] = [
      (.flag, InMemoryProvider(name: "flags", values: values)),
      (.environment, EnvironmentVariablesProvider(environmentVariables: environment)),
    ]
    if let path = flags["config"]?.last ?? environment["ROOST_CONFIG"] {
      providers.append((.file(path: path), try ConfigurationFile(path: path).provider))
    }
    return providers
  }

  /// The values of a setting at one provider; `nil` where it has none. A value is asked for as a
  /// list where it may be one.
  private static func values(of setting: Setting, in provider: any ConfigProvider) -> [String]? {
    let types: [ConfigType] = setting.isRepeatable ? [.stringArray] : [.string, .stringArray]
    for type in types {
      switch try? provider.value(forKey: setting.key, type: type).value?.content {
      case .string(let text): return [text]
      case .stringArray(let texts): return texts.isEmpty ? [""] : texts
      default: continue
      }
    }
    return nil
  }

  /// What no value says by itself.
  private static func check(
    _ configuration: ServerConfiguration, _ sources: [String: ConfigurationSource]
  ) throws(ConfigurationError) {
    func place(_ name: String) -> String { (sources[name] ?? .defaultValue).place(of: name) }
    if configuration.auth == .off,
      let open = configuration.listen.first(where: { !isLocal($0) })
    {
      throw .contradiction(
        "auth: off, from \(place("auth")), is only for loopback and Unix sockets, but"
          + " \(place("listen")) of listen is \(quoted(open)): anyone who reaches it could read and"
          + " write everything")
    }
    if Set(configuration.listen).count < configuration.listen.count {
      throw .contradiction("listen: \(place("listen")) names one address twice")
    }
  }

  private static func isLocal(_ address: String) -> Bool {
    (try? ListenAddress(parsing: address))?.isLoopback ?? false
  }

  private func unknownVariables() -> [String] {
    let known = Set(Setting.all.map(\.environmentName) + ["ROOST_CONFIG"])
    return environment.keys.sorted().compactMap { name in
      guard name.hasPrefix("ROOST_"), !known.contains(name),
        !Self.clientVariables.contains(name),
        let nearest = NearestName.of(
          String(name.dropFirst("ROOST_".count)), in: Setting.all.map(\.name))
      else { return nil }
      return "\(name) in the environment is no setting;"
        + " did you mean \(Setting.environmentName(nearest))?"
    }
  }
}
