/* cpu_int8_vec.h: the transforms of cpu_int8.h in the words of cpu_vec.h and of these, which the level's file defines
 * before it includes this one:
 *   ROWS, COLS, CHUNK   of struct cpu_int8_kernels; COLS is a multiple of LANES
 *   STEP                how many bytes `wide` holds as 16-bit integers, in an order of its own; a multiple of CHUNK
 *   difference, sum     wide, of STEP bytes at a and at b
 *   wide_add, wide_sub, wide_scale (x mul + 2^14 >> 15), wide_zero
 *   put_signed          stores a wide cut to [-128, 127] plus the layout's shift, CHUNK bytes each ROWS * CHUNK bytes
 *   put_plus            the same cut to [0, 255]
 *   fused_minus         y - a x, rounded once
 *   numbers             LANES integers of 32 bits as floats
 *   larger_of           the larger of two
 *   SHIFT_PLUS          the layout's shift_plus
 *   put_bytes           LANES bytes: the nearest integers within 0 and 255
 *   STRIPS              defined where direct convolutions are made from strips, neither gathered nor put as below */
#ifndef CPU_CPU_INT8_VEC_H
#define CPU_CPU_INT8_VEC_H

#include "cpu/cpu_int8.h"

enum { TAPS = VGG_QUANT_TAPS };

/* ---- V of a run of tiles of one row ---- */

/* Row i of B^T x, for the pixel at x: from the lines that the row adds or subtracts. */
static inline __attribute__((always_inline)) wide column(const uint8_t *a, const uint8_t *b, size_t at, bool inside,
                                                         const int i)
{
    if (!inside) return wide_zero();
    return i == 1 ? sum(a + at, b + at) : difference(a + at, b + at);
}

/* Taps 4 i to 4 i + 3 of `count` tiles whose first column is x, channels c to c + STEP. */
static inline __attribute__((always_inline)) void input_row(uint8_t *v, size_t plane, const struct cpu_int8_map *map,
                                                            const uint8_t *const line[4], int x, int c, int count,
                                                            const int16_t *mul, const int i)
{
    const uint8_t *a = line[i == 0 ? 0 : i == 2 ? 2 : 1] + c, *b = line[i == 2 ? 1 : i == 3 ? 3 : 2] + c;
    size_t step = (size_t)map->c;
    wide c0 = column(a, b, (size_t)x * step, x >= 0, i), c1 = column(a, b, (size_t)(x + 1) * step, true, i);
    v += (size_t)(4 * i) * plane;
    for (int t = 0; t < count; t++, v += CHUNK) {
        x += 2;
        wide c2 = column(a, b, (size_t)x * step, x < map->w, i);
        wide c3 = column(a, b, (size_t)(x + 1) * step, x + 1 < map->w, i);
        put_signed(v, wide_scale(wide_sub(c0, c2), mul[4 * i]));
        if (i == 1)
            put_plus(v + plane, wide_scale(wide_add(c1, c2), mul[4 * i + 1]));
        else
            put_signed(v + plane, wide_scale(wide_add(c1, c2), mul[4 * i + 1]));
        put_signed(v + 2 * plane, wide_scale(wide_sub(c2, c1), mul[4 * i + 2]));
        put_signed(v + 3 * plane, wide_scale(wide_sub(c1, c3), mul[4 * i + 3]));
        c0 = c2, c1 = c3;
    }
}

static void input(uint8_t *v, const struct cpu_int8_map *map, const int16_t *mul, size_t tile, int count)
{
    size_t plane = (size_t)map->c * ROWS, size = (size_t)map->w * (size_t)map->c;
    size_t row = tile / (size_t)map->wide;
    int tx = (int)(tile % (size_t)map->wide);
    for (int run; count > 0; count -= run, v += run * CHUNK, tx = 0, row++) {
        const uint8_t *line[4];
        run = count < map->wide - tx ? count : map->wide - tx;
        for (int p = 0; p < 4; p++) {
            int y = 2 * (int)(row % (size_t)map->high) + p - 1;
            bool inside = y >= 0 && y < map->h;
            line[p] = inside ? map->x + (row / (size_t)map->high * (size_t)map->h + (size_t)y) * size : map->zeros;
        }
        for (int c = 0; c < map->c; c += STEP) {
            uint8_t *to = v + c * ROWS;
            input_row(to, plane, map, line, 2 * tx - 1, c, run, mul, 0);
            input_row(to, plane, map, line, 2 * tx - 1, c, run, mul, 1);
            input_row(to, plane, map, line, 2 * tx - 1, c, run, mul, 2);
            input_row(to, plane, map, line, 2 * tx - 1, c, run, mul, 3);
        }
    }
}

/* ---- y of a group of tiles ---- */

