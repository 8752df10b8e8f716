// What Swift's Glibc module leaves out about files.
#pragma once
#include <stdint.h>

/// Reserves room on the disk for a file's bytes in a range, also behind its end, which stays where
/// it is. 0, or an errno: EOPNOTSUPP where the file system cannot.
int clinux_reserve(int descriptor, int64_t offset, int64_t bytes);

/// Gives the calling thread the lowest priority for the processor and for the disk.
void clinux_lower_priority(void);

/// Waits until the bytes of a range that were being written to the disk are on it, and starts
/// writing what else is dirty in it; not durable without fdatasync. 0, or an errno.
int clinux_write_back(int descriptor, int64_t offset, int64_t bytes);
