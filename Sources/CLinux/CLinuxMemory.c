#define _GNU_SOURCE
#include "CLinuxMemory.h"

#include <sched.h>
#include <string.h>

const void *clinux_find(
    const void *bytes, size_t count, const void *wanted, size_t wanted_count) {
  return memmem(bytes, count, wanted, wanted_count);
}

int clinux_processor_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set);
}
