import RoostAPI
import Synchronization

/// Why a call is not authenticated. The caller is never told which; the log is.
enum TokenRefusal: String, Error, Sendable, Hashable {
  case noToken = "no token"
  case notABearer = "not a bearer token"
  case malformed = "malformed token"
  case unknownID = "unknown or revoked token"
  case wrongSecret = "wrong secret"
  case expired = "expired token"
}

/// When a token was last used. Shared by all versions of a token's entry.
final class TokenUsage: Sendable {
  private let millis: Atomic<Int64>

  init(lastUsedAtMillis: Int64) { millis = Atomic(lastUsedAtMillis) }

  /// Unix time, milliseconds; 0: not yet.
  var lastUsedAtMillis: Int64 { millis.load(ordering: .relaxed) }

  func mark(_ nowMillis: Int64) {
    if nowMillis > lastUsedAtMillis { millis.store(nowMillis, ordering: .relaxed) }
  }
}

/// One token in force.
struct TokenEntry: Sendable {
  let record: TokenRecord
  let principal: Principal
}

/// The tokens in force between two changes of the file. It never changes.
final class TokenTable: Sendable {
  /// Counts the tables of this process: what was verified against another one has to be verified
  /// again.
  let generation: UInt64
  private let entries: [UInt64: TokenEntry]
  /// What a token with an unknown ID is compared with, so that it costs as much as a known one.
  private let noDigest = [UInt8](repeating: 0, count: TokenRecord.digestByteCount)

  /// A token that `previous` has in the same form keeps its principal.
  init(
    generation: UInt64, records: [TokenRecord], previous: TokenTable?,
    usage: (String) -> TokenUsage
  ) {
    self.generation = generation
    var entries: [UInt64: TokenEntry] = [:]
    for record in records {
      let id = Array(record.id.utf8).withUnsafeBytes(Self.packID)
      if let old = previous?.entries[id], old.record == record {
        entries[id] = old
      } else {
        entries[id] = TokenEntry(
          record: record, principal: Principal(record, usage: usage(record.id)))
      }
    }
    self.entries = entries
  }

  /// How many tokens there are, expired ones too.
  var count: Int { entries.count }

  /// The principal that stands now for one of an earlier table: the token is there and its secret
  /// is the same. It may be expired, and its grants may be others.
  func successor(of principal: Principal) -> Principal? {
    let id = Array(principal.tokenID.utf8).withUnsafeBytes(Self.packID)
    guard let entry = entries[id], entry.record.digest == principal.digest else { return nil }
    return entry.principal
  }

  /// Whose token this is. Hashes, so callers remember the answer. What the comparison takes does
  /// not depend on the secret.
  func verify(
    _ token: UnsafeRawBufferPointer, nowMillis: Int64
  ) throws(TokenRefusal) -> Principal {
    guard TokenFormat.defect(token) == nil else { throw .malformed }
    let id = Self.packID(UnsafeRawBufferPointer(rebasing: token[6..<14]))
    let entry = entries[id]
    let digest = TokenRecord.digest(token)
    let isEqual = ConstantTime.isEqual(digest, entry?.record.digest ?? noDigest)
    guard let entry else { throw .unknownID }
    guard isEqual else { throw .wrongSecret }
    guard !entry.principal.isExpired(atMillis: nowMillis) else { throw .expired }
    return entry.principal
  }

  private static func packID(_ id: UnsafeRawBufferPointer) -> UInt64 {
    id.loadUnaligned(as: UInt64.self)
  }
}

/// Comparisons whose time depends on lengths only.
enum ConstantTime {
  static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.withUnsafeBytes { left in right.withUnsafeBytes { isEqual(left, $0) } }
  }

  @inline(__always)
  static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in 0..<left.count { difference |= left[index] ^ right[index] }
    return difference == 0
  }
}
