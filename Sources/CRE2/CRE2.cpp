#include "CRE2.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>

using re2::RE2;

namespace {

RE2::Options make_options(bool utf8, int64_t memory_bytes) {
  RE2::Options options;
  options.set_encoding(utf8 ? RE2::Options::EncodingUTF8 : RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  options.set_max_mem(memory_bytes);
  // Nobody asks what a group captured. A newline is a byte like any other, so `never_nl` stays
  // off; `.` leaves it out, as everywhere, unless the pattern says `(?s)`.
  options.set_never_capture(true);
  return options;
}

// Compiles within the limits; not `ok()` where the pattern is refused.
//
// A few characters such as `\pL{1000}` or `(.{30}){30}` make a program of megabytes, which takes
// milliseconds to build only to be refused. RE2 gives a program a sixth of its memory, 16 bytes
// an instruction: so a first try with little memory finds that out early.
std::unique_ptr<RE2> compile(const re2::StringPiece &pattern, bool utf8, cre2_limits limits) {
  const int64_t small = int64_t{limits.program_size} * 16 * 6;
  const bool may_be_large = pattern.find('{') != re2::StringPiece::npos
      || pattern.find("\\p") != re2::StringPiece::npos
      || pattern.find("\\P") != re2::StringPiece::npos;
  if (may_be_large && small < limits.memory_bytes) {
    auto first = std::make_unique<RE2>(pattern, make_options(utf8, small));
    if (!first->ok()) return first;
  }
  return std::make_unique<RE2>(pattern, make_options(utf8, limits.memory_bytes));
}

const char *reason(RE2::ErrorCode code) {
  switch (code) {
  case RE2::NoError: return "no error";
  case RE2::ErrorInternal: return "internal error";
  case RE2::ErrorBadEscape: return "unknown escape";
  case RE2::ErrorBadCharClass: return "bad character class";
  case RE2::ErrorBadCharRange: return "bad character range";
  case RE2::ErrorMissingBracket: return "missing ]";
  case RE2::ErrorMissingParen: return "missing )";
  case RE2::ErrorUnexpectedParen: return "unexpected )";
  case RE2::ErrorTrailingBackslash: return "\\ at the end";
  case RE2::ErrorRepeatArgument: return "nothing to repeat";
  case RE2::ErrorRepeatSize: return "repeated more than 1000 times in all";
  case RE2::ErrorRepeatOp: return "repetition of a repetition";
  case RE2::ErrorBadPerlOp: return "unknown (?...) group";
  case RE2::ErrorBadUTF8: return "not UTF-8";
  case RE2::ErrorBadNamedCapture: return "bad group name";
  case RE2::ErrorPatternTooLarge: return "it needs too much memory";
  }
  return "unknown error";
}

void report(cre2_error *error, RE2::ErrorCode code, const std::string &fragment) {
  std::memset(error, 0, sizeof *error);
  std::strncpy(error->reason, reason(code), sizeof error->reason - 1);
  error->fragment_count = std::min(fragment.size(), sizeof error->fragment);
  std::memcpy(error->fragment, fragment.data(), error->fragment_count);
}

bool search(const RE2 &program, const uint8_t *text, size_t count) {
  const re2::StringPiece piece(reinterpret_cast<const char *>(text), count);
  return program.Match(piece, 0, count, RE2::UNANCHORED, nullptr, 0);
}

}  // namespace

struct cre2_regex {
  std::unique_ptr<RE2> main;
  bool main_is_utf8;
  cre2_limits limits;

  // The program over bytes of a pattern whose main one is over code points; null where the
  // pattern has none (`\x{4e2d}`), and then the main one serves.
  mutable std::once_flag bytewise_once;
  mutable std::unique_ptr<RE2> bytewise;

  const RE2 &program(bool text_is_utf8) const {
    if (!main_is_utf8 || text_is_utf8) return *main;
    std::call_once(bytewise_once, [this] {
      auto made = compile(main->pattern(), false, limits);
      if (made->ok() && made->ProgramSize() <= limits.program_size) bytewise = std::move(made);
    });
    return bytewise ? *bytewise : *main;
  }
};

cre2_regex *cre2_compile(
    const uint8_t *pattern, size_t count, bool utf8, cre2_limits limits, cre2_error *error) {
  try {
    const re2::StringPiece piece(reinterpret_cast<const char *>(pattern), count);
    auto main = compile(piece, utf8, limits);
    if (!main->ok()) {
      report(error, main->error_code(), main->error_arg());
      return nullptr;
    }
    if (main->ProgramSize() > limits.program_size) {
      report(error, RE2::ErrorPatternTooLarge, std::string());
      return nullptr;
    }
    auto regex = std::make_unique<cre2_regex>();
    regex->main = std::move(main);
    regex->main_is_utf8 = utf8;
    regex->limits = limits;
    return regex.release();
  } catch (...) {
    std::memset(error, 0, sizeof *error);
    std::strncpy(error->reason, "out of memory", sizeof error->reason - 1);
    return nullptr;
  }
}

void cre2_free(cre2_regex *regex) { delete regex; }

bool cre2_matches(const cre2_regex *regex, const uint8_t *text, size_t count, bool utf8) {
  try {
    return search(regex->program(utf8), text, count);
  } catch (...) {
    // Out of memory. A key that cannot be looked at is not among the matches.
    return false;
  }
}
