/// A generated enum. It is open: a number that this version does not know is kept as
/// `unrecognized`, which is equal to no named case.
public protocol OpenEnum: RawRepresentable, CaseIterable, Sendable, Hashable
where RawValue == Int32 {
  /// The case of number zero.
  init()
  /// The named case of the number, or `unrecognized`.
  init(rawValue: Int32)
}
