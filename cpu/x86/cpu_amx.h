/* cpu_amx.h: AMX's eight registers as all kernels use them: rows of 64 bytes, 16 unless fewer are asked for. */
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

/* Before a thread's first use of the registers, of which 0 to 5 get `rows` rows. gcc 12 takes the instruction to read
 * no more than the configuration's first bytes. */
static inline void amx_begin_rows(int rows)
{
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t size[16]; /* bytes of a row */
        uint8_t rows[16];
    } config = { .palette = 1 };
    for (int i = 0; i < 8; i++)
        config.size[i] = AMX_ROW, config.rows[i] = (uint8_t)(i < 6 ? rows : AMX_ROWS);
    __asm__ volatile("" : : "m"(config));
    _tile_loadconfig(&config);
}

static void amx_begin(void)
{
    amx_begin_rows(AMX_ROWS);
}

/* After its last. */
static void amx_end(void)
{
    _tile_release();
}

#endif
