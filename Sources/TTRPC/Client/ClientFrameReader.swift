/// Cuts a server's bytes into frames, whatever way they are split.
///
/// 1. A frame that lies whole in the input is lent from there; only what is cut is copied.
/// 2. It holds at most one frame: `FrameHeader.byteCount + FrameHeader.maxDataBytes` bytes. Memory
///    is taken as bytes come, never because a header promises them.
/// 3. Of an oversized frame nothing is held: `skippedBytes` counts what is still to come of it.
struct ClientFrameReader: ~Copyable {
  enum Step {
    /// The data is valid until the next call, and no longer than the input.
    case frame(FrameHeader, UnsafeRawBufferPointer)
    /// Its data is skipped.
    case oversized(FrameHeader)
    /// The input is used up.
    case needsMore
    /// No frame can have this length: what follows has no meaning.
    case unreadable(dataByteCount: Int)
  }

  /// A frame that was cut: its header, and what has come of its data.
  private var held: UnsafeMutableRawBufferPointer
  private var heldCount = 0
  private var heldIsLent = false
  private var skippedBytes = 0

  /// Kept between frames; more is given back.
  private static let retainedBytes = 64 << 10

  init() { held = .allocate(byteCount: 0, alignment: 1) }

  deinit { held.deallocate() }

  /// Whether a frame has begun and not ended.
  var isInsideFrame: Bool { skippedBytes > 0 || (heldCount > 0 && !heldIsLent) }

  /// Takes the next frame off the front of the input.
  mutating func next(_ input: inout UnsafeRawBufferPointer) -> Step {
    releaseLent()
    let skipped = min(skippedBytes, input.count)
    skippedBytes -= skipped
    Self.advance(&input, by: skipped)
    guard !input.isEmpty else { return .needsMore }
    if heldCount == 0, input.count >= FrameHeader.byteCount {
      return lendFromInput(&input)
    }
    return completeHeld(&input)
  }

  private mutating func lendFromInput(_ input: inout UnsafeRawBufferPointer) -> Step {
    let header = FrameHeader(decoding: input)
    let frameBytes = FrameHeader.byteCount + header.dataByteCount
    if let refusal = refuse(header) {
      if case .oversized = refusal {
        skip(header.dataByteCount, in: &input, from: FrameHeader.byteCount)
      }
      return refusal
    }
    guard input.count >= frameBytes else {
      hold(&input, upTo: frameBytes)
      return .needsMore
    }
    let data = UnsafeRawBufferPointer(rebasing: input[FrameHeader.byteCount..<frameBytes])
    Self.advance(&input, by: frameBytes)
    return .frame(header, data)
  }

  private mutating func completeHeld(_ input: inout UnsafeRawBufferPointer) -> Step {
    if heldCount < FrameHeader.byteCount {
      hold(&input, upTo: FrameHeader.byteCount)
      guard heldCount == FrameHeader.byteCount else { return .needsMore }
      let header = FrameHeader(decoding: UnsafeRawBufferPointer(held))
      if let refusal = refuse(header) {
        heldCount = 0
        if case .oversized = refusal { skip(header.dataByteCount, in: &input, from: 0) }
        return refusal
      }
    }
    let header = FrameHeader(decoding: UnsafeRawBufferPointer(held))
    let frameBytes = FrameHeader.byteCount + header.dataByteCount
    hold(&input, upTo: frameBytes)
    guard heldCount == frameBytes else { return .needsMore }
    heldIsLent = true
    return .frame(
      header, UnsafeRawBufferPointer(rebasing: held[FrameHeader.byteCount..<frameBytes]))
  }

  private func refuse(_ header: FrameHeader) -> Step? {
    if header.dataByteCount >= FrameHeader.unskippableDataBytes {
      return .unreadable(dataByteCount: header.dataByteCount)
    }
    return header.dataByteCount > FrameHeader.maxDataBytes ? .oversized(header) : nil
  }

  private mutating func skip(
    _ count: Int, in input: inout UnsafeRawBufferPointer, from offset: Int
  ) {
    Self.advance(&input, by: offset)
    let here = min(count, input.count)
    Self.advance(&input, by: here)
    skippedBytes = count - here
  }

  /// Moves bytes from the input until `total` are held, or the input is used up.
  private mutating func hold(_ input: inout UnsafeRawBufferPointer, upTo total: Int) {
    let count = min(total - heldCount, input.count)
    guard count > 0 else { return }
    reserve(heldCount + count)
    UnsafeMutableRawBufferPointer(rebasing: held[heldCount...])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
    heldCount += count
    Self.advance(&input, by: count)
  }

  private mutating func reserve(_ byteCount: Int) {
    guard byteCount > held.count else { return }
    let limit = FrameHeader.byteCount + FrameHeader.maxDataBytes
    let larger = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(limit, max(byteCount, held.count * 2, 4096)), alignment: 8)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: held[..<heldCount]))
    held.deallocate()
    held = larger
  }

  private mutating func releaseLent() {
    guard heldIsLent else { return }
    heldIsLent = false
    heldCount = 0
    if held.count > Self.retainedBytes {
      held.deallocate()
      held = .allocate(byteCount: 0, alignment: 1)
    }
  }

  private static func advance(_ input: inout UnsafeRawBufferPointer, by count: Int) {
    input = UnsafeRawBufferPointer(rebasing: input[count...])
  }
}
