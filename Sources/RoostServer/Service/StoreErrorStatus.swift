import RoostStore
import TTRPC

extension StoreError {
  /// The one place where the store's failures become status codes.
  var status: RPCError {
    switch self {
    case .notFound:
      RPCError(.notFound, "there is no such key")
    case .alreadyExists:
      RPCError(.alreadyExists, "the key exists already")
    case .revisionMismatch(let current):
      RPCError(.aborted, "the key's revision is \(current): read it again, then retry")
    case .valueMismatch(let current):
      RPCError(
        .aborted, "the key's value is another, at revision \(current): read it again, then retry")
    case .wrongType(let found, let needed):
      RPCError(
        .failedPrecondition,
        "the key holds \(found.article), this call needs \(needed.article): use another key")
    case .counterOverflow:
      RPCError(.outOfRange, "the sum is outside of a signed 64-bit integer: nothing was added")
    case .durabilityUnavailable(let durability):
      RPCError(
        .failedPrecondition,
        "this engine cannot give the durability \(durability): ask for less, or leave it out")
    case .replyTooLarge(let bytes, let limit):
      RPCError(
        .resourceExhausted,
        "the answer takes \(bytes) bytes or more, the limit is \(limit): nothing was done, "
          + "ask for less at once")
    case .valueTooLarge(let bytes, let items, let limit):
      RPCError(.resourceExhausted, Self.tooLarge(bytes: bytes, items: items, limit: limit))
    case .listTooLong(let items, let limit):
      RPCError(
        .resourceExhausted, "the list would have \(items) items, the limit is \(limit)")
    case .listTooLarge(let bytes, let limit):
      RPCError(
        .resourceExhausted, "the list would have \(bytes) bytes, the limit is \(limit)")
    case .rangeTooLarge(let keys, let limit):
      RPCError(
        .resourceExhausted,
        "the range holds \(keys) keys or more, the limit is \(limit): nothing was deleted, "
          + "delete smaller ranges")
    case .invalidPattern(let reason):
      RPCError(.invalidArgument, "the pattern is not valid: \(reason)")
    case .memoryExhausted:
      RPCError(.resourceExhausted, "the server's memory limit is reached: nothing was written")
    case .idempotencyKeyReused:
      RPCError(
        .invalidArgument,
        "the idempotency key was used for another request: repeat that one, or use a new key")
    case .unavailable(let reason):
      RPCError(.unavailable, "the store cannot do it now, it was not executed: \(reason)")
    case .dataLoss(let reason):
      RPCError(.dataLoss, "stored data is damaged: \(reason)")
    case .stepFailed(let index, let error):
      RPCError(error.status.code, "step \(index) failed, nothing was done: \(error.status.message)")
    }
  }

  private static func tooLarge(bytes: Int, items: Int?, limit: Int) -> String {
    guard let items else {
      return "the value has \(bytes) bytes, an answer holds \(limit): only keys_only can show it"
    }
    return "the list has \(items) items and \(bytes) bytes, an answer holds"
      + " \(ReplyArena.maxItems) items and \(limit) bytes: read it in parts with ListRange, or"
      + " without its value with keys_only"
  }
}

extension ValueKind {
  fileprivate var article: String {
    switch self {
    case .bytes: "bytes"
    case .text: "a text"
    case .int: "an integer"
    case .double: "a double"
    case .bool: "a bool"
    case .list: "a list"
    }
  }
}
