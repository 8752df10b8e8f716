#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// The bump allocator behind ProtobufC's `Arena`, in C because libprotobuf-c calls it by function
// pointer several times per message. Confined to one thread.
//
// 1. Each allocation is 8-aligned and preceded by its size in bytes, as it was asked for.
// 2. `at <= limit <= blockEnd`; from `at` to `limit` the current call may take without a check of
//    its budget.
// 3. The call's bytes, `position - callStart`, never exceed `budget`, headers included.
// 4. The first block stays from reset to reset; the others are in the chain `overflow`.

typedef struct ProtobufCArenaBlock {
  struct ProtobufCArenaBlock *previous;
  size_t bytes;
} ProtobufCArenaBlock;

typedef struct ProtobufCArena {
  uint8_t *at;
  uint8_t *limit;
  uint8_t *blockStart;
  uint8_t *blockEnd;
  size_t bytesBefore;  // taken since the last reset, less those of the current block
  size_t callStart;    // position at which the call began
  size_t budget;
  bool exceeded;       // the current call was refused memory
  uint8_t *first;
  size_t firstBytes;
  size_t retainedBytes;  // the first block grows up to this
  ProtobufCArenaBlock *overflow;
  ProtobufCAllocator allocator;
} ProtobufCArena;

enum {
  PROTOBUF_C_ARENA_HEADER_BYTES = 8,
  PROTOBUF_C_ARENA_MOST_BLOCK_BYTES = 1 << 20,  // of a block for several allocations
};

/// Bytes taken since the last reset.
static inline size_t protobuf_c_arena_position(const ProtobufCArena *arena) {
  return arena->bytesBefore + (size_t)(arena->at - arena->blockStart);
}

static inline void protobuf_c_arena_set_limit(ProtobufCArena *arena) {
  size_t left = arena->budget - (protobuf_c_arena_position(arena) - arena->callStart);
  size_t room = (size_t)(arena->blockEnd - arena->at);
  arena->limit = left < room ? arena->at + left : arena->blockEnd;
}

static inline ProtobufCArenaBlock *protobuf_c_arena_add_block(ProtobufCArena *arena, size_t bytes) {
  ProtobufCArenaBlock *block = (ProtobufCArenaBlock *)malloc(sizeof(ProtobufCArenaBlock) + bytes);
  if (block == NULL) return NULL;
  block->previous = arena->overflow;
  block->bytes = bytes;
  arena->overflow = block;
  return block;
}

/// Where the fast path had no room: the budget is used up, or the block is.
static __attribute__((noinline)) void *protobuf_c_arena_allocate_slowly(
    ProtobufCArena *arena, size_t size) {
  size_t left = arena->budget - (protobuf_c_arena_position(arena) - arena->callStart);
  size_t need = ((size + 7) & ~(size_t)7) + PROTOBUF_C_ARENA_HEADER_BYTES;
  if (need < size || need > left) {
    arena->exceeded = true;
    return NULL;
  }
  // A large allocation has a block of its own, so that the rest of the current one is not lost.
  bool alone = need > arena->firstBytes / 4;
  size_t bytes = arena->firstBytes;
  while (bytes < protobuf_c_arena_position(arena) && bytes < PROTOBUF_C_ARENA_MOST_BLOCK_BYTES) {
    bytes *= 2;
  }
  ProtobufCArenaBlock *block = protobuf_c_arena_add_block(arena, alone ? need : bytes);
  if (block == NULL) {
    arena->exceeded = true;
    return NULL;
  }
  uint8_t *start = (uint8_t *)(block + 1);
  *(size_t *)start = size;
  if (alone) {
    arena->bytesBefore += need;
  } else {
    arena->bytesBefore = protobuf_c_arena_position(arena);
    arena->blockStart = start;
    arena->blockEnd = start + block->bytes;
    arena->at = start + need;
  }
  protobuf_c_arena_set_limit(arena);
  return start + PROTOBUF_C_ARENA_HEADER_BYTES;
}

