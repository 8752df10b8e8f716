/// The canonical status codes of gRPC and `google.rpc.Code`.
@frozen public enum StatusCode: Int32, Sendable, Hashable, CaseIterable {
  case ok = 0
  case cancelled = 1
  case unknown = 2
  case invalidArgument = 3
  case deadlineExceeded = 4
  case notFound = 5
  case alreadyExists = 6
  case permissionDenied = 7
  case resourceExhausted = 8
  case failedPrecondition = 9
  case aborted = 10
  case outOfRange = 11
  case unimplemented = 12
  case `internal` = 13
  case unavailable = 14
  case dataLoss = 15
  case unauthenticated = 16
}

/// One `google.protobuf.Any` of a status.
public struct StatusDetail: Sendable, Hashable {
  /// Ends in a slash and the full name of the message's type.
  public var typeURL: String
  /// The message, encoded.
  public var value: [UInt8]
  public init(typeURL: String, value: [UInt8]) {
    self.typeURL = typeURL
    self.value = value
  }
}

/// How a call failed: `google.rpc.Status` without OK. Thrown by clients; thrown by handlers, it
/// is what the caller gets.
public struct RPCError: Error, Sendable, Hashable {
  /// What kind of failure it is.
  public var code: StatusCode
  /// What was wrong and what to do, for developers.
  public var message: String
  /// More, for programs.
  public var details: [StatusDetail]
  public init(_ code: StatusCode, _ message: String, details: [StatusDetail] = []) {
    self.code = code
    self.message = message
    self.details = details
  }
}
