import Foundation
import Glibc
import Logging
import Testing

@testable import RoostServer

/// Both ends of a pipe.
final class TestPipe: Sendable {
  let readEnd: Int32
  let writeEnd: Int32

  init() {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { fatalError("pipe: \(errno)") }
    readEnd = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  /// What is in the pipe now.
  func drain() -> [UInt8] {
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    var poll = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
    while Glibc.poll(&poll, 1, 0) == 1 {
      let count = read(readEnd, &chunk, chunk.count)
      if count <= 0 { break }
      result += chunk[..<count]
    }
    return result
  }

  var lines: [String] {
    String(decoding: drain(), as: UTF8.self).split(separator: "\n").map(String.init)
  }
}

@Suite("Log lines")
struct ConfigurationLoggingTests {
  let pipe = TestPipe()

  private func logger(_ style: ServerLogHandler.Style) -> Logger {
    let sink = LogSink(descriptor: pipe.writeEnd)
    return Logger(label: "roostd") {
      ServerLogHandler(
        label: $0, style: style, level: .info, sink: sink, nowMillis: { 1_700_000_000_123 })
    }
  }

  @Test("Text has time, level, label, message, and metadata in the order of its keys")
  func text() {
    let logger = logger(.text)
    logger.info("hello", metadata: ["b": "two words", "a": "1", "empty": ""])
    logger.debug("below the level")
    #expect(
      pipe.lines == [
        #"2023-11-14T22:13:20.123Z info roostd: hello a=1 b="two words" empty="""#
      ])
  }

  @Test("JSON is one object a line, whatever is in the message")
  func json() throws {
    logger(.json).warning(
      "a\nb \"c\" \u{1B}[31m \u{2028}", metadata: ["level": "mine", "k": "\\"])
    let line = try #require(pipe.lines.first)
    let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
    #expect(
      object == [
        "time": "2023-11-14T22:13:20.123Z", "level": "warning", "logger": "roostd",
        "message": "a\nb \"c\" \u{1B}[31m \u{2028}", "_level": "mine", "k": "\\",
      ])
  }

  @Test("A caller cannot write a line of its own", arguments: ["\n", "\r\n", "\u{85}", "\u{2028}"])
  func forgery(separator: String) {
    logger(.text).info("peer\(separator)2023 critical roostd: forged", metadata: ["k": "a\nb"])
    let text = String(decoding: pipe.drain(), as: UTF8.self)
    #expect(text.count { $0 == "\n" } == 1)
    #expect(!text.contains(separator + "2023"))
  }

  @Test("A token in a message or in metadata loses its secret", arguments: [true, false])
  func secrets(isJSON: Bool) {
    let token = "roost_erq0c28p_BgsRCHpFGzTRBUr8BbjQeOgov2vsXT0a3oA0DknHbqT1t63oU"
    logger(isJSON ? .json : .text).info("got \(token).", metadata: ["t": "\(token)\(token)"])
    let text = String(decoding: pipe.drain(), as: UTF8.self)
    #expect(!text.contains("BgsRCHp"))
    #expect(text.contains("got roost_erq0c28p_[secret]."))
  }

  @Test("A line never is longer than what a pipe takes at once, and stays whole JSON")
  func longLines() throws {
    let logger = logger(.json)
    let long = String(repeating: "\u{1}", count: 10_000)
    logger.info("\(long)")
    logger.info("short", metadata: ["a": "\(long)", "b": "\(long)"])
    for line in pipe.lines {
      #expect(line.utf8.count < LogSink.maxLineBytes)
      #expect(throws: Never.self) {
        try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
      }
    }
  }

  @Test("A reader that stops reading costs lines, not time, and is told how many")
  func fullPipe() throws {
    let logger = logger(.text)
    let start = ContinuousClock.now
    for index in 0..<5_000 {
      logger.info("line \(index) \(String(repeating: "x", count: 100))")
    }
    #expect(ContinuousClock.now - start < .seconds(20))
    let kept = pipe.lines
    #expect(kept.count < 5_000 && !kept.isEmpty)
    logger.info("after")
    let after = pipe.lines
    #expect(after.count == 2)
    #expect(after[0].hasSuffix("log lines were dropped lines=\(5_000 - kept.count)"))
    #expect(after[1].hasSuffix("after"))
  }

  @Test("Times are RFC 3339 in UTC")
  func timestamps() {
    #expect(LogText.timestamp(millis: 0) == "1970-01-01T00:00:00.000Z")
    #expect(LogText.timestamp(millis: 1_709_210_096_007) == "2024-02-29T12:34:56.007Z")
  }
}
