/* cpu_int8_amx.c: quantised layers by AMX: 32 tiles or images by 32 columns are four registers of sums. */
#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

enum { ROWS = 32, COLS = 32, CHUNK = 64 };
#define STRIPS

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

/* ---- a direct convolution: a register's rows are pixels side by side, read where they lie in the strip ---- */

/* Outputs of two rows of the image: m[2][AMX_ROWS][COLS]. v: what lies above and before the first. */
static inline void multiply_pixels(int32_t *m, const uint8_t *v, size_t pitch, int in, const int8_t *u,
                                   const int32_t *start)
{
    size_t pixel = (size_t)in;
    _tile_loadd(0, start, 0);
    _tile_loadd(1, start + 16, 0);
    _tile_loadd(2, start, 0);
    _tile_loadd(3, start + 16, 0);
    for (int tap = 0; tap < 9; tap++) {
        const uint8_t *at = v + (size_t)(tap / 3) * pitch + (size_t)(tap % 3) * pixel;
        for (int c = 0; c < in; c += CHUNK, at += CHUNK, u += CHUNK * COLS) {
            _tile_loadd(4, at, pixel);
            _tile_loadd(5, at + pitch, pixel);
            _tile_loadd(6, u, U_ROW);
            _tile_loadd(7, u + AMX_ROW, U_ROW);
            _tile_dpbusd(0, 4, 6);
            _tile_dpbusd(1, 4, 7);
            _tile_dpbusd(2, 5, 6);
            _tile_dpbusd(3, 5, 7);
        }
    }
    _tile_stored(0, m, M_ROW);
    _tile_stored(1, m + 16, M_ROW);
    _tile_stored(2, m + AMX_ROWS * COLS, M_ROW);
    _tile_stored(3, m + AMX_ROWS * COLS + 16, M_ROW);
}

/* y of `count` windows from element `at` on: the largest of the two pixels in each of m's two rows. */
static inline __attribute__((always_inline)) void put_windows(const struct cpu_int8_map *map, const int32_t *m,
                                                              const float *deq, const float *bias, size_t at, int count,
                                                              const bool bytes)
{
    for (int part = 0; part < COLS; part += LANES) {
        const int32_t *from = m + part;
        vec d = load(deq + part), b = load(bias + part);
        for (int i = 0; i < count; i++, from += 2 * COLS) {
            vec value = larger_of(fused(numbers(from), d, b), fused(numbers(from + COLS), d, b));
            const int32_t *below = from + AMX_ROWS * COLS;
            value = larger_of(value, fused(numbers(below), d, b));
            value = larger_of(value, fused(numbers(below + COLS), d, b));
            put(map, at + (size_t)i * (size_t)map->out_c + (size_t)part, value, bytes);
        }
    }
}

/* Outputs of rows y and y + 1 from x on. */
static inline __attribute__((always_inline)) void put_rows(const struct cpu_int8_map *map, const int32_t *m,
                                                           const float *deq, const float *bias, int k, size_t image,
                                                           int y, int x, int rows, const bool bytes)
{
    int scale = map->pool ? 2 : 1, left = map->out_w - x / scale, count = rows / scale < left ? rows / scale : left;
    for (int r = 0; r < 2 && y / scale + r < map->out_h; r++, m += AMX_ROWS * COLS) {
        size_t line = image * (size_t)map->out_h + (size_t)(y / scale + r);
        size_t at = (line * (size_t)map->out_w + (size_t)(x / scale)) * (size_t)map->out_c + (size_t)k;
        if (map->pool) {
            put_windows(map, m, deq, bias, at, count, bytes);
            return;
        }
        put_group(map, m, deq, bias, at, count, bytes, false);
    }
}

static void strip(const struct cpu_int8_map *map, const struct cpu_int8_strips *strips, const uint8_t *v,
                  const int8_t *u, const int32_t *start, const float *deq, const float *bias, int k, size_t number)
{
    _Alignas(64) int32_t m[2 * AMX_ROWS * COLS];
    int first;
    size_t image = cpu_int8_strip_image(&first, map, strips, number);
    int end = first + strips->pairs < map->high ? first + strips->pairs : map->high;
    amx_begin_rows(strips->rows);
    for (int y = 2 * first; y < 2 * end; y += 2, v += 2 * strips->pitch) {
        for (int x = 0; x < map->w; x += strips->rows) {
            multiply_pixels(m, v + (size_t)x * (size_t)map->c, strips->pitch, map->c, u, start);
            if (map->bytes)
                put_rows(map, m, deq, bias, k, image, y, x, strips->rows, true);
            else
                put_rows(map, m, deq, bias, k, image, y, x, strips->rows, false);
        }
    }
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
    .strip = strip,
    .strip_rows = AMX_ROWS,
    .finish = finish,
    .first = first,
    .first_cols = FIRST_COLS,
};

const struct cpu_kernels cpu_kernels_amxint8 = {
    .conv_int8 = cpu_conv_int8_tiled,
    .dense_int8 = cpu_dense_int8_tiled,
    .int8 = &int8,
};
