import Testing

@testable import RoostServer

@Suite("Quantities")
struct ConfigurationQuantityTests {
  @Test(
    "Sizes are read in both kinds of units",
    arguments: [
      ("0", 0), ("1", 1), ("12B", 12), ("1KiB", 1_024), ("64MiB", 64 << 20), ("2GiB", 2 << 30),
      ("1TiB", 1 << 40), ("1KB", 1_000), ("3mb", 3_000_000), ("1gib", 1 << 30),
    ] as [(String, Int64)])
  func sizes(text: String, bytes: Int64) {
    #expect(SizeText.parse(text) == bytes)
  }

  @Test(
    "What is no size is refused",
    arguments: ["", "B", "MiB", "1 MiB", "-1", "+1", "1.5GiB", "0x10", "1K", "١", "8388608TiB"])
  func badSizes(text: String) { #expect(SizeText.parse(text) == nil) }

  @Test(
    "Spans of time are read with units, the largest first",
    arguments: [
      ("0", 0), ("0s", 0), ("5ms", 5), ("10s", 10_000), ("90s", 90_000), ("1m30s", 90_000),
      ("1h", 3_600_000), ("2d12h", 216_000_000), ("1d1h1m1s1ms", 90_061_001),
    ] as [(String, Int64)])
  func durations(text: String, millis: Int64) {
    #expect(DurationText.parseMillis(text) == millis)
  }

  @Test(
    "What is no span of time is refused",
    arguments: [
      "", "1", "s", "10S", "-1s", "1s1s", "1s1m", "1.5s", "1 s", "10us", "1m30",
      "9223372036854775807d", "106751991167d1d",
    ])
  func badDurations(text: String) { #expect(DurationText.parseMillis(text) == nil) }

  @Test("What is written is read back as the same")
  func roundTrip() {
    for bytes: Int64 in [0, 1, 1_000, 1_024, 1_536, 3 << 20, 1 << 44, .max] {
      #expect(SizeText.parse(SizeText.format(bytes)) == bytes)
    }
    for millis: Int64 in [0, 1, 999, 1_000, 61_000, 604_800_000] {
      #expect(DurationText.parseMillis(DurationText.format(millis: millis)) == millis)
    }
  }

  @Test("The nearest name is found for a slip and not for another word")
  func nearest() {
    let names = ["threads", "listen", "log-level", "log-format"]
    #expect(NearestName.of("thread", in: names) == "threads")
    #expect(NearestName.of("LOG_LEVEL", in: names) == "log-level")
    #expect(NearestName.of("log-fromat", in: names) == "log-format")
    #expect(NearestName.of("colour", in: names) == nil)
    #expect(NearestName.of(String(repeating: "x", count: 1_000), in: names) == nil)
    #expect(NearestName.distance(Array("kitten"), Array("sitting")) == 3)
  }
}
