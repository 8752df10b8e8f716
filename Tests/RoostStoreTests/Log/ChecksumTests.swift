import CLinux
import Testing

@Suite("CRC-32C") struct ChecksumTests {
  @Test(
    "The vectors of RFC 3720, B.4",
    arguments: [
      ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
      ([UInt8](repeating: 255, count: 32), 0x62a8_ab43),
      ((0..<32).map { UInt8($0) }, 0x46dd_794e),
      ((0..<32).reversed().map { UInt8($0) }, 0x113f_db5c),
    ] as [([UInt8], UInt32)])
  func vectors(bytes: [UInt8], expected: UInt32) {
    #expect(clinux_crc32c(0, bytes, bytes.count) == expected)
    #expect(clinux_crc32c_software(0, bytes, bytes.count) == expected)
  }

  @Test("Hardware and software agree on any bytes, at once or in parts")
  func parts() {
    var random = SeededRandom(seed())
    for _ in 0..<500 {
      let bytes = random.bytes(random.int(0...random.pick([8, 64, 5_000])))
      let split = random.int(0...bytes.count)
      let whole = clinux_crc32c(0, bytes, bytes.count)
      #expect(clinux_crc32c_software(0, bytes, bytes.count) == whole, "seed \(seed())")
      bytes.withUnsafeBytes { bytes in
        let first = clinux_crc32c(0, bytes.baseAddress, split)
        let rest = UnsafeRawBufferPointer(rebasing: bytes[split...])
        #expect(clinux_crc32c(first, rest.baseAddress, rest.count) == whole, "seed \(seed())")
      }
    }
  }
}
