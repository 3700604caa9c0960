/* cpu_matrix.h: forward convolutions on bf16 operands by a processor's matrix unit, which multiplies whole tiles: rows
 * of A are pixels, read where they lie in a copy of the image with a border. Sums are fp32, in the order of taps and
 * channels, a whole step of channels at a time. Bound against exact arithmetic on the rounded operands: (n + 1) 2^-24
 * sum |a b|, n = terms of a sum; denormal operands and sums count as zero. */
#ifndef CPU_CPU_MATRIX_H
#define CPU_CPU_MATRIX_H

#include "cpu/cpu.h"
#include "cpu/cpu_gemm.h"

/* A tile of A: 16 rows of 16 words of two channels. Two tiles and two panels are multiplied at once. */
enum { CPU_MATRIX_ROWS = 16, CPU_MATRIX_WORDS = 16, CPU_MATRIX_TAPS = 9 };

/* One product. Row r of tile s of A begins at a + s * a_tile + r * a_row + tap[t], word by word; b:
 * [tap][depth][CPU_NR] words; the second panel lies b_panel words behind. depth: words a tap, a multiple of
 * CPU_MATRIX_WORDS. */
struct cpu_matrix_product {
    const uint32_t *a, *b;
    size_t a_tile, a_row, b_panel;
    const size_t *tap;
    int taps, depth, panels;
};

struct cpu_matrix {
    /* A thread may use the unit from begin to end. */
    void (*begin)(void);
    void (*end)(void);
    /* c[panel][tile * 16 + r][j]: [panels][32][CPU_NR], 64-byte aligned */
    void (*multiply)(float *c, const struct cpu_matrix_product *product);
    cpu_gemm_halve_fn *halve;
};

enum vgg_status cpu_matrix_conv_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                    const struct cpu_matrix *matrix);

#endif
