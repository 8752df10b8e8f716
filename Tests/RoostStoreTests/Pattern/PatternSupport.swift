import RoostStore
import Testing

extension KeyPattern {
  convenience init(bytes kind: Kind, _ pattern: [UInt8]) throws(StoreError) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: pattern.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: pattern)
    try self.init(kind, UnsafeRawBufferPointer(copy))
  }

  func matches(bytes key: [UInt8]) -> Bool {
    key.withUnsafeBytes { matches($0) }
  }
}

func matches(_ kind: KeyPattern.Kind, _ pattern: String, _ key: String) throws -> Bool {
  try KeyPattern(bytes: kind, Array(pattern.utf8)).matches(bytes: Array(key.utf8))
}

/// The reason for which a pattern is refused.
func refusal(_ kind: KeyPattern.Kind, _ pattern: String) throws -> String {
  let error = #expect(throws: StoreError.self) {
    _ = try KeyPattern(bytes: kind, Array(pattern.utf8))
  }
  guard case .invalidPattern(let reason) = try #require(error) else {
    Issue.record("\(pattern) threw \(String(describing: error))")
    return ""
  }
  return reason
}
