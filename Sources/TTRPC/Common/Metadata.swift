/// What travels beside a request: ordered pairs, a key may come more than once. Keys are compared
/// as they are; by convention they are lower-case ASCII.
public struct Metadata: Sendable, Hashable {
  /// One key with one value.
  public struct Pair: Sendable, Hashable {
    /// By convention lower-case ASCII.
    public var key: String
    /// Any text.
    public var value: String
  }
  /// All pairs, in their order.
  public private(set) var pairs: [Pair] = []

  public init() {}
  /// Adds a pair behind those that there are, of the same key too.
  public mutating func append(_ value: String, for key: String) {
    pairs.append(Pair(key: key, value: value))
  }
  /// The first value of `key`.
  public func first(_ key: String) -> String? { pairs.first { $0.key == key }?.value }
  /// Every value of `key`, in their order.
  public func all(_ key: String) -> [String] { pairs.filter { $0.key == key }.map(\.value) }
  /// Removes every pair of `key`.
  public mutating func removeAll(_ key: String) { pairs.removeAll { $0.key == key } }
}

extension Metadata: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, String)...) {
    for (key, value) in elements { append(value, for: key) }
  }
}
