/// Grants as people write them: `read,write:user:` is READ and WRITE on the keys that begin with
/// `user:`; `read` is READ on every key; `all` is every action. In a prefix `\xHH` is the byte HH
/// and `\\` a backslash.
public enum GrantText {
  /// Why a text is not a grant.
  public enum Defect: Error, Sendable, Hashable {
    /// A word that is no action.
    case unknownAction(String)
    /// A colon and nothing after it, which may be an empty variable rather than "every key".
    case emptyPrefix
    /// A backslash that begins no escape.
    case badEscape
    /// What no grant may be.
    case record(TokenRecord.Defect)
  }

  /// Reads one grant.
  public static func parse(_ text: String) throws(Defect) -> AccessGrant {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var actions: AccessActions = []
    for word in parts[0].split(separator: ",", omittingEmptySubsequences: false) {
      if word == "all" {
        actions.formUnion(.all)
      } else if let action = AccessAction.allCases.first(where: { $0.name == word }) {
        actions.formUnion(AccessActions(action))
      } else {
        throw .unknownAction(String(word))
      }
    }
    guard parts.count == 2 else { return AccessGrant(actions) }
    if parts[1].isEmpty { throw .emptyPrefix }
    let grant = AccessGrant(actions, prefix: try unescape(parts[1]))
    if actions.contains(.admin) { throw .record(.adminWithPrefix) }
    if grant.prefix.count > AccessGrant.maxPrefixBytes {
      throw .record(.prefixTooLong(bytes: grant.prefix.count))
    }
    return grant
  }

  /// Writes a grant so that `parse` reads the same one.
  public static func format(_ grant: AccessGrant) -> String {
    let actions =
      grant.actions == .all
      ? "all" : grant.actions.actions.map(\.name).joined(separator: ",")
    return grant.prefix.isEmpty ? actions : actions + ":" + escape(grant.prefix)
  }

  private static func unescape(_ text: Substring) throws(Defect) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      switch rest.popFirst() {
      case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
      case UInt8(ascii: "x"):
        guard let pair = HexText.decode(String(decoding: rest.prefix(2), as: UTF8.self)),
          pair.count == 1
        else { throw .badEscape }
        bytes.append(pair[0])
        rest = rest.dropFirst(2)
      default: throw .badEscape
      }
    }
    return bytes
  }

  private static func escape(_ prefix: [UInt8]) -> String {
    let isText = String(validating: prefix, as: UTF8.self) != nil
    return prefix.reduce(into: [UInt8]()) { result, byte in
      if byte == UInt8(ascii: "\\") {
        result += Array("\\\\".utf8)
      } else if byte < 0x20 || byte == 0x7F || byte >= 0x80 && !isText {
        result += Array("\\x".utf8) + Array(HexText.encode([byte]).utf8)
      } else {
        result.append(byte)
      }
    }.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }
}

extension GrantText.Defect: CustomStringConvertible {
  /// What is wrong and what to write instead.
  public var description: String {
    switch self {
    case .unknownAction(let word):
      "\(quoted(word)) is no action: write read, write, admin or all, then :PREFIX"
    case .emptyPrefix: "the prefix after the colon is empty: for every key leave out the colon"
    case .badEscape: "a backslash begins \\xHH or is written \\\\"
    case .record(let defect): defect.description
    }
  }
}
