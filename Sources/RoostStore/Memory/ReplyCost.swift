/// What parts of an answer take once they are encoded, at most, in bytes.
///
/// Each figure is what the message of `roost.v1` takes with all its numbers at their longest: a
/// tag of one byte, a length or number of up to ten.
enum ReplyCost {
  /// An entry without its key and value: six numbers, a flag, and the tags and lengths of
  /// itself, its value and the message around it.
  static let entry = 96
  /// An answer's or a step's own numbers.
  static let result = 48
  /// Tag and length of an item up to 127 bytes, and of a longer one.
  static let shortItem = 2
  static let longItem = 5

  /// One item of a list.
  @inline(__always) static func item(_ bytes: Int) -> Int {
    bytes &+ (bytes < 128 ? shortItem : longItem)
  }
}
