import CProtobufC

// What generated `makeCMessage` calls: one copy for each shape of field.
extension Arena {
  /// An array of numbers; `nil` where it is empty.
  /// - Throws: `overBudget`.
  @inlinable public func copy<T: BitwiseCopyable>(
    _ values: [T]
  ) throws(DecodeError) -> UnsafeMutablePointer<T>? {
    guard !values.isEmpty else { return nil }
    let copy = try allocate(T.self, count: values.count)
    values.withUnsafeBufferPointer { copy.initialize(from: $0.baseAddress!, count: $0.count) }
    return copy
  }

  /// An array of truth values, as C has them.
  /// - Throws: `overBudget`.
  public func copy(
    _ values: [Bool]
  ) throws(DecodeError) -> UnsafeMutablePointer<protobuf_c_boolean>? {
    guard !values.isEmpty else { return nil }
    let copy = try allocate(protobuf_c_boolean.self, count: values.count)
    for (index, value) in values.enumerated() { copy[index] = value ? 1 : 0 }
    return copy
  }

  /// An array of an enum's numbers.
  /// - Throws: `overBudget`.
  @inlinable public func copy<E: OpenEnum, CEnum: RawRepresentable>(
    _ values: [E]
  ) throws(DecodeError) -> UnsafeMutablePointer<CEnum>? where CEnum.RawValue: FixedWidthInteger {
    guard !values.isEmpty else { return nil }
    let copy = try allocate(CEnum.self, count: values.count)
    for (index, value) in values.enumerated() {
      let number = CEnum.RawValue(truncatingIfNeeded: value.rawValue)
      (copy + index).initialize(to: CEnum(rawValue: number)!)
    }
    return copy
  }

  /// An array of `bytes`.
  /// - Throws: `overBudget`.
  public func copy(
    _ values: [[UInt8]]
  ) throws(DecodeError) -> UnsafeMutablePointer<ProtobufCBinaryData>? {
    guard !values.isEmpty else { return nil }
    let copies = try allocate(ProtobufCBinaryData.self, count: values.count)
    for (index, value) in values.enumerated() {
      (copies + index).initialize(to: try copy(value))
    }
    return copies
  }

  /// An array of messages.
  /// - Throws: `overBudget`.
  @inlinable public func copy<M: Message>(
    _ values: [M]
  ) throws(DecodeError) -> UnsafeMutablePointer<UnsafeMutablePointer<M.View.CMessage>?>? {
    guard !values.isEmpty else { return nil }
    let copies = try allocate(UnsafeMutablePointer<M.View.CMessage>?.self, count: values.count)
    for (index, value) in values.enumerated() {
      (copies + index).initialize(to: try value.makeCMessage(in: self))
    }
    return copies
  }

  /// The `string` of field `number`. With a NUL byte in it, it goes to the unknown fields of
  /// `message` instead, already encoded, and the result is `nil`: that is the one form in which
  /// libprotobuf-c encodes it whole.
  /// - Throws: `overBudget`.
  public func copy<CMessage>(
    _ string: String, field number: Int, of message: UnsafeMutablePointer<CMessage>
  ) throws(DecodeError) -> UnsafeMutablePointer<CChar>? {
    // Also where it is empty: in a oneof libprotobuf-c takes its own empty string for not set.
    guard string.utf8.contains(0) else { return try copy(string) }
    try UnknownFields.append([string], field: number, to: message, in: self)
    return nil
  }

  /// The strings of a repeated field; where one has a NUL byte, all go to the unknown fields.
  /// - Throws: `overBudget`.
  public func copy<CMessage>(
    _ strings: [String], field number: Int, of message: UnsafeMutablePointer<CMessage>
  ) throws(DecodeError) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) {
    guard !strings.isEmpty else { return (0, nil) }
    if strings.contains(where: { $0.utf8.contains(0) }) {
      try UnknownFields.append(strings, field: number, to: message, in: self)
      return (0, nil)
    }
    let copies = try allocate(UnsafeMutablePointer<CChar>?.self, count: strings.count)
    for (index, string) in strings.enumerated() {
      (copies + index).initialize(to: try copy(string))
    }
    return (strings.count, copies)
  }

  /// A singular `double` or `float` of field `number`, unchanged. Minus zero goes to the unknown
  /// fields of `message` too: libprotobuf-c takes it for the default and leaves it out.
  /// - Throws: `overBudget`.
  @inlinable public func keep<F: BinaryFloatingPoint, CMessage>(
    _ value: F, field number: Int, of message: UnsafeMutablePointer<CMessage>
  ) throws(DecodeError) -> F {
    if value == 0 && value.sign == .minus {
      try UnknownFields.appendMinusZero(
        isDouble: F.self == Double.self, field: number, to: message, in: self)
    }
    return value
  }
}
