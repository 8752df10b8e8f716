/// A memory engine that a recovery can begin anew.
final class RestartableEngine {
  private let configuration: MemoryEngineConfiguration
  private(set) var engine: MemoryEngine

  init(_ configuration: MemoryEngineConfiguration) {
    var configuration = configuration
    // Nothing expires before the log takes it.
    configuration.sweepsInBackground = false
    self.configuration = configuration
    engine = MemoryEngine(configuration: configuration)
  }

  /// Takes over an answer that the log or a snapshot kept.
  func keepAnswer(_ image: UnsafeRawBufferPointer, revision: Int64) {
    engine.answers.load(image, revision: revision, now: engine.time.now)
  }

  /// Empty shards.
  func restart() -> ShardArray {
    engine = MemoryEngine(configuration: configuration)
    return engine.shards
  }
}