/* o[2 row + column] = A^T (M d) A + bias of LANES output channels. */
static inline __attribute__((always_inline)) void output_tile(vec o[4], const int32_t *m, const vec d[TAPS], vec bias)
{
    vec z[2][4];
#pragma GCC unroll 4
    for (int s = 0; s < 4; s++) {
        vec middle = mul(numbers(m + (4 + s) * ROWS * COLS), d[4 + s]);
        vec m2 = numbers(m + (8 + s) * ROWS * COLS);
        z[0][s] = fused(numbers(m + s * ROWS * COLS), d[s], fused(m2, d[8 + s], middle));
        z[1][s] = fused_minus(numbers(m + (12 + s) * ROWS * COLS), d[12 + s], fused_minus(m2, d[8 + s], middle));
    }
#pragma GCC unroll 2
    for (int r = 0; r < 2; r++) {
        o[2 * r] = add(add(z[r][0], z[r][2]), add(z[r][1], bias));
        o[2 * r + 1] = add(sub(z[r][1], z[r][3]), sub(bias, z[r][2]));
    }
}

/* Stores LANES channels at element `at` of y. */
static inline __attribute__((always_inline)) void put(const struct cpu_int8_map *map, size_t at, vec x,
                                                      const bool bytes)
{
    if (bytes)
        put_bytes((uint8_t *)map->y + at, x);
    else
        store((float *)map->y + at, map->relu ? relu(x) : x);
}

static inline __attribute__((always_inline)) void output_group(const struct cpu_int8_map *map, const int32_t *m,
                                                               const float *deq, const float *bias, int k, size_t tile,
                                                               int count, const bool bytes, const bool pool)
{
    size_t pixel = (size_t)map->out_c, line = (size_t)map->out_w * pixel;
    for (int part = 0; part < COLS; part += LANES) {
        vec d[TAPS], b = load(bias + part);
#pragma GCC unroll 16
        for (int t = 0; t < TAPS; t++)
            d[t] = load(deq + t * COLS + part);
        size_t row = tile / (size_t)map->wide;
        int tx = (int)(tile % (size_t)map->wide), ty = (int)(row % (size_t)map->high);
        size_t image = row / (size_t)map->high * (size_t)map->out_h * line + (size_t)(k + part);
        for (int i = 0; i < count; i++) {
            vec o[4];
            output_tile(o, m + i * COLS + part, d, b);
            if (pool) {
                size_t at = image + (size_t)ty * line + (size_t)tx * pixel;
                put(map, at, larger_of(larger_of(o[0], o[1]), larger_of(o[2], o[3])), bytes);
            } else {
                size_t at = image + 2 * ((size_t)ty * line + (size_t)tx * pixel);
                bool right = 2 * tx + 1 < map->out_w;
                put(map, at, o[0], bytes);
                if (right) put(map, at + pixel, o[1], bytes);
                if (2 * ty + 1 < map->out_h) {
                    put(map, at + line, o[2], bytes);
                    if (right) put(map, at + line + pixel, o[3], bytes);
                }
            }
            if (++tx < map->wide) continue;
            tx = 0;
            if (++ty < map->high) continue;
            ty = 0, image += (size_t)map->out_h * line;
        }
    }
}

static void output(const struct cpu_int8_map *map, const int32_t *m, const float *deq, const float *bias, int k,
                   size_t tile, int count)
{
    if (map->pool && map->bytes)
        output_group(map, m, deq, bias, k, tile, count, true, true);
    else if (map->bytes)
        output_group(map, m, deq, bias, k, tile, count, true, false);
    else if (map->pool)
        output_group(map, m, deq, bias, k, tile, count, false, true);
    else
        output_group(map, m, deq, bias, k, tile, count, false, false);
}

/* ---- a direct convolution ---- */

static inline __attribute__((always_inline)) void put_group(const struct cpu_int8_map *map, const int32_t *m,
                                                            const float *deq, const float *bias, size_t at, int count,
                                                            const bool bytes, const bool pool)
{
    for (int part = 0; part < COLS; part += LANES) {
        const int32_t *from = m + part;
        vec d = load(deq + part), b = load(bias + part);
        size_t to = at + (size_t)part;
        for (int i = 0; i < count; i++, to += (size_t)map->out_c, from += COLS) {
            vec value = fused(numbers(from), d, b);
            for (int p = 1; pool && p < 4; p++)
                from += COLS, value = larger_of(value, fused(numbers(from), d, b));
            put(map, to, value, bytes);
        }
    }
}

#ifndef STRIPS

