/// Standard input, which can be had once.
final class StandardInput {
  private var isTaken = false
  private let readAll: () throws(UsageError) -> [UInt8]

  init(
    _ readAll: @escaping () throws(UsageError) -> [UInt8] = { () throws(UsageError) in
      try ByteSource.standardInput()
    }
  ) {
    self.readAll = readAll
  }

  func take() throws(UsageError) -> [UInt8] {
    if isTaken { throw UsageError("standard input ('-') can be used only once") }
    isTaken = true
    return try readAll()
  }
}

/// The bytes that an argument stands for: its own, those that its hexadecimal digits name, or
/// for `-` all of standard input.
struct ArgumentReader {
  let isHex: Bool
  let input: StandardInput

  func key(_ argument: String) throws(UsageError) -> [UInt8] {
    let key = try bytes(argument)
    if key.isEmpty { throw UsageError("the key is empty") }
    return key
  }

  /// A value or an item, which may be empty.
  func bytes(_ argument: String) throws(UsageError) -> [UInt8] {
    if argument == "-" { return try input.take() }
    return isHex ? try HexText.bytes(argument) : Array(argument.utf8)
  }
}
