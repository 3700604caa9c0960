/* AMX's tiles as memory of a thread, for the build whose AVX-512 kernels are emulated. Source of each meaning: Intel's
 * Intrinsics Guide. Only registers of 16 rows of 64 bytes; other shapes stop the program. Included by immintrin.h here.
 */
#ifndef TESTS_AVX512_AMX_H
#define TESTS_AVX512_AMX_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct {
    _Bool ready;
    uint32_t word[8][16][16]; /* register, row, column */
} emulated_tiles;

static inline void emulated_tile_loadconfig(const void *config)
{
    const uint8_t *at = config;
    for (int i = 0; i < 8; i++)
        if (at[0] != 1 || at[16 + 2 * i] != 64 || at[17 + 2 * i] != 0 || at[48 + i] != 16) abort();
    emulated_tiles.ready = 1;
}

static inline void emulated_tile_release(void)
{
    emulated_tiles.ready = 0;
}

static inline void emulated_tile_zero(int tile)
{
    if (!emulated_tiles.ready) abort();
    memset(emulated_tiles.word[tile], 0, sizeof emulated_tiles.word[tile]);
}

static inline void emulated_tile_loadd(int tile, const void *from, size_t stride)
{
    if (!emulated_tiles.ready) abort();
    for (size_t r = 0; r < 16; r++)
        memcpy(emulated_tiles.word[tile][r], (const char *)from + r * stride, 64);
}

static inline void emulated_tile_stored(int tile, void *to, size_t stride)
{
    for (size_t r = 0; r < 16; r++)
        memcpy((char *)to + r * stride, emulated_tiles.word[tile][r], 64);
}

static inline float emulated_tile_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline void emulated_tile_dpbf16ps(int sum, int a, int b)
{
    for (int r = 0; r < 16; r++)
        for (int c = 0; c < 16; c++) {
            uint32_t *at = &emulated_tiles.word[sum][r][c];
            float s = emulated_tile_float(*at);
            for (int k = 0; k < 16; k++) {
                uint32_t x = emulated_tiles.word[a][r][k], y = emulated_tiles.word[b][k][c];
                s += emulated_tile_float(x << 16) * emulated_tile_float(y << 16);
                s += emulated_tile_float(x & 0xFFFF0000) * emulated_tile_float(y & 0xFFFF0000);
            }
            memcpy(at, &s, sizeof s);
        }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig emulated_tile_loadconfig
#define _tile_release emulated_tile_release
#define _tile_zero emulated_tile_zero
#define _tile_loadd emulated_tile_loadd
#define _tile_stored emulated_tile_stored
#define _tile_dpbf16ps emulated_tile_dpbf16ps

#endif
