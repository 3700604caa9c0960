/* cpu_conv_weight_first.c: the weight gradient of images, whose three channels make the three taps of a row one stretch
 * of nine values: for each row of taps, stretches (9 x pixels) times dy (pixels x channels), a piece of an image row at
 * a time, so that the piece of dy is read from memory once. Image rows are summed in parts that the shape alone
 * decides. */
#include "cpu/cpu_conv.h"
#include "cpu/cpu_partial.h"

enum {
    PIECE = 96,    /* pixels whose dy stays in the first-level cache */
    LEAST_ROWS = 8 /* of a part */
};

/* One gradient. x: images with a border; w pixels a row. */
struct gradient {
    const struct cpu_gemm *gemm;
    int n, h, w, cout;
    const float *x, *dy;
};

/* dw and db += the sum over image rows [begin, end) of all images. */
static void rows_sum(const struct gradient *g, float *dw, float *db, int64_t begin, int64_t end)
{
    size_t cout = (size_t)g->cout, line = (size_t)(g->w + 2) * 3;
    for (int64_t row = begin; row < end; row++) {
        const float *x = g->x + (size_t)(row / g->h * (g->h + 2) + row % g->h) * line;
        for (int p = 0; p < g->w; p += PIECE) {
            int pixels = g->w - p < PIECE ? g->w - p : PIECE;
            const float *dy = g->dy + ((size_t)row * (size_t)g->w + (size_t)p) * cout;
            for (size_t col = 0; col < cout; col += CPU_NR)
                for (size_t above = 0; above < 3; above++)
                    g->gemm->stretch(dw + above * CPU_STRETCH * cout + col, cout, x + above * line + 3 * p, dy + col,
                                     cout, pixels, above ? NULL : db + col);
        }
    }
}

enum vgg_status cpu_conv_bwd_weight_first_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                              const struct cpu_gemm *gemm)
{
    struct gradient g = { .gemm = gemm, .n = op->x.n, .h = op->x.h, .w = op->x.w, .cout = op->dy.c, .dy = args->dy };
    int64_t rows = (int64_t)g.n * g.h;
    size_t weights = (size_t)3 * CPU_STRETCH * (size_t)g.cout;
    struct cpu_partial partial = cpu_partial_cut(weights, (size_t)g.cout, rows, LEAST_ROWS);
    size_t sums = (size_t)partial.parts * partial.size;
    void *scratch;
    enum vgg_status status = cpu_scratch(cpu, &scratch, (sums + cpu_framed_count(g.n, g.h, g.w)) * sizeof(float));
    if (status != VGG_OK) return status;
    partial.sum = scratch;
    cpu_images_frame(cpu, partial.sum + sums, args->x, g.n, g.h, g.w);
    g.x = partial.sum + sums;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int part = 0; part < partial.parts; part++) {
        int64_t begin, end;
        float *dw = cpu_partial_begin(&partial, part);
        cpu_partial_range(&partial, part, rows, &begin, &end);
        rows_sum(&g, dw, dw + weights, begin, end);
    }
    cpu_partial_add(cpu, args->dw, args->db, &partial);
    return VGG_OK;
}
