/// Why JSON did not become a message.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Where: field names from the outermost message on, as in `success[0].set.value`; empty: the
  /// whole text.
  public var path: String
  /// What is wrong there, and what would be right.
  public var problem: String

  /// Where, and what is wrong there.
  public var description: String { path.isEmpty ? problem : "\(path): \(problem)" }
}
