import CProtobufC

/// Why bytes did not become a message, or a message no bytes.
public enum DecodeError: Error, Sendable, Hashable {
  /// Not the protobuf encoding of this message type.
  case malformed
  /// A `string` field is not valid UTF-8.
  case invalidUTF8
  /// It would take more than the arena's budget.
  case overBudget(bytes: Int)
}

/// A borrowed, zero-copy view of a decoded message: one pointer to libprotobuf-c's structure.
/// Valid until the arena that it was decoded in is reset.
public protocol MessageView {
  /// libprotobuf-c's structure, which begins with a `ProtobufCMessage`.
  associatedtype CMessage
  /// The one address that libprotobuf-c knows the type by.
  static var descriptor: UnsafePointer<ProtobufCMessageDescriptor> { get }
  /// Whether the type, or one that it contains, has a `string` field.
  static var containsStrings: Bool { get }
  /// The structure; valid as long as the view.
  var unsafeMessage: UnsafePointer<CMessage> { get }
  /// - Parameter message: decoded into an `Arena` or made by `makeCMessage`: strings are read by
  ///   the length that the arena remembers.
  init(unsafe message: UnsafePointer<CMessage>)
}

/// A generated value type. It encodes and decodes through libprotobuf-c.
public protocol Message: Sendable, Hashable {
  /// The borrowed form.
  associatedtype View: MessageView
  /// Every field at its default.
  init()
  /// Copies everything out of the view.
  init(_ view: View)
  /// Builds libprotobuf-c's structure in the arena; nothing is borrowed from `self`.
  /// - Throws: `overBudget`.
  func makeCMessage(
    in arena: Arena
  ) throws(DecodeError) -> UnsafeMutablePointer<View.CMessage>
}
