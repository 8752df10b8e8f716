import Foundation
import Testing

@testable import RoostServer

@Suite("Configuration")
struct ConfigurationTests {
  let directory = ScratchDirectory()

  private func load(
    flags: [String: [String]] = [:], environment: [String: String] = [:], file: String? = nil
  ) throws -> ConfigurationLoader.Outcome {
    var flags = flags
    if let file {
      try directory.write(file, to: "roost.json")
      flags["config"] = [directory.file("roost.json")]
    }
    return try ConfigurationLoader(
      flags: flags, environment: environment.merging(["HOME": "/home/u"]) { own, _ in own }
    ).load()
  }

  private func error(
    flags: [String: [String]] = [:], environment: [String: String] = [:], file: String? = nil
  ) -> ConfigurationError? {
    do {
      _ = try load(flags: flags, environment: environment, file: file)
      return nil
    } catch { return error as? ConfigurationError }
  }

  @Test("Nothing set gives the documented defaults")
  func defaults() throws {
    let outcome = try load()
    let configuration = outcome.configuration
    #expect(configuration.listen == ["tcp://127.0.0.1:7667"])
    #expect(configuration.engine == .log && configuration.sync == .interval)
    #expect(configuration.syncInterval == .seconds(1))
    #expect(configuration.auth == .required)
    #expect(configuration.dataDirectory == "/home/u/.local/state/roost")
    #expect(configuration.drainTimeout == .seconds(10))
    #expect(configuration.limits == ServerLimits())
    #expect(configuration.limits.maxValueBytes == 1 << 20)
    #expect(outcome.sources.isEmpty && outcome.warnings.isEmpty)
  }

  @Test("A flag wins over the environment, that over the file, and that over the default")
  func precedence() throws {
    let file = #"{"threads": 2, "max-connections": 20, "log-level": "error"}"#
    let environment = ["ROOST_THREADS": "3", "ROOST_MAX_CONNECTIONS": "30"]
    let outcome = try load(flags: ["threads": ["4"]], environment: environment, file: file)
    #expect(outcome.configuration.threads == 4)
    #expect(outcome.configuration.limits.maxConnections == 30)
    #expect(outcome.configuration.logLevel == .error)
    #expect(outcome.sources["threads"] == .flag)
    #expect(outcome.sources["max-connections"] == .environment)
    #expect(outcome.sources["log-level"] == .file(path: directory.file("roost.json")))
    #expect(outcome.sources["engine"] == nil)
  }

  @Test("Every setting is taken from the environment and from the file under its name")
  func everySource() throws {
    let samples = [
      "listen": "unix:///run/r.sock", "engine": "memory", "data-dir": "/d", "auth": "off",
      "threads": "7", "drain-timeout": "3s", "idle-timeout": "2m", "max-key-bytes": "64",
      "max-value-bytes": "2MiB", "max-metadata-bytes": "512B", "max-transaction-steps": "5",
      "max-batch-keys": "6", "max-list-items-per-call": "7", "max-list-items": "8",
      "max-list-bytes": "1KiB", "max-delete-range-keys": "9", "max-connections": "10",
      "max-calls-per-connection": "11", "max-unread-bytes": "16MiB", "max-memory": "1GiB",
      "max-idempotency-bytes": "32MiB", "sync": "always", "sync-interval": "20ms",
      "snapshot-log-bytes": "2MiB", "snapshot-rate": "3MiB",
      "log-level": "debug", "log-format": "json",
    ]
    #expect(Set(samples.keys) == Set(Setting.all.map(\.name)))
    let json = try JSONEncoder().encode(samples)
    let inEnvironment = Dictionary(
      uniqueKeysWithValues: samples.map { (Setting.environmentName($0.key), $0.value) })
    let fromFile = try load(file: String(decoding: json, as: UTF8.self)).configuration
    let fromEnvironment = try load(environment: inEnvironment).configuration
    let fromFlags = try load(flags: samples.mapValues { [$0] }).configuration
    for configuration in [fromFile, fromEnvironment, fromFlags] {
      #expect(configuration.listen == ["unix:///run/r.sock"])
      #expect(configuration.engine == .memory && configuration.sync == .always)
      #expect(configuration.syncInterval == .milliseconds(20))
      #expect(configuration.snapshotLogBytes == 2 << 20)
      #expect(configuration.snapshotBytesPerSecond == 3 << 20)
      #expect(configuration.dataDirectory == "/d")
      #expect(configuration.auth == .off)
      #expect(configuration.threads == 7)
      #expect(configuration.drainTimeout == .seconds(3))
      #expect(configuration.idleTimeout == .seconds(120))
      #expect(configuration.limits.maxKeyBytes == 64)
      #expect(configuration.limits.maxValueBytes == 2 << 20)
      #expect(configuration.limits.maxMetadataBytes == 512)
      #expect(configuration.limits.maxTransactionSteps == 5)
      #expect(configuration.limits.maxBatchKeys == 6)
      #expect(configuration.limits.maxListItemsPerCall == 7)
      #expect(configuration.limits.maxListItems == 8)
      #expect(configuration.limits.maxListBytes == 1 << 10)
      #expect(configuration.limits.maxDeleteRangeKeys == 9)
      #expect(configuration.limits.maxConnections == 10)
      #expect(configuration.limits.maxCallsPerConnection == 11)
      #expect(configuration.limits.maxUnreadBytes == 16 << 20)
      #expect(configuration.maxMemoryBytes == 1 << 30)
      #expect(configuration.maxIdempotencyBytes == 32 << 20)
      #expect(configuration.logLevel == .debug)
      #expect(configuration.logFormat == .json)
    }
  }

