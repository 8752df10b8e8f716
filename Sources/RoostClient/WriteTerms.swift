import RoostAPI
import TTRPC

extension RoostClient {
  /// When a key ends.
  public enum Expiration: Sendable, Hashable {
    /// It stays until it is deleted.
    case never
    /// After this time: 1 ms to 10 years.
    case after(Duration)
    /// At this Unix time, in milliseconds; a past one deletes at once.
    case atUnixMillis(Int64)
    /// As it was before the write.
    case unchanged

    /// `nil`: never.
    var message: RoostAPI.Expiration? {
      switch self {
      case .never: return nil
      case .after(let duration):
        // Rounded up: a key does not end before its time.
        let (nanos, overflow) = duration.nanosecondsClamped.addingReportingOverflow(999_999)
        return RoostAPI.Expiration(kind: .ttlMs((overflow ? .max : nanos) / 1_000_000))
      case .atUnixMillis(let millis): return RoostAPI.Expiration(kind: .atMs(millis))
      case .unchanged: return RoostAPI.Expiration(kind: .keep(true))
      }
    }

    /// For the calls where an absent one means unchanged.
    var messageWhereAbsentIsUnchanged: RoostAPI.Expiration? {
      get throws(RoostError) {
        switch self {
        case .unchanged: return nil
        case .never:
          throw RoostError(
            .unimplemented,
            "this call cannot make a key permanent: use touch(_:expiration: .never)")
        case .after, .atUnixMillis: return message
        }
      }
    }
  }

  /// What must hold for a write to happen; checked in the same atomic step.
  public enum Condition: Sendable, Hashable {
    /// The key exists, else `notFound`.
    case exists
    /// The key does not exist, else `alreadyExists`.
    case absent
    /// The entry's revision is exactly this, else `aborted`; `notFound` without an entry.
    case revision(Int64)
    /// The entry's value equals this, else `aborted`; `notFound` without an entry.
    case equals(RoostValue)

    /// The entry's value equals this, else `aborted`; `notFound` without an entry.
    public static func value(_ value: some RoostValueConvertible) -> Condition {
      .equals(value.roostValue)
    }

    var message: RoostAPI.Condition {
      switch self {
      case .exists: return RoostAPI.Condition(kind: .exists(true))
      case .absent: return RoostAPI.Condition(kind: .exists(false))
      case .revision(let revision): return RoostAPI.Condition(kind: .revision(revision))
      case .equals(let value): return RoostAPI.Condition(kind: .value(value.message))
      }
    }
  }

  /// How far a write must have got before it is acknowledged.
  public enum Durability: Sendable, Hashable {
    /// As the server is configured.
    case serverDefault
    /// Applied; a crash may lose it.
    case memory
    /// Handed to the operating system; survives the server's process.
    case logged
    /// On stable storage; survives power loss.
    case synced

    /// `nil`: nothing to say.
    func options(
      _ key: IdempotencyKey? = nil, returnPrevious: Bool = false
    ) -> WriteOptions? {
      let durability: RoostAPI.Durability
      switch self {
      case .serverDefault: durability = .unspecified
      case .memory: durability = .memory
      case .logged: durability = .logged
      case .synced: durability = .synced
      }
      if durability == .unspecified, !returnPrevious, key == nil { return nil }
      return WriteOptions(
        idempotencyKey: key?.bytes ?? [], durability: durability, returnPrevious: returnPrevious)
    }
  }

  /// Which keys, in byte order.
  public struct KeyRange: Sendable, Hashable {
    let message: RoostAPI.KeyRange

    /// Every key.
    public static let all = KeyRange(message: RoostAPI.KeyRange())

    /// All keys that begin with it.
    public static func prefix(_ prefix: some RoostKeyConvertible) -> KeyRange {
      KeyRange(message: RoostAPI.KeyRange(prefix: prefix.roostKey.bytes))
    }
    /// From one key, inclusive, to the last.
    public static func from(_ start: some RoostKeyConvertible) -> KeyRange {
      KeyRange(message: RoostAPI.KeyRange(start: start.roostKey.bytes))
    }
    /// From one key, inclusive, to another, exclusive.
    public static func from(
      _ start: some RoostKeyConvertible, to end: some RoostKeyConvertible
    ) -> KeyRange {
      KeyRange(
        message: RoostAPI.KeyRange(start: start.roostKey.bytes, end: end.roostKey.bytes))
    }
  }

  /// One end of a list.
  public enum ListEnd: Sendable, Hashable {
    /// The first item's side.
    case front
    /// The last item's side.
    case back

    var message: RoostAPI.ListEnd {
      switch self {
      case .front: return .front
      case .back: return .back
      }
    }
  }
}