/// `size` bytes, uninitialised; NULL where the call's budget does not hold them.
static inline void *protobuf_c_arena_allocate(ProtobufCArena *arena, size_t size) {
  uint8_t *start = arena->at;
  size_t room = (size_t)(arena->limit - start);
  size_t need = ((size + 7) & ~(size_t)7) + PROTOBUF_C_ARENA_HEADER_BYTES;
  if (__builtin_expect(need > room || need < size, 0)) {
    return protobuf_c_arena_allocate_slowly(arena, size);
  }
  *(size_t *)start = size;
  arena->at = start + need;
  return start + PROTOBUF_C_ARENA_HEADER_BYTES;
}

/// The size with which `allocation` was asked for.
static inline size_t protobuf_c_arena_allocation_size(const void *allocation) {
  return *(const size_t *)((const uint8_t *)allocation - PROTOBUF_C_ARENA_HEADER_BYTES);
}

/// The length of a `string` that was decoded into an arena, NUL bytes counted.
static inline size_t protobuf_c_arena_string_length(const char *string) {
  if (string == NULL || string == protobuf_c_empty_string) return 0;
  return protobuf_c_arena_allocation_size(string) - 1;
}

static inline void *protobuf_c_arena_allocate_callback(void *arena, size_t size) {
  return protobuf_c_arena_allocate((ProtobufCArena *)arena, size);
}

static inline void protobuf_c_arena_free_callback(void *arena, void *allocation) {
  (void)arena;
  (void)allocation;
}

static inline void protobuf_c_arena_begin_call(ProtobufCArena *arena) {
  arena->callStart = protobuf_c_arena_position(arena);
  arena->exceeded = false;
  protobuf_c_arena_set_limit(arena);
}

/// Frees the chain, and lets the first block grow, so that the next such tick needs no chain.
static __attribute__((noinline)) void protobuf_c_arena_release_overflow(ProtobufCArena *arena) {
  size_t total = protobuf_c_arena_position(arena);
  while (arena->overflow != NULL) {
    ProtobufCArenaBlock *previous = arena->overflow->previous;
    free(arena->overflow);
    arena->overflow = previous;
  }
  size_t bytes = arena->firstBytes;
  while (bytes < total && bytes <= arena->retainedBytes / 2) bytes *= 2;
  if (bytes < total || bytes == arena->firstBytes) return;
  uint8_t *grown = (uint8_t *)malloc(bytes);
  if (grown == NULL) return;
  free(arena->first);
  arena->first = grown;
  arena->firstBytes = bytes;
}

static inline void protobuf_c_arena_reset(ProtobufCArena *arena) {
  if (__builtin_expect(arena->overflow != NULL, 0)) protobuf_c_arena_release_overflow(arena);
  arena->at = arena->first;
  arena->blockStart = arena->first;
  arena->blockEnd = arena->first + arena->firstBytes;
  arena->bytesBefore = 0;
  protobuf_c_arena_begin_call(arena);
}

/// NULL where there is no memory.
static inline ProtobufCArena *protobuf_c_arena_new(
    size_t blockBytes, size_t retainedBytes, size_t budget) {
  ProtobufCArena *arena = (ProtobufCArena *)calloc(1, sizeof(ProtobufCArena));
  if (arena == NULL) return NULL;
  arena->first = (uint8_t *)malloc(blockBytes);
  if (arena->first == NULL) {
    free(arena);
    return NULL;
  }
  arena->firstBytes = blockBytes;
  arena->retainedBytes = retainedBytes;
  arena->budget = budget;
  arena->allocator.alloc = protobuf_c_arena_allocate_callback;
  arena->allocator.free = protobuf_c_arena_free_callback;
  arena->allocator.allocator_data = arena;
  protobuf_c_arena_reset(arena);
  return arena;
}

static inline void protobuf_c_arena_delete(ProtobufCArena *arena) {
  while (arena->overflow != NULL) {
    ProtobufCArenaBlock *previous = arena->overflow->previous;
    free(arena->overflow);
    arena->overflow = previous;
  }
  free(arena->first);
  free(arena);
}

static inline ProtobufCAllocator *protobuf_c_arena_allocator(ProtobufCArena *arena) {
  return &arena->allocator;
}
