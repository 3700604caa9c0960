/* cpu_matrix_amx.c: tiles by AMX: four sums, two tiles of pixels and two of weights are its eight registers. */
#include "cpu/cpu_bf16.h"
#include "cpu/cpu_matrix.h"
#include "cpu/x86/cpu_amx.h"

enum { TILE = CPU_MATRIX_ROWS * CPU_NR };

/* Registers: 0 to 3 c[tile][panel], 4 and 5 tiles of A, 6 and 7 panels of B. */
static inline __attribute__((always_inline)) void multiply_panels(float *c, const struct cpu_matrix_product *p,
                                                                  const bool both)
{
    const uint32_t *b = p->b;
    size_t row = p->a_row * sizeof *b;
    _tile_zero(0);
    _tile_zero(2);
    if (both) {
        _tile_zero(1);
        _tile_zero(3);
    }
    for (int t = 0; t < p->taps; t++) {
        const uint32_t *a = p->a + p->tap[t];
        for (int i = 0; i < p->depth; i += CPU_MATRIX_WORDS, a += CPU_MATRIX_WORDS, b += TILE) {
            _tile_loadd(6, b, AMX_ROW);
            _tile_loadd(4, a, row);
            if (both) _tile_loadd(7, b + p->b_panel, AMX_ROW);
            _tile_loadd(5, a + p->a_tile, row);
            _tile_dpbf16ps(0, 4, 6);
            if (both) _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            if (both) _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, AMX_ROW);
    _tile_stored(2, c + TILE, AMX_ROW);
    if (!both) return;
    _tile_stored(1, c + 2 * TILE, AMX_ROW);
    _tile_stored(3, c + 3 * TILE, AMX_ROW);
}

static void multiply(float *c, const struct cpu_matrix_product *p)
{
    if (p->panels == 2)
        multiply_panels(c, p, true);
    else
        multiply_panels(c, p, false);
}

/* The unit takes denormal values as zero, as the conversion does. */
static void halve(uint32_t *to, const float *from, size_t rows, size_t count)
{
    for (size_t r = 0; r < rows; r++, from += count, to += (count + 1) / 2) {
        size_t i = 0;
        for (; i + 32 <= count; i += 32)
            _mm512_storeu_si512(
                to + i / 2, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i)));
        for (; i < count; i += 2)
            to[i / 2] = cpu_bf16_pair(from[i], i + 1 < count ? from[i + 1] : 0);
    }
}

static const struct cpu_matrix matrix = { amx_begin, amx_end, multiply, halve };

static enum vgg_status conv(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_matrix_conv_run(cpu, op, args, &matrix);
}

const struct cpu_kernels cpu_kernels_amx = { .conv_bf16 = conv };
