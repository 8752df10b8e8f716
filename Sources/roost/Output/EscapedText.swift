/// Bytes on one line: what a terminal can show and a script can read back.
///
/// A backslash, a control character and a byte that is not part of valid UTF-8 are written as
/// `\\`, `\n`, `\r`, `\t` or `\xHH`; everything else stands for itself. So a line is always one
/// item, a tab always a separator, and no stored byte can steer the terminal.
enum EscapedText {
  static func line(_ bytes: [UInt8]) -> String {
    escape(bytes, keepingLineBreaks: false)
  }

  /// For a value shown alone on a terminal: line breaks, tabs and backslashes stay.
  static func block(_ bytes: [UInt8]) -> String {
    escape(bytes, keepingLineBreaks: true)
  }

  private static func escape(_ bytes: [UInt8], keepingLineBreaks: Bool) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count)
    var offset = 0
    while offset < bytes.count {
      let first = bytes[offset]
      let length = first < 0x80 ? 1 : validSequenceLength(bytes[offset...])
      if length == 0 {
        appendHex(first, to: &text)
        offset += 1
        continue
      }
      let sequence = bytes[offset..<(offset + length)]
      switch first {
      case UInt8(ascii: "\n") where !keepingLineBreaks: text += "\\n".utf8
      case UInt8(ascii: "\t") where !keepingLineBreaks: text += "\\t".utf8
      case UInt8(ascii: "\\") where !keepingLineBreaks: text += "\\\\".utf8
      case UInt8(ascii: "\n"), UInt8(ascii: "\t"): text.append(first)
      case UInt8(ascii: "\r"): text += "\\r".utf8
      case 0..<0x20, 0x7f: appendHex(first, to: &text)
      case 0x20..<0x7f: text.append(first)
      default:
        if steersTerminal(sequence) {
          for byte in sequence { appendHex(byte, to: &text) }
        } else {
          text += sequence
        }
      }
      offset += length
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func appendHex(_ byte: UInt8, to text: inout [UInt8]) {
    text += "\\x".utf8
    text += HexText.text(CollectionOfOne(byte)).utf8
  }

  /// The length of the multi-byte UTF-8 sequence that the bytes begin with; 0: there is none.
  private static func validSequenceLength(_ bytes: ArraySlice<UInt8>) -> Int {
    let length =
      switch bytes[bytes.startIndex] {
      case 0xc2...0xdf: 2
      case 0xe0...0xef: 3
      case 0xf0...0xf4: 4
      default: 0
      }
    guard length <= bytes.count else { return 0 }
    return String(validating: bytes.prefix(length), as: UTF8.self) == nil ? 0 : length
  }

  /// Whether a valid sequence of two or more bytes is a control character (C1), or one of those
  /// that break or reorder a line.
  private static func steersTerminal(_ sequence: ArraySlice<UInt8>) -> Bool {
    guard let scalar = String(decoding: sequence, as: UTF8.self).unicodeScalars.first else {
      return false
    }
    switch scalar.value {
    case 0x80...0x9f, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: return true
    default: return false
    }
  }
}
