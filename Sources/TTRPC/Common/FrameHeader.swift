/// The ten bytes before each frame's data, big-endian: data length u32, stream ID u32, type u8,
/// flags u8 (containerd's ttrpc 1.2).
@frozen public struct FrameHeader: Sendable, Hashable {
  /// Of the header itself, in bytes.
  public static let byteCount = 10
  /// What a frame's data may hold, in bytes.
  public static let maxDataBytes = 4 << 20
  /// From this length on the connection is closed; what lies between is skipped, and its call
  /// alone fails. The first byte of such a length is not zero: it is hardly a frame at all.
  public static let unskippableDataBytes = 16 << 20

  /// What a frame is; an unknown number is kept.
  @frozen public struct Kind: RawRepresentable, Sendable, Hashable {
    /// As on the wire.
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Opens a call.
    public static var request: Kind { Kind(rawValue: 1) }
    /// Ends a call.
    public static var response: Kind { Kind(rawValue: 2) }
    /// One message of a stream.
    public static var data: Kind { Kind(rawValue: 3) }
  }

  /// Facts about the sender's half of a stream.
  @frozen public struct Flags: OptionSet, Sendable, Hashable {
    /// As on the wire.
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The sender sends no more on this stream.
    public static var remoteClosed: Flags { Flags(rawValue: 1) }
    /// The sender will send more on this stream.
    public static var remoteOpen: Flags { Flags(rawValue: 2) }
    /// The frame carries no message.
    public static var noData: Flags { Flags(rawValue: 4) }
  }

  /// Of the data that follows, in bytes.
  public var dataByteCount: Int
  /// Odd for the streams that a client opens.
  public var streamID: UInt32
  /// What the frame is.
  public var kind: Kind
  /// What it says about its stream.
  public var flags: Flags

  /// - Parameter dataByteCount: at most `UInt32.max`.
  @inlinable public init(
    dataByteCount: Int, streamID: UInt32, kind: Kind, flags: Flags = []
  ) {
    self.dataByteCount = dataByteCount
    self.streamID = streamID
    self.kind = kind
    self.flags = flags
  }

  /// Reads a header.
  /// - Parameter bytes: at least `byteCount` of them; what follows is left alone.
  @inlinable public init(decoding bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count >= FrameHeader.byteCount)
    dataByteCount = Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
    streamID = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    kind = Kind(rawValue: bytes[8])
    flags = Flags(rawValue: bytes[9])
  }

  /// Writes the header.
  /// - Parameter bytes: has room for at least `byteCount`.
  @inlinable public func encode(into bytes: UnsafeMutableRawBufferPointer) {
    precondition(bytes.count >= FrameHeader.byteCount)
    bytes.storeBytes(of: UInt32(dataByteCount).bigEndian, as: UInt32.self)
    bytes.storeBytes(of: streamID.bigEndian, toByteOffset: 4, as: UInt32.self)
    bytes[8] = kind.rawValue
    bytes[9] = flags.rawValue
  }
}
