import RoostAPI

extension RoostClient {
  /// One key with its value and history. Of `Void`: without the value.
  public struct Entry<Value: Sendable>: Sendable {
    /// The key.
    public let key: RoostKey
    /// The value.
    public let value: Value
    /// Of the change that wrote this state; higher than all before, in the whole store.
    public let revision: Int64
    /// Of the change that created the key.
    public let createRevision: Int64
    /// Changes since creation; the first is 1.
    public let version: Int64
    /// Unix time in milliseconds.
    public let createdAtMillis: Int64
    /// Unix time in milliseconds.
    public let updatedAtMillis: Int64
    /// Unix time in milliseconds; `nil`: it never expires.
    public let expiresAtMillis: Int64?

    init(_ message: RoostAPI.Entry, key: RoostKey, value: Value) {
      self.key = key
      self.value = value
      revision = message.revision
      createRevision = message.createRevision
      version = message.version
      createdAtMillis = message.createdAtMs
      updatedAtMillis = message.updatedAtMs
      expiresAtMillis = message.expiresAtMs == 0 ? nil : message.expiresAtMs
    }

    /// The same history with another value.
    func with<Other>(_ value: Other) -> Entry<Other> {
      Entry<Other>(
        key: key, value: value, revision: revision, createRevision: createRevision,
        version: version, createdAtMillis: createdAtMillis, updatedAtMillis: updatedAtMillis,
        expiresAtMillis: expiresAtMillis)
    }

    private init(
      key: RoostKey, value: Value, revision: Int64, createRevision: Int64, version: Int64,
      createdAtMillis: Int64, updatedAtMillis: Int64, expiresAtMillis: Int64?
    ) {
      self.key = key
      self.value = value
      self.revision = revision
      self.createRevision = createRevision
      self.version = version
      self.createdAtMillis = createdAtMillis
      self.updatedAtMillis = updatedAtMillis
      self.expiresAtMillis = expiresAtMillis
    }
  }
}

extension RoostClient.Entry: Equatable where Value: Equatable {}
extension RoostClient.Entry: Hashable where Value: Hashable {}

extension RoostAPI.Entry {
  /// The value in Swift's type.
  /// - Throws: a mismatch; `resourceExhausted` where the answer has no room for the value;
  ///   `unimplemented` where this version does not know its type.
  func decoded<Value>(
    _ key: RoostKey, _ coding: ValueCoding<Value>
  ) throws(RoostError) -> RoostClient.Entry<Value> {
    if valueOmitted {
      throw RoostError(
        .resourceExhausted,
        "the list at '\(key)' is too large for one answer: read it in parts with listRange")
    }
    guard let value = value.flatMap(RoostValue.init) else {
      throw RoostError(
        .unimplemented, "'\(key)' has a value of a type that this client does not know")
    }
    return RoostClient.Entry(self, key: key, value: try coding.decode(value, key))
  }
}
