/* cpu_int8_dense.c: dense layers of bytes on the kernels of a vector level; the weights pass through the cores once a
 * group of images. */
#include <omp.h>
#include <string.h>

#include "core/base/mem.h"
#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

/* v = the bytes of up to `rows` images as a transformed group with one tap; what lies beyond an image meets zeros. */
static void group_pack(uint8_t *v, const uint8_t *x, int count, int in, const struct cpu_int8_kernels *kernels)
{
    int chunk = kernels->layout.chunk;
    uint8_t shift = (uint8_t)kernels->layout.shift_plus;
    for (int c = 0; c < in; c += chunk, v += kernels->rows * chunk) {
        int some = in - c < chunk ? in - c : chunk;
        for (int r = 0; r < count; r++)
            for (int j = 0; j < some; j++)
                v[r * chunk + j] = (uint8_t)(x[(size_t)r * (size_t)in + (size_t)(c + j)] + shift);
    }
}

/* The finished values of `count` images and of the columns that the layer has. */
static void values_store(const struct vgg_op *op, const struct cpu_args *args, const float *values, int image,
                         int count, int k, int cols)
{
    int some = op->w.c - k < cols ? op->w.c - k : cols;
    bool relu = op->flags & VGG_OP_RELU;
    for (int r = 0; r < count; r++, values += cols) {
        size_t at = (size_t)(image + r) * (size_t)op->w.c + (size_t)k;
        for (int j = 0; j < some; j++) {
            if (op->y.type == VGG_U8)
                cpu_int8_bytes(args->y)[at + (size_t)j] = cpu_int8_byte(values[j]);
            else
                args->y[at + (size_t)j] = relu && 0 > values[j] ? 0 : values[j];
        }
    }
}

enum vgg_status cpu_dense_int8_tiled(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    const struct cpu_int8_kernels *kernels = cpu->kernels.int8;
    struct cpu_int8_weights weights;
    struct cpu_int8_scales scales;
    void *scratch;
    enum vgg_status status = cpu_int8_weights_get(cpu, &weights, op, args, &kernels->layout);
    if (status != VGG_OK) return status;
    int rows = kernels->rows, cols = kernels->layout.cols, groups = (op->x.n + rows - 1) / rows;
    size_t group = vgg_mem_round_up((size_t)rows * (size_t)weights.in, 64), sums = (size_t)(rows * cols);
    size_t scales_size = cpu_int8_scales_size(&weights), own = vgg_mem_round_up(2 * sums * sizeof(float), 64);
    status = cpu_scratch(cpu, &scratch, scales_size + own * (size_t)cpu->threads + group * (size_t)groups);
    if (status != VGG_OK) return status;
    cpu_int8_scales_make(&scales, scratch, op, args, &weights, cols);
    char *memory = (char *)scratch + scales_size;
    uint8_t *v = (uint8_t *)memory + own * (size_t)cpu->threads;
    int blocks = weights.out / cols;
#pragma omp parallel num_threads(cpu->threads)
    {
        int32_t *m = (int32_t *)(void *)(memory + own * (size_t)omp_get_thread_num());
        float *values = (float *)(void *)(m + sums);
        cpu_int8_begin(kernels);
#pragma omp for schedule(static)
        for (int g = 0; g < groups; g++) {
            const uint8_t *x = cpu_int8_bytes(args->x) + (size_t)g * (size_t)rows * (size_t)op->w.w;
            int count = op->x.n - g * rows < rows ? op->x.n - g * rows : rows;
            group_pack(v + (size_t)g * group, x, count, op->w.w, kernels);
        }
#pragma omp for schedule(static)
        for (int block = 0; block < blocks; block++) {
            size_t k = (size_t)block * (size_t)cols;
            for (int g = 0; g < groups; g++) {
                int count = op->x.n - g * rows < rows ? op->x.n - g * rows : rows;
                kernels->multiply(m, v + (size_t)g * group, weights.u + k * (size_t)weights.in, weights.start + k,
                                  weights.in, count);
                kernels->finish(values, m, scales.deq + k, scales.bias + k, count);
                values_store(op, args, values, g * rows, count, (int)k, cols);
            }
        }
        cpu_int8_end(kernels);
    }
    return VGG_OK;
}
