import RoostStore

/// What a grant lets its holder do. Raw values are those of `roost.v1.Action`.
public enum AccessAction: UInt8, Sendable, Hashable, CaseIterable {
  /// Get, BatchGet, ListRange, Scan, Count, Watch, Poll.
  case read = 1
  /// Set, Delete, DeleteRange, Increment, Touch, Push, Pop.
  case write = 2
  /// The calls of Auth and Admin; implies nothing about keys.
  case admin = 3

  /// The action's name in commands and files.
  public var name: String {
    switch self {
    case .read: "read"
    case .write: "write"
    case .admin: "admin"
    }
  }
}

/// A set of actions.
public struct AccessActions: OptionSet, Sendable, Hashable {
  /// One bit for each action, at the place that the action's raw value names.
  public let rawValue: UInt8

  /// The set whose bits are `rawValue`.
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// The set of this one action.
  @inlinable public init(_ action: AccessAction) { rawValue = 1 << action.rawValue }

  /// Only `AccessAction.read`.
  public static let read = AccessActions(.read)
  /// Only `AccessAction.write`.
  public static let write = AccessActions(.write)
  /// Only `AccessAction.admin`.
  public static let admin = AccessActions(.admin)
  /// Every action.
  public static let all: AccessActions = [.read, .write, .admin]

  /// The actions of the set, in the order of their raw values.
  public var actions: [AccessAction] {
    AccessAction.allCases.filter { contains(AccessActions($0)) }
  }
}

/// Actions on the keys that begin with `prefix`; an empty prefix means every key.
public struct AccessGrant: Sendable, Hashable {
  /// The longest prefix, in bytes: that of a key.
  public static let maxPrefixBytes = 4096

  /// What the keys of this grant begin with.
  public var prefix: [UInt8]
  /// What may be done to them.
  public var actions: AccessActions

  /// A grant of `actions` on every key that begins with `prefix`.
  public init(_ actions: AccessActions, prefix: [UInt8] = []) {
    self.prefix = prefix
    self.actions = actions
  }
}

/// How a prefix bounds keys and ranges. Nothing here allocates.
enum PrefixBound {
  /// Whether `key` begins with `prefix`.
  @inline(__always)
  static func contains(_ prefix: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer) -> Bool {
    key.count >= prefix.count && isEqual(prefix, key, count: prefix.count)
  }

  /// Whether every key in `range` begins with `prefix`. A range that names a prefix and ends too
  /// lies inside only if both descriptions of it do.
  static func contains(_ prefix: UnsafeRawBufferPointer, range: KeyRangeRef) -> Bool {
    if prefix.isEmpty { return true }
    let isPlain = range.start.isEmpty && range.end.isEmpty
    if !range.prefix.isEmpty || isPlain, !contains(prefix, key: range.prefix) { return false }
    if isPlain { return true }
    return contains(prefix, key: range.start) && ends(range.end, inside: prefix)
  }

  /// Whether an exclusive `end` (empty: to the last key) is at most the successor of `prefix`:
  /// the prefix up to its last byte that is not 0xFF, with that byte one higher. A prefix of
  /// 0xFF alone has no successor: the keys that begin with it are the last ones.
  static func ends(_ end: UnsafeRawBufferPointer, inside prefix: UnsafeRawBufferPointer) -> Bool {
    guard let last = prefix.lastIndex(where: { $0 != 0xFF }) else { return true }
    if end.isEmpty { return false }
    for index in 0..<last {
      if index == end.count { return true }
      if end[index] != prefix[index] { return end[index] < prefix[index] }
    }
    if end.count <= last { return true }
    if end[last] <= prefix[last] { return true }
    return end[last] == prefix[last] + 1 && end.count == last + 1
  }

  @inline(__always)
  private static func isEqual(
    _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, count: Int
  ) -> Bool {
    var index = 0
    while index < count {
      if left[index] != right[index] { return false }
      index += 1
    }
    return true
  }
}
