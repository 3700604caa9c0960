/* cpu_dense.c: the three passes of a dense layer; the weights [in][out] pass through the cores once, unpacked. */
#include "cpu/cpu_dense.h"

#include <omp.h>
#include <string.h>

#include "cpu/cpu_bf16.h"
#include "cpu/cpu_conv.h"

enum {
    STRIP = 512,     /* columns whose sums stay in the first-level cache */
    PIECES = 64,     /* pieces of work aimed at, for any number of threads */
    MIN_DEPTH = 256, /* inputs of a piece at least */
    DOT_DEPTH = 1024 /* outputs of one dot product */
};

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

/* partial (n x out) strip `strip` = x w over inputs [begin, end). */
static void piece_multiply(float *partial, const float *x, const float *w, int n, int in, int out, int strip, int begin,
                           int end, const struct cpu_gemm *gemm)
{
    int col = strip * STRIP, cols = out - col < STRIP ? out - col : STRIP;
    for (int r = 0; r < n; r++)
        memset(partial + (size_t)r * (size_t)out + col, 0, (size_t)cols * sizeof *partial);
    for (int i = begin; i < end; i += CPU_STREAM_K) {
        int k = end - i < CPU_STREAM_K ? end - i : CPU_STREAM_K;
        for (int r = 0; r < n; r += CPU_MR)
            gemm->stream(partial + (size_t)r * (size_t)out + col, (size_t)out, x + (size_t)r * (size_t)in + i,
                         (size_t)in, w + (size_t)i * (size_t)out + col, (size_t)out, k, n - r < CPU_MR ? n - r : CPU_MR,
                         cols);
    }
}

/* *out: the weights as words of two inputs, [in / 2 rounded up][out], made anew if they changed. */
static enum vgg_status weights_halve(struct cpu *cpu, const float **to, const struct cpu_args *args, int in, int out)
{
    int lines = divide_up(in, 2);
    void *packed;
    bool valid;
    enum vgg_status status =
        cpu_pack_get(cpu, args, CPU_PACK_DENSE_BF16, (size_t)lines * (size_t)out * sizeof(float), &packed, &valid);
    *to = packed;
    if (status != VGG_OK || valid) return status;
    uint32_t *words = packed;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int i = 0; i < lines; i++) {
        const float *from = args->w + 2 * (size_t)i * (size_t)out;
        for (int j = 0; j < out; j++)
            words[(size_t)i * (size_t)out + (size_t)j] = cpu_bf16_pair(from[j], 2 * i + 1 < in ? from[out + j] : 0);
    }
    return VGG_OK;
}

enum vgg_status cpu_dense_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                              const struct cpu_gemm *gemm)
{
    int n = op->x.n, in = gemm->halve ? divide_up(op->w.w, 2) : op->w.w, out = op->w.c, strips = divide_up(out, STRIP);
    int pieces = divide_up(PIECES, strips), most = divide_up(in, MIN_DEPTH);
    if (pieces > most) pieces = most;
    int depth = divide_up(divide_up(in, pieces), CPU_STREAM_K) * CPU_STREAM_K;
    pieces = divide_up(in, depth);
    size_t count = (size_t)n * (size_t)out, halves = gemm->halve ? (size_t)n * (size_t)in : 0;
    void *scratch;
    enum vgg_status status = cpu_scratch(cpu, &scratch, (count * (size_t)pieces + halves) * sizeof(float));
    if (status != VGG_OK) return status;
    float *partial = scratch, *y = args->y;
    const float *b = args->b, *x = args->x, *w = args->w;
    if (gemm->halve) {
        status = weights_halve(cpu, &w, args, op->w.w, out);
        if (status != VGG_OK) return status;
        x = partial + count * (size_t)pieces;
        gemm->halve((uint32_t *)(partial + count * (size_t)pieces), args->x, (size_t)n, (size_t)op->w.w);
    }
    bool relu = op->flags & VGG_OP_RELU;
#pragma omp parallel num_threads(cpu->threads)
    {
#pragma omp for schedule(static)
        for (int i = 0; i < pieces * strips; i++) {
            int piece = i / strips, begin = piece * depth, end = in - begin < depth ? in : begin + depth;
            piece_multiply(partial + (size_t)piece * count, x, w, n, in, out, i % strips, begin, end, gemm);
        }
#pragma omp for schedule(static)
        for (int i = 0; i < n * strips; i++) {
            int col = i % strips * STRIP, cols = out - col < STRIP ? out - col : STRIP;
            float *to = y + (size_t)(i / strips) * (size_t)out + col;
            const float *from = partial + (size_t)(i / strips) * (size_t)out + col;
            memcpy(to, from, (size_t)cols * sizeof *to);
            for (int piece = 1; piece < pieces; piece++)
                for (int j = 0; j < cols; j++)
                    to[j] += from[(size_t)piece * count + (size_t)j];
            for (int j = 0; j < cols; j++) {
                float v = b ? to[j] + b[col + j] : to[j];
                to[j] = relu && 0 > v ? 0 : v;
            }
        }
    }
    return VGG_OK;
}