static void gather(uint8_t *v, const struct cpu_int8_map *map, size_t first, int count)
{
    int parts = map->pool ? 4 : 1, side = map->pool ? 2 : 1;
    size_t row = first / (size_t)map->out_w, c = (size_t)map->c;
    int x = (int)(first % (size_t)map->out_w), y = (int)(row % (size_t)map->out_h);
    const uint8_t *image = map->x + row / (size_t)map->out_h * (size_t)map->h * (size_t)map->w * c;
    for (int r = 0; r < count * parts; r++, v += CHUNK) {
        int part = r % parts;
        for (int tap = 0; tap < 9; tap++) {
            int iy = side * y + part / 2 + tap / 3 - 1, ix = side * x + part % 2 + tap % 3 - 1;
            bool inside = iy >= 0 && iy < map->h && ix >= 0 && ix < map->w;
            const uint8_t *from = inside ? image + ((size_t)iy * (size_t)map->w + (size_t)ix) * c : map->zeros;
            uint8_t *restrict to = v + (size_t)tap * c * ROWS;
            for (size_t k = 0; k < c; k += CHUNK, from += CHUNK, to += ROWS * CHUNK)
                for (int j = 0; j < CHUNK; j++)
                    to[j] = (uint8_t)(from[j] + SHIFT_PLUS);
        }
        if (part + 1 < parts || ++x < map->out_w) continue;
        x = 0;
        if (++y < map->out_h) continue;
        y = 0, image += (size_t)map->h * (size_t)map->w * c;
    }
}

static void put_pixels(const struct cpu_int8_map *map, const int32_t *m, const float *deq, const float *bias, int k,
                       size_t first, int count)
{
    size_t at = first * (size_t)map->out_c + (size_t)k;
    if (map->pool && map->bytes)
        put_group(map, m, deq, bias, at, count, true, true);
    else if (map->bytes)
        put_group(map, m, deq, bias, at, count, true, false);
    else if (map->pool)
        put_group(map, m, deq, bias, at, count, false, true);
    else
        put_group(map, m, deq, bias, at, count, false, false);
}

#endif

static void finish(float *values, const int32_t *m, const float *deq, const float *bias, int count)
{
    for (int r = 0; r < count; r++, values += COLS, m += COLS)
        for (int j = 0; j < COLS; j += LANES)
            store(values + j, fused(numbers(m + j), load(deq + j), load(bias + j)));
}

/* ---- the first layer ---- */

/* FIRST_PIXELS x FIRST_VECS sums, a weight for each of the vectors and a value of x stay in registers. */
enum { FIRST_PIXELS = 6, FIRST_VECS = LANES == 8 ? 2 : 4, FIRST_COLS = FIRST_VECS * LANES };
_Static_assert(FIRST_PIXELS + 1 <= CPU_INT8_FIRST_PAD, "the last pixels of a row read beyond it");

/* a = the sums of FIRST_PIXELS pixels from the lines' element `at` on, output channels from k on. */
static inline __attribute__((always_inline)) void first_sums(vec a[FIRST_PIXELS][FIRST_VECS],
                                                             const struct cpu_int8_first *layer,
                                                             const float *const line[3], size_t at, int k)
{
    int run = 3 * layer->c;
    const float *w = layer->w + k;
#pragma GCC unroll 6
    for (int p = 0; p < FIRST_PIXELS; p++)
#pragma GCC unroll 4
        for (int j = 0; j < FIRST_VECS; j++)
            a[p][j] = load(layer->b + k + j * LANES);
    for (int row = 0; row < 3; row++) {
        const float *x = line[row] + at;
        for (int i = 0; i < run; i++, w += layer->out_c) {
            vec u[FIRST_VECS];
#pragma GCC unroll 4
            for (int j = 0; j < FIRST_VECS; j++)
                u[j] = load(w + j * LANES);
#pragma GCC unroll 6
            for (int p = 0; p < FIRST_PIXELS; p++) {
                vec one = splat(x[p * layer->c + i]);
#pragma GCC unroll 4
                for (int j = 0; j < FIRST_VECS; j++)
                    a[p][j] = fused(one, u[j], a[p][j]);
            }
        }
    }
}

static void first(uint8_t *y, const struct cpu_int8_first *layer, const float *const line[4])
{
    const int windows = FIRST_PIXELS / 2;
    vec share = splat(layer->share);
    for (int x = 0; x < layer->out_w; x += layer->pool ? windows : FIRST_PIXELS) {
        size_t at = (size_t)x * (size_t)layer->c * (layer->pool ? 2 : 1);
        int left = layer->out_w - x;
        for (int k = 0; k < layer->out_c; k += FIRST_COLS) {
            vec a[FIRST_PIXELS][FIRST_VECS];
            uint8_t *to = y + (size_t)x * (size_t)layer->out_c + k;
            first_sums(a, layer, line, at, k);
            if (!layer->pool) {
                for (int p = 0; p < FIRST_PIXELS && p < left; p++, to += layer->out_c)
                    for (int j = 0; j < FIRST_VECS; j++)
                        put_bytes(to + j * LANES, mul(a[p][j], share));
                continue;
            }
            vec b[FIRST_PIXELS][FIRST_VECS];
            first_sums(b, layer, line + 1, at, k);
            for (int p = 0; p < windows && p < left; p++, to += layer->out_c) {
                for (int j = 0; j < FIRST_VECS; j++) {
                    vec upper = larger_of(a[2 * p][j], a[2 * p + 1][j]),
                        lower = larger_of(b[2 * p][j], b[2 * p + 1][j]);
                    put_bytes(to + j * LANES, mul(larger_of(upper, lower), share));
                }
            }
        }
    }
}

#endif