  @Test("Several listeners: repeated flags, commas in the environment, an array in the file")
  func listeners() throws {
    let both = ["tcp://[::1]:0", "unix:///run/r.sock"]
    #expect(try load(flags: ["listen": both]).configuration.listen == both)
    #expect(
      try load(environment: ["ROOST_LISTEN": both.joined(separator: ",")]).configuration.listen
        == both)
    #expect(
      try load(file: #"{"listen": ["tcp://[::1]:0", "unix:///run/r.sock"]}"#).configuration.listen
        == both)
  }

  @Test("The file takes numbers as they are and sizes with units")
  func numbers() throws {
    let limits = try load(file: #"{"max-value-bytes": 2048, "max-list-bytes": "2KiB"}"#)
      .configuration.limits
    #expect(limits.maxValueBytes == 2048)
    #expect(limits.maxListBytes == 2048)
  }

  @Test(
    "A value out of range or of another kind names the setting, its source and what is allowed",
    arguments: [
      ("threads", "0", "1 to 256"), ("threads", "257", "1 to 256"), ("threads", "two", "1 to 256"),
      ("threads", "1.5", "1 to 256"), ("threads", " 1", "1 to 256"),
      ("max-value-bytes", "0", "1B to 3MiB"), ("max-value-bytes", "3145729", "1B to 3MiB"),
      ("max-value-bytes", "4MiB", "1B to 3MiB"), ("max-value-bytes", "-1", "1B to 3MiB"),
      ("max-value-bytes", "1XB", "1B to 3MiB"),
      ("max-memory", "99999999999999999999", "1MiB to 16TiB, or 0: no limit"),
      ("max-memory", "9000000TiB", "1MiB to 16TiB, or 0: no limit"),
      ("drain-timeout", "10", "1ms to 10m, or 0: do not wait"),
      ("drain-timeout", "11m", "1ms to 10m, or 0: do not wait"),
      ("drain-timeout", "5s5m", "1ms to 10m, or 0: do not wait"),
      ("idle-timeout", "forever", "1s to 7d, or 0: never"),
      ("engine", "rocksdb", "memory, log"), ("sync", "sometimes", "always, interval, never"),
      ("sync-interval", "0", "10ms to 1m"), ("snapshot-log-bytes", "1KiB", "or 0: only when"),
      ("auth", "maybe", "required, off"),
      ("log-level", "loud", "trace, debug"), ("log-format", "xml", "auto, text, json"),
      ("listen", "127.0.0.1:7667", "tcp://HOST:PORT"), ("listen", "tcp://host", "tcp://HOST:PORT"),
      ("listen", "tcp://:1", "tcp://HOST:PORT"), ("listen", "tcp://h:65536", "tcp://HOST:PORT"),
      ("listen", "tcp://::1:1", "tcp://HOST:PORT"),
      ("listen", "unix://relative", "unix:///PATH"),
      ("listen", "unix:///" + String(repeating: "s", count: 107), "unix:///PATH"),
    ])
  func badValues(name: String, value: String, allowed: String) throws {
    let variable = Setting.environmentName(name)
    let path = directory.file("roost.json")
    let json = String(decoding: try JSONEncoder().encode([name: value]), as: UTF8.self)
    let errors = [
      (error(flags: [name: [value]]), "the flag --\(name)"),
      (error(environment: [variable: value]), "\(variable) in the environment"),
      (error(file: json), "the file \(path)"),
    ]
    for (error, place) in errors {
      let text = try #require(error).description
      #expect(text.hasPrefix("\(name): "))
      #expect(text.contains(place) && text.contains(allowed), "\(text)")
    }
  }

  @Test("The bounds themselves are allowed")
  func bounds() throws {
    for (name, values) in [
      "threads": ["1", "256"], "max-value-bytes": ["1", "3MiB"], "max-memory": ["0", "16TiB"],
      "drain-timeout": ["0", "1ms", "10m", "600s"], "idle-timeout": ["0", "1s", "7d"],
    ] {
      for value in values { #expect(error(flags: [name: [value]]) == nil, "\(name) \(value)") }
    }
  }

  @Test("An unknown key of the file is an error that suggests the nearest name")
  func unknownKey() {
    let path = directory.file("roost.json")
    #expect(
      error(file: #"{"thraeds": 1}"#)
        == .unknownKey(path: path, key: "thraeds", nearest: "threads"))
    #expect(
      error(file: #"{"max_value_bytes": 1}"#)
        == .unknownKey(path: path, key: "max_value_bytes", nearest: "max-value-bytes"))
    #expect(
      error(file: #"{"colour": "red"}"#)
        == .unknownKey(path: path, key: "colour", nearest: nil))
    #expect(error(file: #"{"config": "x"}"#)?.description.contains("no setting") == true)
  }

  @Test(
    "A file that is no JSON object of settings is refused by its path",
    arguments: ["", "{", "[]", "7"])
  func badFile(text: String) {
    let path = directory.file("roost.json")
    #expect(
      error(file: text) == .badFile(path: path, reason: "not a JSON object of settings"))
  }

  @Test(
    "A value of a kind that no setting has is refused under its name",
    arguments: [
      #"{"threads": null}"#, #"{"threads": {}}"#, #"{"threads": [1]}"#,
      #"{"threads": true}"#, #"{"listen": []}"#, #"{"listen": [[]]}"#,
    ])
  func badKind(text: String) throws {
    guard case .badValue = try #require(error(file: text)) else {
      Issue.record("\(text)")
      return
    }
  }

  @Test("A file that is missing or too large is refused")
  func unreadableFile() throws {
    #expect(
      error(flags: ["config": ["/nonexistent/r.json"]])
        == .badFile(path: "/nonexistent/r.json", reason: "there is no such file"))
    let large = "{" + String(repeating: " ", count: 1 << 20) + "}"
    #expect(error(file: large)?.description.contains("larger than 1MiB") == true)
    let path = directory.file("env.json")
    try directory.write(#"{"threads": 9}"#, to: "env.json")
    #expect(try load(environment: ["ROOST_CONFIG": path]).configuration.threads == 9)
  }

  @Test("An empty variable counts as not set; one that is nearly a setting is reported")
  func environmentDetails() throws {
    let outcome = try load(environment: [
      "ROOST_THREADS": "", "ROOST_THREDS": "3", "ROOST_TOKEN": "x", "ROOST_HOME": "/y",
      "ROOST_ENDPOINT": "z",
    ])
    #expect(outcome.configuration.threads == 1)
    #expect(
      outcome.warnings == [
        "ROOST_THREDS in the environment is no setting; did you mean ROOST_THREADS?"
      ])
  }

  @Test(
    "Without authentication only this machine may be listened to",
    arguments: [
      ("tcp://127.0.0.1:1", true), ("tcp://127.9.9.9:1", true), ("tcp://[::1]:1", true),
      ("tcp://localhost:1", true), ("unix:///run/r.sock", true), ("tcp://0.0.0.0:1", false),
      ("tcp://[::]:1", false), ("tcp://10.0.0.1:1", false),
      ("tcp://127.0.0.1.example.org:1", false),
      ("tcp://127.1:1", false), ("tcp://[::ffff:127.0.0.1]:1", false),
      ("tcp://example.org:1", false),
    ])
  func openListeners(address: String, isAllowed: Bool) {
    let found = error(flags: ["auth": ["off"], "listen": ["tcp://127.0.0.1:9", address]])
    #expect((found == nil) == isAllowed)
    if let found {
      #expect(found.description.contains("--auth") && found.description.contains(address))
    }
    #expect(error(flags: ["listen": [address]]) == nil)
  }

  @Test("One address twice is a contradiction")
  func sameAddress() {
    let twice = ["tcp://127.0.0.1:1", "tcp://127.0.0.1:1"]
    guard case .contradiction = error(flags: ["listen": twice]) else {
      Issue.record("two listeners on one address were accepted")
      return
    }
  }

  @Test("The data directory follows XDG, then the home, and is an error without either")
  func dataDirectory() throws {
    func path(_ environment: [String: String]) throws -> String {
      try DataDirectory.defaultPath(environment: environment)
    }
    #expect(try path(["XDG_STATE_HOME": "/s", "HOME": "/h"]) == "/s/roost")
    #expect(try path(["XDG_STATE_HOME": "s", "HOME": "/h"]) == "/h/.local/state/roost")
    #expect(try path(["HOME": "/"]) == "/.local/state/roost")
    #expect(throws: ConfigurationError.noDataDirectory) { try path([:]) }
    let own = try ConfigurationLoader(flags: ["data-dir": ["/d"]], environment: [:]).load()
    #expect(own.configuration.dataDirectory == "/d")
  }

  @Test("A data directory is made for its owner only; one that others may write is reported")
  func prepare() throws {
    let path = directory.file("a/b/c")
    #expect(try DataDirectory.prepare(path) == nil)
    #expect(directory.mode(of: "a/b/c") == 0o700)
    #expect(directory.mode(of: "a") == 0o700)
    chmod(path, 0o770)
    #expect(try DataDirectory.prepare(path)?.contains("chmod go-w") == true)
    try directory.write("", to: "file")
    #expect(throws: ConfigurationError.self) {
      try DataDirectory.prepare(directory.file("file"))
    }
    #expect(throws: ConfigurationError.self) {
      try DataDirectory.prepare(directory.file("file/below"))
    }
  }
}
