/// Why a command did nothing. A command that throws has changed nothing and took no revision.
public enum StoreError: Error, Sendable, Hashable {
  case notFound
  case alreadyExists
  /// A revision condition met another revision: 0 where an earlier step of the same transaction
  /// has changed the key, so that its revision is still to come.
  case revisionMismatch(current: Int64)
  /// A value condition met another value, of this revision (0: as above).
  case valueMismatch(current: Int64)
  case wrongType(found: ValueKind, needed: ValueKind)
  case counterOverflow
  case durabilityUnavailable(WriteDurability)
  /// The answer could not be sent, so nothing was done.
  case replyTooLarge(bytes: Int, limit: Int)
  /// The value that was asked for does not fit an answer. `items`: of a list.
  case valueTooLarge(bytes: Int, items: Int?, limit: Int)
  case listTooLong(items: Int, limit: Int)
  case listTooLarge(bytes: Int, limit: Int)
  case rangeTooLarge(keys: Int64, limit: Int)
  case invalidPattern(String)
  case memoryExhausted
  /// Another request had this idempotency key before.
  case idempotencyKeyReused
  /// The engine cannot do it now; it was not executed.
  case unavailable(String)
  case dataLoss(String)
  /// Step `index` of a transaction failed.
  indirect case stepFailed(index: Int, StoreError)
}
