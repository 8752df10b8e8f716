import ArgumentParser

/// How items are told apart in raw output and on standard input.
struct SeparatorOptions: ParsableArguments {
  @Flag(
    name: [.customShort("0"), .long],
    help: "Items of raw output and of standard input end with a zero byte, not a line break.")
  var null = false

  var terminator: UInt8 { null ? 0 : UInt8(ascii: "\n") }

  /// The items of an input; the terminator of the last one may be missing.
  func items(_ input: [UInt8]) -> [[UInt8]] {
    var items = input.split(separator: terminator, omittingEmptySubsequences: false).map(Array.init)
    if items.last?.isEmpty == true { items.removeLast() }
    return items
  }
}
