/* cpu_amx.h: AMX's eight registers as all kernels use them: 16 rows of 64 bytes. */
#ifndef CPU_X86_CPU_AMX_H
#define CPU_X86_CPU_AMX_H

#include <immintrin.h>
#include <stdint.h>

/* The compiler's own take the distance between rows for a long, which is no index where that has 32 bits. */
#if __SIZEOF_LONG__ == 4
#undef _tile_loadd
#undef _tile_stored
#define _tile_loadd(tile, from, stride)                                  \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile                  \
                     :                                                   \
                     : "r"((const void *)(from)), "r"((int64_t)(stride)) \
                     : "memory")
#define _tile_stored(tile, to, stride) \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"((void *)(to)), "r"((int64_t)(stride)) : "memory")
#endif

enum { AMX_ROWS = 16, AMX_ROW = 64 /* bytes */ };

/* Before a thread's first use of the registers. The configuration is a constant: gcc 12 takes the instruction to read
 * no more than its first bytes. */
static void amx_begin(void)
{
    static const struct {
        uint8_t palette, start, reserved[14];
        uint16_t size[16]; /* bytes of a row */
        uint8_t rows[16];
    } config = { .palette = 1,
                 .size = { AMX_ROW, AMX_ROW, AMX_ROW, AMX_ROW, AMX_ROW, AMX_ROW, AMX_ROW, AMX_ROW },
                 .rows = { AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS } };
    _tile_loadconfig(&config);
}

/* After its last. */
static void amx_end(void)
{
    _tile_release();
}

#endif
