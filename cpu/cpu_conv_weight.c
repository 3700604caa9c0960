/* cpu_conv_weight.c: gradient of a convolution's weights and bias: for each tap, x^T (channels x pixels) times dy
 * (pixels x channels), both packed a stretch of image rows at a time, products added into dw. */
#include "cpu/cpu_conv.h"

#include <omp.h>
#include <string.h>

enum {
    STRETCH_BYTES = 1 << 20, /* packed rows of x and dy shared by all threads */
    DEPTH = 320,             /* pixels of one product: a panel of dy stays in the first-level cache */
    MAX_SEGMENTS = 512,
};

/* `m` channels of x from `first`; the last tile may hold fewer than m. */
struct tile {
    int first, m;
};

/* One gradient. */
struct gradient {
    const struct cpu_gemm *gemm;
    int n, h, w, cin, cout;
    int line;            /* packed pixels of one image row */
    int wide, narrow;    /* tiles of CPU_MR rows, then of CPU_MR_NARROW */
    int panels, stretch; /* image rows of a stretch */
    const float *x, *dy;
    float *dw, *db;
    float *a, *b; /* packed: [tile][slot][line][m], [panel][row][w][CPU_NR] */
};

static struct tile tile_of(const struct gradient *g, int index)
{
    if (index < g->wide) return (struct tile) { index * CPU_MR, CPU_MR };
    return (struct tile) { g->wide * CPU_MR + (index - g->wide) * CPU_MR_NARROW, CPU_MR_NARROW };
}

/* Splits channels into tiles of 6 and of 4 with the least padding. */
static void tiles_split(struct gradient *g)
{
    int rest = g->cin % CPU_MR;
    g->wide = g->cin / CPU_MR;
    if (rest == 5)
        g->wide++;
    else if (rest == 2 && g->wide)
        g->wide--, g->narrow = 2;
    else if (rest)
        g->narrow = 1;
}

/* Slots of packed x: the rows of a stretch, one above, one below, one of zeros. */
static size_t slots_of(const struct gradient *g)
{
    return (size_t)g->stretch + 3;
}

static float *tile_packed(const struct gradient *g, struct tile t)
{
    return g->a + slots_of(g) * (size_t)g->line * (size_t)t.first;
}

/* Copies row `from` (w pixels of c channels) of one tile, zeros around it, into `to`. */
static void line_pack(float *to, const float *from, const struct gradient *g, struct tile t)
{
    int valid = g->cin - t.first < t.m ? g->cin - t.first : t.m;
    memset(to, 0, (size_t)t.m * sizeof *to);
    memset(to + (size_t)(g->w + 1) * (size_t)t.m, 0, (size_t)t.m * sizeof *to);
    to += t.m, from += t.first;
    if (valid == CPU_MR) {
        for (int p = 0; p < g->w; p++)
            memcpy(to + (size_t)p * CPU_MR, from + (size_t)p * (size_t)g->cin, CPU_MR * sizeof *to);
    } else if (valid == CPU_MR_NARROW && t.m == CPU_MR_NARROW) {
        for (int p = 0; p < g->w; p++)
            memcpy(to + (size_t)p * CPU_MR_NARROW, from + (size_t)p * (size_t)g->cin, CPU_MR_NARROW * sizeof *to);
    } else {
        for (int p = 0; p < g->w; p++)
            for (int r = 0; r < t.m; r++)
                to[p * t.m + r] = r < valid ? from[(size_t)p * (size_t)g->cin + (size_t)r] : 0;
    }
}

/* Packs slot `slot` of the stretch that begins at image row `first`. */
static void slot_pack(const struct gradient *g, int64_t first, int slot)
{
    int64_t row = first + slot - 1;
    bool zero = slot == g->stretch + 2 || row < 0 || row >= (int64_t)g->n * g->h;
    for (int index = 0; index < g->wide + g->narrow; index++) {
        struct tile t = tile_of(g, index);
        float *to = tile_packed(g, t) + (size_t)slot * (size_t)g->line * (size_t)t.m;
        if (zero)
            memset(to, 0, (size_t)g->line * (size_t)t.m * sizeof *to);
        else
            line_pack(to, g->x + row * g->w * g->cin, g, t);
    }
}

/* Packs image row first + row of dy. */
static void delta_pack(const struct gradient *g, int64_t first, int row)
{
    const float *from = g->dy + (first + row) * g->w * g->cout;
    for (int panel = 0; panel < g->panels; panel++) {
        int col = panel * CPU_NR, count = g->cout - col < CPU_NR ? g->cout - col : CPU_NR;
        float *to = g->b + ((size_t)panel * (size_t)g->stretch + (size_t)row) * (size_t)g->w * CPU_NR;
        for (int p = 0; p < g->w; p++, to += CPU_NR)
            if (count == CPU_NR) {
                memcpy(to, from + (size_t)p * (size_t)g->cout + col, CPU_NR * sizeof *to);
            } else {
                memset(to, 0, CPU_NR * sizeof *to);
                memcpy(to, from + (size_t)p * (size_t)g->cout + col, (size_t)count * sizeof *to);
            }
    }
}

/* db of one panel += the sum of `pixels` packed pixels, in order. */
static void bias_add(const struct gradient *g, int panel, const float *b, int pixels)
{
    int col = panel * CPU_NR, count = g->cout - col < CPU_NR ? g->cout - col : CPU_NR;
    float sum[CPU_NR] = { 0 };
    memcpy(sum, g->db + col, (size_t)count * sizeof *sum);
    for (int p = 0; p < pixels; p++)
        for (int j = 0; j < CPU_NR; j++)
            sum[j] += b[p * CPU_NR + j];
    memcpy(g->db + col, sum, (size_t)count * sizeof *sum);
}

