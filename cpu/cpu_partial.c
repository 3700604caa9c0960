#include "cpu/cpu_partial.h"

#include <string.h>

enum { MOST_PARTS = 32, MOST_BYTES = 8 << 20, LINE = 16 /* floats of a cache line */ };

struct cpu_partial cpu_partial_cut(size_t weights, size_t cols, int64_t pieces, int64_t least)
{
    struct cpu_partial partial = { .weights = weights, .cols = cols };
    partial.size = (weights + cols + LINE - 1) / LINE * LINE;
    int64_t fit = (int64_t)(MOST_BYTES / (partial.size * sizeof(float))), parts = pieces / least;
    if (parts > fit) parts = fit;
    if (parts > MOST_PARTS) parts = MOST_PARTS;
    partial.parts = parts > 1 ? (int)parts : 1;
    return partial;
}

void cpu_partial_range(const struct cpu_partial *partial, int part, int64_t pieces, int64_t *begin, int64_t *end)
{
    *begin = pieces * part / partial->parts;
    *end = pieces * (part + 1) / partial->parts;
}

float *cpu_partial_begin(const struct cpu_partial *partial, int part)
{
    float *sum = partial->sum + (size_t)part * partial->size;
    memset(sum, 0, partial->size * sizeof *sum);
    return sum;
}

void cpu_partial_add(const struct cpu *cpu, float *dw, float *db, const struct cpu_partial *partial)
{
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t line = 0; line < partial->size; line += LINE) {
        float sum[LINE] = { 0 };
        for (int part = 0; part < partial->parts; part++)
            for (size_t j = 0; j < LINE; j++)
                sum[j] += partial->sum[(size_t)part * partial->size + line + j];
        for (size_t j = 0; j < LINE; j++) {
            size_t i = line + j;
            if (i < partial->weights)
                dw[i] += sum[j];
            else if (db && i < partial->weights + partial->cols)
                db[i - partial->weights] += sum[j];
        }
    }
}
