import Glibc

/// The variables of the environment, or a test's stand-in for them.
struct Environment: Sendable {
  private let lookUp: @Sendable (String) -> String?

  /// The process's own.
  static let process = Environment { name in getenv(name).map { String(cString: $0) } }

  init(_ lookUp: @escaping @Sendable (String) -> String?) { self.lookUp = lookUp }

  init(_ variables: [String: String]) { lookUp = { variables[$0] } }

  subscript(_ name: String) -> String? { lookUp(name) }
}
