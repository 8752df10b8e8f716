// What Swift's Glibc module leaves out about memory.
#pragma once
#include <malloc.h>
#include <stddef.h>

/// Where some bytes begin within others; null: nowhere.
const void *clinux_find(
    const void *bytes, size_t count, const void *wanted, size_t wanted_count);

/// The processors that this process may use.
int clinux_processor_count(void);

/// Brings the cache line of `address` closer. Never faults, whatever the address.
static inline void clinux_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

/// The bytes that an allocation of malloc's really holds, at least as many as were asked for.
static inline size_t clinux_usable_size(void *memory) { return malloc_usable_size(memory); }

/// Keeps malloc from giving memory back to the kernel within a call: by default it does so where
/// much is free at the heap's end, which takes milliseconds for each hundred megabytes. Blocks
/// from 128 KiB on are mapped on their own, and go when they are freed.
static inline void clinux_tune_malloc(void) {
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

/// Gives back to the kernel what malloc holds and nobody uses. Takes milliseconds.
static inline void clinux_trim_malloc(void) { malloc_trim(0); }
