/* cpu_partial.h: gradients of weights and bias whose sum over pixels or tiles is cut into parts, by the shape alone.
 * Each part is summed by one thread into a partial gradient of its own: the weights' values, then the bias'. */
#ifndef CPU_CPU_PARTIAL_H
#define CPU_CPU_PARTIAL_H

#include "cpu/cpu.h"

struct cpu_partial {
    int parts;
    size_t weights, cols; /* values of the gradients of the weights and of the bias */
    size_t size;          /* floats from one part's to the next: whole cache lines */
    float *sum;           /* where they lie */
};

/* How a sum of `pieces` equal pieces is cut: at least `least` pieces a part, and no more parts than are worth their
 * memory. sum stays NULL: parts * size floats at a multiple of 64 bytes are wanted for it. */
struct cpu_partial cpu_partial_cut(size_t weights, size_t cols, int64_t pieces, int64_t least);
/* The pieces of one part: [*begin, *end). */
void cpu_partial_range(const struct cpu_partial *partial, int part, int64_t pieces, int64_t *begin, int64_t *end);
/* The gradient of one part, set to zero. */
float *cpu_partial_begin(const struct cpu_partial *partial, int part);
/* dw and db (or NULL) += all parts, in order. */
void cpu_partial_add(const struct cpu *cpu, float *dw, float *db, const struct cpu_partial *partial);

#endif
