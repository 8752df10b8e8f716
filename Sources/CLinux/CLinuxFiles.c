#define _GNU_SOURCE
#include "CLinuxFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int clinux_reserve(int descriptor, int64_t offset, int64_t bytes) {
  return fallocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, bytes) == 0 ? 0 : errno;
}

int clinux_write_back(int descriptor, int64_t offset, int64_t bytes) {
  unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE;
  return sync_file_range(descriptor, offset, bytes, flags) == 0 ? 0 : errno;
}

void clinux_lower_priority(void) {
  // ioprio_set for this thread: IOPRIO_CLASS_BE, the lowest of its eight levels.
  syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 7);
  setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
}
