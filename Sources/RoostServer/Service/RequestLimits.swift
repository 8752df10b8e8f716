/// What requests are held to: the configured limits and those of the API.
struct RequestLimits: Sendable {
  /// The longest lifetime: 10 years, with their leap days.
  static let maxTTLMillis: Int64 = 3_653 * 86_400_000
  static let defaultPageSize = 100
  static let maxPageSize = 10_000
  /// A page ends after so many examined keys too.
  static let maxExaminedPerPage = 10_000
  /// A page ends at so many bytes of entries too.
  static let maxPageBytes = 1 << 20
  static let maxPatternBytes = 256

  var maxKeyBytes: Int
  var maxValueBytes: Int
  var maxTransactionSteps: Int
  var maxBatchKeys: Int
  var maxListItemsPerCall: Int
  var maxDeleteRangeKeys: Int

  /// The limits that the configuration sets.
  init(_ limits: ServerLimits) {
    maxKeyBytes = limits.maxKeyBytes
    maxValueBytes = limits.maxValueBytes
    maxTransactionSteps = limits.maxTransactionSteps
    maxBatchKeys = limits.maxBatchKeys
    maxListItemsPerCall = limits.maxListItemsPerCall
    maxDeleteRangeKeys = limits.maxDeleteRangeKeys
  }
}
