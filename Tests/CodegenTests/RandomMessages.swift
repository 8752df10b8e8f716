import ExampleAPI

/// Messages from a seed: the same ones for the same seed. No NaN, which is not equal to itself,
/// and no NUL bytes in strings, which are written in another order than protoc's.
struct RandomMessages: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Of any magnitude: small ones are as likely as large ones.
  private mutating func integer<I: FixedWidthInteger>() -> I {
    I(truncatingIfNeeded: next() >> UInt64.random(in: 0...63, using: &self))
  }

  private mutating func double() -> Double {
    Double(bitPattern: next() & 0x7fdf_ffff_ffff_ffff)
  }

  private mutating func text() -> String {
    let alphabet = Array("abc é日👍\n\"\\\u{7f}")
    return String(
      (0..<Int.random(in: 0...9, using: &self)).map { _ in
        alphabet.randomElement(using: &self)!
      })
  }

  private mutating func bytes() -> [UInt8] { list { $0.integer() } }

  private mutating func quality() -> Quality {
    Quality(rawValue: Int32.random(in: -3...5, using: &self))
  }

  private mutating func list<T>(_ element: (inout RandomMessages) -> T) -> [T] {
    (0..<Int.random(in: 0...5, using: &self)).map { _ in element(&self) }
  }

  mutating func scalars() -> Scalars {
    Scalars(
      doubleField: double(), floatField: Float(bitPattern: integer() & 0x7eff_ffff),
      int32Field: integer(), int64Field: integer(), uint32Field: integer(),
      uint64Field: integer(), sint32Field: integer(), sint64Field: integer(),
      fixed32Field: integer(), fixed64Field: integer(), sfixed32Field: integer(),
      sfixed64Field: integer(), boolField: Bool.random(using: &self), stringField: text(),
      bytesField: bytes(), qualityField: quality())
  }

  mutating func lists() -> Lists {
    Lists(
      doubleField: list { $0.double() }, int32Field: list { $0.integer() },
      int64Field: list { $0.integer() }, uint32Field: list { $0.integer() },
      uint64Field: list { $0.integer() }, sint32Field: list { $0.integer() },
      sint64Field: list { $0.integer() }, fixed32Field: list { $0.integer() },
      fixed64Field: list { $0.integer() }, sfixed32Field: list { $0.integer() },
      sfixed64Field: list { $0.integer() }, boolField: list { Bool.random(using: &$0) },
      stringField: list { $0.text() }, bytesField: list { $0.bytes() },
      qualityField: list { $0.quality() }, messageField: list { $0.scalars() },
      unpackedField: list { $0.integer() }, unpackedQuality: list { $0.quality() })
  }
}
