#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// RE2 behind a C interface: no exception leaves it, and nothing is written to standard error.

/// A compiled regular expression over bytes. Safe to use from any thread.
typedef struct cre2_regex cre2_regex;

typedef struct {
  /// Bounds each program with its caches. RE2 falls back from its automaton with cached states
  /// to a slower one where this is too little; the time stays linear.
  int64_t memory_bytes;
  /// Bounds a program's instructions, and so the time that one byte of a text can take.
  int program_size;
} cre2_limits;

/// Why a pattern was refused.
typedef struct {
  /// RE2's reason, NUL-terminated, without the offending text.
  char reason[64];
  /// The offending part of the pattern, as far as RE2 names it. The bytes are the caller's own,
  /// so they may be no UTF-8 at all.
  uint8_t fragment[64];
  /// 0 where RE2 names no part.
  size_t fragment_count;
} cre2_error;

/// Compiles `pattern`. NULL where it is refused; `error` then says why.
///
/// A pattern that is UTF-8 gets a program in which a character is a code point, and, when the
/// first text comes that is not UTF-8, one in which a character is a byte. Where the pattern
/// itself is not UTF-8 (`utf8` is false) there is only the second.
cre2_regex *cre2_compile(
    const uint8_t *pattern, size_t count, bool utf8, cre2_limits limits, cre2_error *error);

void cre2_free(cre2_regex *regex);

/// Whether any part of `text` matches, in time linear in `count`. `utf8` says whether the text
/// is UTF-8: the caller has checked it.
bool cre2_matches(const cre2_regex *regex, const uint8_t *text, size_t count, bool utf8);

#ifdef __cplusplus
}
#endif