enum vgg_status cpu_dense_bwd_data_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                       const struct cpu_gemm *gemm)
{
    int n = op->dy.n, in = op->w.w, out = op->w.c, quads = divide_up(in, CPU_DOT_N);
    float *dx = args->dx;
    const float *mask = op->flags & VGG_OP_RELU ? args->x : NULL;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int quad = 0; quad < quads; quad++) {
        int row = quad * CPU_DOT_N, rows = in - row < CPU_DOT_N ? in - row : CPU_DOT_N;
        for (int k = 0; k < out; k += DOT_DEPTH)
            for (int r = 0; r < n; r += CPU_DOT_M)
                gemm->dot(dx + (size_t)r * (size_t)in + row, (size_t)in, args->dy + (size_t)r * (size_t)out + k,
                          (size_t)out, args->w + (size_t)row * (size_t)out + k, (size_t)out,
                          (size_t)(out - k < DOT_DEPTH ? out - k : DOT_DEPTH), n - r < CPU_DOT_M ? n - r : CPU_DOT_M,
                          rows, k > 0);
        if (!mask) continue;
        for (int r = 0; r < n; r++)
            for (int j = row; j < row + rows; j++)
                if (!(mask[(size_t)r * (size_t)in + (size_t)j] > 0)) dx[(size_t)r * (size_t)in + (size_t)j] = 0;
    }
    return VGG_OK;
}

/* dw rows [row, row + m) += the product of packed inputs a [n][m] and all packed panels of dy. */
static void rows_update(float *dw, const float *a, const float *packed, int n, int rows, int m, int out,
                        const struct cpu_gemm *gemm)
{
    const size_t at = 0;
    for (int col = 0; col < out; col += CPU_NR) {
        int cols = out - col < CPU_NR ? out - col : CPU_NR;
        const float *b = packed + (size_t)col * (size_t)n;
        if (rows == m && cols == CPU_NR) {
            gemm->cols(dw + col, (size_t)out, a, &at, b, 0, 1, n, m);
            continue;
        }
        float edge[CPU_MR * CPU_NR] = { 0 };
        for (int r = 0; r < rows; r++)
            memcpy(edge + r * CPU_NR, dw + (size_t)r * (size_t)out + col, (size_t)cols * sizeof *dw);
        gemm->cols(edge, CPU_NR, a, &at, b, 0, 1, n, m);
        for (int r = 0; r < rows; r++)
            memcpy(dw + (size_t)r * (size_t)out + col, edge + r * CPU_NR, (size_t)cols * sizeof *dw);
    }
}

/* Packs one panel of dy as [n][CPU_NR] and adds its columns, in order, to db. */
static void panel_pack(float *to, float *db, const float *dy, int n, int out, int col)
{
    int cols = out - col < CPU_NR ? out - col : CPU_NR;
    for (int r = 0; r < n; r++, to += CPU_NR) {
        const float *from = dy + (size_t)r * (size_t)out + col;
        for (int j = 0; j < CPU_NR; j++)
            to[j] = j < cols ? from[j] : 0;
        for (int j = 0; db && j < cols; j++)
            db[col + j] += from[j];
    }
}

enum vgg_status cpu_dense_bwd_weight_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                         const struct cpu_gemm *gemm)
{
    int n = op->dy.n, out = op->dw.c, in = op->dw.w, panels = divide_up(out, CPU_NR), tiles = divide_up(in, CPU_MR);
    size_t packed_count = (size_t)panels * CPU_NR * (size_t)n, tile_count = (size_t)n * CPU_MR;
    void *scratch;
    enum vgg_status status =
        cpu_scratch(cpu, &scratch, (packed_count + tile_count * (size_t)cpu->threads) * sizeof(float));
    if (status != VGG_OK) return status;
    float *packed = scratch;
#pragma omp parallel num_threads(cpu->threads)
    {
        float *a = packed + packed_count + tile_count * (size_t)omp_get_thread_num();
#pragma omp for schedule(static)
        for (int panel = 0; panel < panels; panel++)
            panel_pack(packed + (size_t)panel * CPU_NR * (size_t)n, args->db, args->dy, n, out, panel * CPU_NR);
#pragma omp for schedule(static)
        for (int tile = 0; tile < tiles; tile++) {
            int row = tile * CPU_MR, rows = in - row < CPU_MR ? in - row : CPU_MR;
            for (int r = 0; r < n; r++)
                for (int j = 0; j < CPU_MR; j++)
                    a[r * CPU_MR + j] = j < rows ? args->x[(size_t)r * (size_t)in + (size_t)(row + j)] : 0;
            rows_update(args->dw + (size_t)row * (size_t)out, a, packed, n, rows, CPU_MR, out, gemm);
        }
    }
    return VGG_OK;
}
