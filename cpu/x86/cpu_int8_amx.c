/* cpu_int8_amx.c: quantised layers by AMX: 32 tiles or images by 32 columns are four registers of sums. */
#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

enum { ROWS = 32, COLS = 32, CHUNK = 64 };

#include "cpu/x86/cpu_amx.h"
#include "cpu/x86/cpu_int8_avx512.h"

enum { U_ROW = 4 * COLS /* bytes of four input channels */, M_ROW = COLS * sizeof(int32_t) };

/* Registers: 0 to 3 sums of rows and columns, 4 and 5 of V, 6 and 7 of U. both: all rows, else the first 16. */
static inline __attribute__((always_inline)) void multiply_rows(int32_t *m, const uint8_t *v, const int8_t *u,
                                                                const int32_t *start, int in, const bool both)
{
    _tile_loadd(0, start, 0);
    _tile_loadd(1, start + 16, 0);
    if (both) {
        _tile_loadd(2, start, 0);
        _tile_loadd(3, start + 16, 0);
    }
    for (int c = 0; c < in; c += CHUNK, v += ROWS * CHUNK, u += CHUNK * COLS) {
        _tile_loadd(4, v, CHUNK);
        _tile_loadd(6, u, U_ROW);
        _tile_loadd(7, u + AMX_ROW, U_ROW);
        if (both) _tile_loadd(5, v + AMX_ROWS * CHUNK, CHUNK);
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        if (!both) continue;
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_stored(0, m, M_ROW);
    _tile_stored(1, m + 16, M_ROW);
    if (!both) return;
    _tile_stored(2, m + AMX_ROWS * COLS, M_ROW);
    _tile_stored(3, m + AMX_ROWS * COLS + 16, M_ROW);
}

static void multiply_tap(int32_t *m, const uint8_t *v, const int8_t *u, const int32_t *start, int in, int count)
{
    if (count <= AMX_ROWS)
        multiply_rows(m, v, u, start, in, false);
    else
        multiply_rows(m, v, u, start, in, true);
}

static const struct cpu_int8_kernels int8 = {
    .layout = { .form = CPU_PACK_INT8, .cols = COLS, .quad = 4, .chunk = CHUNK, .shift = 128 },
    .rows = ROWS,
    .step = STEP,
    .begin = amx_begin,
    .end = amx_end,
    .input = input,
    .multiply = multiply_tap,
    .output = output,
    .gather = gather,
    .put = put_pixels,
    .finish = finish,
    .first = first,
    .first_cols = FIRST_COLS,
};

const struct cpu_kernels cpu_kernels_amxint8 = {
    .conv_int8 = cpu_conv_int8_tiled,
    .dense_int8 = cpu_dense_int8_tiled,
    .int8 = &int8,
};
