import ServiceLifecycle

/// Takes over changes of `tokens.json` while the server runs, and notes when tokens were used.
/// `roostd token revoke` takes effect at the next look, which by default is within two seconds.
public struct TokenWatcher: Service {
  /// How often the file is looked at.
  public static let defaultInterval = Duration.seconds(1)
  /// How many looks there are between two notes of the tokens' use: a minute.
  private static let looksPerSave = 60

  private let store: TokenStore
  private let interval: Duration

  /// A watcher that looks every `interval`.
  public init(store: TokenStore, interval: Duration = defaultInterval) {
    self.store = store
    self.interval = interval
  }

  /// Watches until the server is told to stop; returns without an error then.
  public func run() async throws {
    do {
      try await cancelWhenGracefulShutdown { try await watch() }
    } catch is CancellationError {
      // This is how a graceful shutdown ends it.
    }
    store.saveUsage()
  }

  private func watch() async throws {
    var looks = 0
    while true {
      try await Task.sleep(for: interval)
      store.reloadIfChanged()
      looks += 1
      if looks % Self.looksPerSave == 0 { store.saveUsage() }
    }
  }
}
