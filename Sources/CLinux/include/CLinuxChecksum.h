// CRC-32C, in hardware where the processor has it.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The CRC-32C of bytes that follow others, whose CRC-32C is `crc` (0 for none).
uint32_t clinux_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The same without the processor's instruction.
uint32_t clinux_crc32c_software(uint32_t crc, const void *bytes, size_t count);
