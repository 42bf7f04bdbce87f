/* unwind_types.h - unwind.h with the short names of numbers that it uses, for user space. */
#pragma once

#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint8_t u8;
#include "runtime/unwind.h"
