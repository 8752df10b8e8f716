import RoostStore

/// Who makes a call: a verified token, as it was when it was verified. Calls carry it from the
/// authenticator to the handlers.
///
/// 1. It never changes: a token that is changed or revoked gets another principal or none.
/// 2. `packed` holds the ID and `grants` once more, as one block, so that a check touches no array
///    and no reference count.
///
/// Sendable although it holds pointers: their memory is written in `init` and freed in `deinit`.
public final class Principal: @unchecked Sendable {
  /// The public part of the token.
  public let tokenID: String
  /// The token's name, for people.
  public let name: String
  /// What the token allows; a call needs one grant that covers it whole.
  public let grants: [AccessGrant]
  /// Unix time, milliseconds.
  public let createdAtMillis: Int64
  /// Unix time, milliseconds; 0: never. From this millisecond on the token is not valid.
  public let expiresAtMillis: Int64
  /// Unix time, milliseconds; 0: not yet. Up to a minute late.
  public var lastUsedAtMillis: Int64 { usage.lastUsedAtMillis }
  let usage: TokenUsage
  /// `TokenRecord.digest`.
  let digest: [UInt8]

  /// `tokenID` as UTF-8, in `packed`: valid as long as this.
  let tokenIDBytes: UnsafeRawBufferPointer

  /// The actions that some grant allows on every key.
  private let everywhere: AccessActions
  /// The actions that any grant allows on any key.
  private let anywhere: AccessActions
  private let packed: UnsafeMutableRawBufferPointer
  private let scoped: UnsafeMutableBufferPointer<ScopedGrant>

  /// One grant with a prefix, in `packed`.
  private struct ScopedGrant {
    var actions: AccessActions
    var prefix: UnsafeRawBufferPointer
  }

  /// A principal with these grants. The prefixes are copied.
  public convenience init(
    tokenID: String, name: String, grants: [AccessGrant], createdAtMillis: Int64 = 0,
    expiresAtMillis: Int64 = 0
  ) {
    self.init(
      TokenRecord(
        id: tokenID, name: name, digest: [], grants: grants, createdAtMillis: createdAtMillis,
        expiresAtMillis: expiresAtMillis), usage: TokenUsage(lastUsedAtMillis: 0))
  }

  init(_ record: TokenRecord, usage: TokenUsage) {
    tokenID = record.id
    name = record.name
    grants = record.grants
    createdAtMillis = record.createdAtMillis
    expiresAtMillis = record.expiresAtMillis
    self.usage = usage
    digest = record.digest
    everywhere = grants.reduce(into: []) { if $1.prefix.isEmpty { $0.formUnion($1.actions) } }
    anywhere = grants.reduce(into: []) { $0.formUnion($1.actions) }
    let withPrefix = grants.filter { !$0.prefix.isEmpty }
    let id = Array(record.id.utf8.prefix(AnswerTicket.maxOwnerBytes))
    packed = .allocate(
      byteCount: withPrefix.reduce(id.count) { $0 + $1.prefix.count }, alignment: 1)
    scoped = .allocate(capacity: withPrefix.count)
    packed.copyBytes(from: id)
    tokenIDBytes = UnsafeRawBufferPointer(rebasing: packed[..<id.count])
    var offset = id.count
    for (index, grant) in withPrefix.enumerated() {
      let bytes = UnsafeMutableRawBufferPointer(
        rebasing: packed[offset..<offset + grant.prefix.count])
      bytes.copyBytes(from: grant.prefix)
      scoped.initializeElement(
        at: index,
        to: ScopedGrant(actions: grant.actions, prefix: UnsafeRawBufferPointer(bytes)))
      offset += grant.prefix.count
    }
  }

  deinit {
    scoped.deallocate()
    packed.deallocate()
  }

  /// Whether the token is not valid any more at `millis`, Unix time.
  func isExpired(atMillis millis: Int64) -> Bool {
    expiresAtMillis != 0 && expiresAtMillis <= millis
  }

  /// Whether `action` is granted at all. For calls that touch no key.
  public func allows(_ action: AccessAction) -> Bool {
    anywhere.contains(AccessActions(action))
  }

  /// Whether `action` on `key` is inside a grant. Allocates nothing.
  public func allows(_ action: AccessAction, key: UnsafeRawBufferPointer) -> Bool {
    let wanted = AccessActions(action)
    if everywhere.contains(wanted) { return true }
    for grant in scoped where grant.actions.contains(wanted) {
      if PrefixBound.contains(grant.prefix, key: key) { return true }
    }
    return false
  }

  /// Whether `action` on every key of `range` is inside one grant as a whole. A range that starts
  /// outside is refused even where it holds no key. Allocates nothing.
  public func allows(_ action: AccessAction, range: KeyRangeRef) -> Bool {
    let wanted = AccessActions(action)
    if everywhere.contains(wanted) { return true }
    for grant in scoped where grant.actions.contains(wanted) {
      if PrefixBound.contains(grant.prefix, range: range) { return true }
    }
    return false
  }

  /// Whether each action of `other` is inside one of these grants: what may be passed on.
  public func covers(_ other: AccessGrant) -> Bool {
    other.prefix.withUnsafeBytes { prefix in
      other.actions.actions.allSatisfy { allows($0, range: KeyRangeRef(prefix: prefix)) }
    }
  }
}
