/// What a mutation did to one key, as it is logged. The record is as it is after the change, but
/// for its revision, which is the one before until the change has its own.
enum Change {
  /// A key that was not there.
  case create(Record)
  /// A value that replaced another.
  case put(Record)
  /// When the key ends.
  case touch(Record)
  /// Items that were added at `side`; `trimmed` items were then cut off at the other.
  case push(Record, UnsafeBufferPointer<ByteSlice>, side: ListSide, trimmed: Int)
  /// Items that were taken from `side`.
  case pop(Record, count: Int, side: ListSide)
  case delete(Record)
  case expire(Record)

  @inline(__always) var record: Record {
    switch self {
    case .create(let record), .put(let record), .touch(let record), .delete(let record),
      .expire(let record):
      record
    case .push(let record, _, side: _, trimmed: _), .pop(let record, count: _, side: _): record
    }
  }

  /// Whether the record takes the change's revision.
  @inline(__always) var keepsRecord: Bool {
    switch self {
    case .delete, .expire: false
    default: true
    }
  }
}
