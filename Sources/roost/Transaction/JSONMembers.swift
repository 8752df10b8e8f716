/// The members of a JSON object as a reader takes them, by name. What nobody took is an error:
/// a misspelled condition must never pass as none.
struct JSONMembers {
  /// Where the object stands, for messages.
  let place: String
  private var members: [JSONValue.Member]

  init(_ json: JSONValue, at place: String) throws(UsageError) {
    guard case .object(let members) = json else {
      throw UsageError("\(place) must be an object, not \(json.kind)")
    }
    self.place = place
    self.members = members
  }

  mutating func take(_ name: String) -> JSONValue? {
    guard let index = members.firstIndex(where: { $0.name == name }) else { return nil }
    let value = members.remove(at: index).value
    return value == .null ? nil : value
  }

  mutating func string(_ name: String) throws(UsageError) -> String? {
    guard let json = take(name) else { return nil }
    guard case .string(let text) = json else { throw mismatch(name, "a string", json) }
    return text
  }

  mutating func bool(_ name: String) throws(UsageError) -> Bool? {
    guard let json = take(name) else { return nil }
    guard case .bool(let flag) = json else { throw mismatch(name, "true or false", json) }
    return flag
  }

  mutating func integer(_ name: String) throws(UsageError) -> Int64? {
    guard let json = take(name) else { return nil }
    guard case .integer(let number) = json else { throw mismatch(name, "a whole number", json) }
    return number
  }

  /// Empty where it is not there.
  mutating func array(_ name: String) throws(UsageError) -> [JSONValue] {
    guard let json = take(name) else { return [] }
    guard case .array(let elements) = json else { throw mismatch(name, "an array", json) }
    return elements
  }

  func finish() throws(UsageError) {
    guard let member = members.first else { return }
    throw UsageError("\(place) has no member \"\(member.name)\"")
  }

  private func mismatch(_ name: String, _ wanted: String, _ json: JSONValue) -> UsageError {
    UsageError("\"\(name)\" of \(place) must be \(wanted), not \(json.kind)")
  }
}
