import RoostStore
import TTRPC

/// Why a request is refused before the store is asked. Every message says what was wrong, with
/// sizes and limits but never with keys or values, and what to do.
enum RequestError: Error, Sendable {
  case malformed
  case decodingTooLarge(limit: Int)

  case emptyKey
  case keyTooLong(bytes: Int, limit: Int)
  case missingValue
  case unknownValueKind
  case valueTooLong(bytes: Int, limit: Int)
  case textNotUTF8

  case unknownExpirationKind
  case keepFalse
  case ttlOutOfRange(millis: Int64)
  case endTooFar(millis: Int64)
  case unknownConditionKind
  case conditionRevision(Int64)

  case unknownDurability(Int64)
  case idempotencyKeyTooLong(bytes: Int, limit: Int)
  case stepOptions
  case unknownListEnd(Int64)
  case count(of: StaticString, Int64, allowed: ClosedRange<Int64>)

  case rangeWithPrefixAndBounds
  case rangeReversed
  case rangeBoundTooLong(StaticString, bytes: Int, limit: Int)
  case unknownMatchKind(Int64)
  case patternWithoutKind
  case emptyPattern
  case patternTooLong(bytes: Int, limit: Int)
  case pageTokenUnreadable
  case pageTokenOfAnotherScan

  case unknownOperationKind
  case missingCondition
  case permissionDenied(AccessAction)
  case tooManyLongCalls(limit: Int)
  case requestTooLong(bytes: Int, limit: Int)
  /// Element `index` of the repeated field `field` is at fault.
  indirect case element(field: StaticString, index: Int, RequestError)
}

extension RequestError {
  /// The code that the caller gets.
  var code: StatusCode {
    switch self {
    case .malformed, .emptyKey, .keyTooLong, .missingValue, .unknownValueKind, .valueTooLong,
      .textNotUTF8, .unknownExpirationKind, .keepFalse, .ttlOutOfRange, .endTooFar,
      .unknownConditionKind, .conditionRevision, .unknownDurability, .stepOptions,
      .idempotencyKeyTooLong,
      .unknownListEnd, .count, .rangeWithPrefixAndBounds, .rangeReversed, .rangeBoundTooLong,
      .unknownMatchKind, .patternWithoutKind, .emptyPattern, .patternTooLong,
      .pageTokenUnreadable, .pageTokenOfAnotherScan, .unknownOperationKind, .missingCondition:
      .invalidArgument
    case .decodingTooLarge, .requestTooLong: .resourceExhausted
    case .permissionDenied: .permissionDenied
    case .tooManyLongCalls: .unavailable
    case .element(_, _, let error): error.code
    }
  }

  /// What the caller reads.
  var message: String {
    switch self {
    case .element(let field, let index, let error): "\(field)[\(index)]: \(error.message)"
    case .malformed:
      "the request is not a valid protobuf encoding of this method's message"
    case .decodingTooLarge(let limit):
      "decoding the request takes more than \(limit) bytes: send fewer or larger elements"
    case .permissionDenied(let action):
      "the token has no grant to \(action.name) all that this call touches"
    case .tooManyLongCalls(let limit):
      "\(limit) long scans and deletions are under way: nothing was done, try again later"
    case .requestTooLong(let bytes, let limit):
      "a long scan or deletion has \(bytes) bytes of request, the limit is \(limit): "
        + "leave out what it does not need"
    default: keyAndValueMessage ?? writeMessage ?? rangeMessage ?? "the request is not valid"
    }
  }

  private var keyAndValueMessage: String? {
    switch self {
    case .emptyKey: "the key is empty: a key has at least 1 byte"
    case .keyTooLong(let bytes, let limit):
      "the key has \(bytes) bytes, the limit is \(limit): use a shorter key"
    case .missingValue: "the value is missing: set one of the kinds of Value"
    case .unknownValueKind:
      "the value is of no kind that this server knows: set one of the kinds of Value"
    case .valueTooLong(let bytes, let limit):
      "the value or list item has \(bytes) bytes, the limit is \(limit): split it"
    case .textNotUTF8: "text_value is not valid UTF-8: use bytes_value for other bytes"
    default: nil
    }
  }

  private var writeMessage: String? {
    switch self {
    case .unknownExpirationKind:
      "the expiration is of no kind that this server knows: set ttl_ms, at_ms or keep"
    case .keepFalse: "keep is false: leave the expiration out, or set keep to true"
    case .ttlOutOfRange(let millis):
      "ttl_ms is \(millis): it is 1 to \(RequestLimits.maxTTLMillis) (10 years)"
    case .endTooFar(let millis): "at_ms is \(millis): it is at most 10 years from now"
    case .unknownConditionKind:
      "the condition is of no kind that this server knows: set exists, revision or value"
    case .missingCondition: "the condition is missing: set exists, revision or value"
    case .conditionRevision(let revision):
      "the condition's revision is \(revision): revisions begin at 1; use exists: false for none"
    case .unknownDurability(let value): "durability \(value) is not known to this server"
    case .idempotencyKeyTooLong(let bytes, let limit):
      "the idempotency key has \(bytes) bytes, the limit is \(limit): use a shorter one"
    case .stepOptions: "steps carry no options: set them on the transaction"
    case .unknownListEnd(let value): "list end \(value) is not known: use BACK or FRONT"
    case .count(let field, let count, let allowed):
      "\(field) is \(count): it is \(allowed.lowerBound) to \(allowed.upperBound)"
    case .unknownOperationKind:
      "the operation is of no kind that this server knows: get, set, delete, increment, push, pop"
    default: nil
    }
  }

  private var rangeMessage: String? {
    switch self {
    case .rangeWithPrefixAndBounds:
      "the range has a prefix and start or end: set the prefix alone, or start and end"
    case .rangeReversed: "the range's start is after its end: swap them"
    case .rangeBoundTooLong(let field, let bytes, let limit):
      "the range's \(field) has \(bytes) bytes, the limit is \(limit)"
    case .unknownMatchKind(let value): "match_kind \(value) is not known: use GLOB or REGEX"
    case .patternWithoutKind: "the pattern has no match_kind: set GLOB or REGEX"
    case .emptyPattern: "the pattern is empty: leave match_kind out to match every key"
    case .patternTooLong(let bytes, let limit):
      "the pattern has \(bytes) bytes, the limit is \(limit)"
    case .pageTokenUnreadable:
      "the page token is damaged or of another version: scan again without it"
    case .pageTokenOfAnotherScan:
      "the page token belongs to another range, pattern or direction: repeat those of its scan"
    default: nil
    }
  }
}