/* dw of one tile, tap and panel += its product over some rows. */
static void tile_multiply(const struct gradient *g, struct tile t, int tap, int panel, const size_t *at, const float *b,
                          int segments)
{
    int col = panel * CPU_NR, cols = g->cout - col < CPU_NR ? g->cout - col : CPU_NR;
    int valid = g->cin - t.first < t.m ? g->cin - t.first : t.m;
    float *c = g->dw + ((size_t)tap * (size_t)g->cin + (size_t)t.first) * (size_t)g->cout + col;
    const float *a = tile_packed(g, t);
    if (valid == t.m && cols == CPU_NR) {
        g->gemm->cols(c, (size_t)g->cout, a, at, b, (size_t)g->w * CPU_NR, segments, g->w, t.m);
        return;
    }
    float edge[CPU_MR * CPU_NR] = { 0 };
    for (int r = 0; r < valid; r++)
        memcpy(edge + r * CPU_NR, c + (size_t)r * (size_t)g->cout, (size_t)cols * sizeof *c);
    g->gemm->cols(edge, CPU_NR, a, at, b, (size_t)g->w * CPU_NR, segments, g->w, t.m);
    for (int r = 0; r < valid; r++)
        memcpy(c + (size_t)r * (size_t)g->cout, edge + r * CPU_NR, (size_t)cols * sizeof *c);
}

/* Products of rows [begin, end) of the stretch at `first`, for the tiles [item0, item1) of [panel][tile]. */
static void rows_multiply(const struct gradient *g, int64_t first, int begin, int end, int item0, int item1)
{
    int segments = end - begin, tiles = g->wide + g->narrow;
    size_t slot[3][MAX_SEGMENTS], at[MAX_SEGMENTS];
    for (int dy = 0; dy < 3; dy++)
        for (int s = 0; s < segments; s++) {
            int y = (int)((first + begin + s) % g->h) + dy - 1;
            slot[dy][s] = y < 0 || y >= g->h ? (size_t)g->stretch + 2 : (size_t)(begin + s + dy);
        }
    for (int item = item0; item < item1; item++) {
        int panel = item / tiles;
        struct tile t = tile_of(g, item % tiles);
        const float *b = g->b + ((size_t)panel * (size_t)g->stretch + (size_t)begin) * (size_t)g->w * CPU_NR;
        if (g->db && item % tiles == 0) bias_add(g, panel, b, segments * g->w);
        for (int tap = 0; tap < 9; tap++) {
            int dy = tap / 3, dx = tap % 3;
            for (int s = 0; s < segments; s++)
                at[s] = (slot[dy][s] * (size_t)g->line + (size_t)dx) * (size_t)t.m;
            tile_multiply(g, t, tap, panel, at, b, segments);
        }
    }
}

static void gradient_run(const struct cpu *cpu, const struct gradient *g)
{
    int64_t rows = (int64_t)g->n * g->h;
    int step = DEPTH / g->w > 1 ? DEPTH / g->w : 1, items = g->panels * (g->wide + g->narrow);
    if (step > MAX_SEGMENTS) step = MAX_SEGMENTS;
#pragma omp parallel num_threads(cpu->threads)
    {
        int item0, item1;
        cpu_share(items, omp_get_thread_num(), omp_get_num_threads(), &item0, &item1);
        for (int64_t first = 0; first < rows; first += g->stretch) {
            int count = rows - first < g->stretch ? (int)(rows - first) : g->stretch;
#pragma omp for schedule(static)
            for (int i = 0; i < g->stretch + 3 + count; i++)
                if (i < g->stretch + 3)
                    slot_pack(g, first, i);
                else
                    delta_pack(g, first, i - g->stretch - 3);
            for (int begin = 0; begin < count; begin += step)
                rows_multiply(g, first, begin, begin + step < count ? begin + step : count, item0, item1);
#pragma omp barrier
        }
    }
}

enum vgg_status cpu_conv_bwd_weight_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                        const struct cpu_gemm *gemm)
{
    if (op->x.c == 3 && op->dy.c % CPU_NR == 0) return cpu_conv_bwd_weight_first_run(cpu, op, args, gemm);
    struct gradient g = { .gemm = gemm, .n = op->x.n, .h = op->x.h, .w = op->x.w, .cin = op->x.c, .cout = op->dy.c };
    g.x = args->x, g.dy = args->dy, g.dw = args->dw, g.db = args->db;
    g.line = g.w + 2;
    g.panels = (g.cout + CPU_NR - 1) / CPU_NR;
    tiles_split(&g);
    size_t a_width = (size_t)(g.wide * CPU_MR + g.narrow * CPU_MR_NARROW), b_width = (size_t)g.panels * CPU_NR;
    size_t row_bytes = (size_t)g.line * (a_width + b_width) * sizeof(float);
    size_t stretch = STRETCH_BYTES / row_bytes > 1 ? STRETCH_BYTES / row_bytes : 1;
    size_t most = (size_t)g.n * (size_t)g.h;
    g.stretch = (int)(stretch < most ? stretch : most);
    size_t a_count = (slots_of(&g) * (size_t)g.line * a_width + 15) / 16 * 16;
    size_t b_count = (size_t)g.stretch * (size_t)g.w * b_width;
    void *scratch;
    enum vgg_status status = cpu_scratch(cpu, &scratch, (a_count + b_count) * sizeof(float));
    if (status != VGG_OK) return status;
    g.a = scratch, g.b = g.a + a_count;
    gradient_run(cpu, &g);
    return VGG_OK;
}
