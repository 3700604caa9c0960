/* cpu_conv.c: forward convolution and gradient of the input: pixels x (9 taps, channels) times packed weights. Rows of
 * the matrix are the pixels of the activation, read where they lie through a table of pointers. */
#include "cpu/cpu_conv.h"

#include <omp.h>
#include <string.h>

#include "cpu/cpu_bf16.h"

enum {
    TAPS = 9,
    MAX_ROWS = 192,
    FIRST_DEPTH =
        3, /* channels of images: the three taps of a row are read as one stretch, from a copy with a border */
    FIRST_STRETCH = 3 * FIRST_DEPTH
};

/* One product. Rows are the n h w pixels, or with pool 4 rows a window; cols are channels, depth elements of A:
 * channels or words of two. */
struct product {
    const struct cpu_gemm *gemm;
    int n, h, w, channels, depth, cols;
    const float *a, *packed, *zero;
    const float *bias, *mask;
    float *y;
    uint8_t *arg;
    bool relu, pool;
    bool border; /* a is a copy with a pixel of zeros around each image */
    int k_block;
};

/* Floats of [panel][tap][depth][CPU_NR], a bias padded to whole panels and a pixel of zeros. */
static size_t packed_count(int depth, int cols)
{
    return (size_t)cpu_panels(cols) * CPU_NR * ((size_t)TAPS * (size_t)depth + 1) + (size_t)depth;
}

/* Weights of the forward pass: w [tap][depth][cols]. */
static void pack_forward(struct cpu *cpu, float *packed, const float *w, int depth, int cols)
{
    int panels = cpu_panels(cols), lines = TAPS * depth;
#pragma omp parallel for num_threads(cpu->threads) schedule(static) collapse(2)
    for (int panel = 0; panel < panels; panel++)
        for (int tap = 0; tap < TAPS; tap++) {
            int count = cols - panel * CPU_NR < CPU_NR ? cols - panel * CPU_NR : CPU_NR;
            for (int line = tap * depth; line < (tap + 1) * depth; line++) {
                float *to = packed + ((size_t)panel * (size_t)lines + (size_t)line) * CPU_NR;
                const float *from = w + (size_t)line * (size_t)cols + (size_t)panel * CPU_NR;
                if (count == CPU_NR) {
                    memcpy(to, from, CPU_NR * sizeof *to);
                } else {
                    memset(to, 0, CPU_NR * sizeof *to);
                    memcpy(to, from, (size_t)count * sizeof *to);
                }
            }
        }
}

/* Weights of the gradient of the input: filters turned by 180 degrees, channels exchanged; w [tap][cols][depth]. */
static void pack_backward(struct cpu *cpu, float *packed, const float *w, int depth, int cols)
{
    int panels = cpu_panels(cols);
#pragma omp parallel for num_threads(cpu->threads) schedule(static) collapse(2)
    for (int panel = 0; panel < panels; panel++)
        for (int tap = 0; tap < TAPS; tap++) {
            int first = panel * CPU_NR, count = cols - first < CPU_NR ? cols - first : CPU_NR;
            float *to = packed + ((size_t)panel * TAPS + (size_t)tap) * (size_t)depth * CPU_NR;
            const float *from = w + ((size_t)(TAPS - 1 - tap) * (size_t)cols + (size_t)first) * (size_t)depth;
            for (int k = 0; k < depth; k++)
                for (int j = 0; j < CPU_NR; j++)
                    to[(size_t)k * CPU_NR + (size_t)j] = j < count ? from[(size_t)j * (size_t)depth + (size_t)k] : 0;
        }
}

/* Weights of the forward pass as words of two channels; w [tap][channels][cols], depth = channels / 2 rounded up. */
static void pack_halves(struct cpu *cpu, float *packed, const float *w, int channels, int cols)
{
    int panels = cpu_panels(cols), depth = (channels + 1) / 2;
#pragma omp parallel for num_threads(cpu->threads) schedule(static) collapse(2)
    for (int panel = 0; panel < panels; panel++)
        for (int tap = 0; tap < TAPS; tap++) {
            int first = panel * CPU_NR, count = cols - first < CPU_NR ? cols - first : CPU_NR;
            for (int k = 0; k < depth; k++) {
                const float *from = w + ((size_t)tap * (size_t)channels + 2 * (size_t)k) * (size_t)cols + first;
                uint32_t words[CPU_NR] = { 0 };
                for (int j = 0; j < count; j++)
                    words[j] = cpu_bf16_pair(from[j], 2 * k + 1 < channels ? from[cols + j] : 0);
                size_t line = ((size_t)panel * TAPS + (size_t)tap) * (size_t)depth + (size_t)k;
                memcpy(packed + line * CPU_NR, words, sizeof words);
            }
        }
}

/* One row of a table: a pointer for each tap of the pixel (y, x), zeros outside the image; not a row: only zeros. */
static void pointers_inner(const float **table, int stride, const struct product *p, int64_t image, int y, int x,
                           bool row)
{
    const float *pixel = p->a + ((image * p->h + y) * p->w + x) * p->depth;
    for (int tap = 0; tap < TAPS; tap++) {
        int dx = tap % 3 - 1, dy = tap / 3 - 1;
        bool inside = row && x + dx >= 0 && x + dx < p->w && y + dy >= 0 && y + dy < p->h;
        table[tap * stride] = inside ? pixel + ((int64_t)dy * p->w + dx) * p->depth : p->zero;
    }
}

/* The same for images with a border: a pointer for each row of taps; not a row: whatever may be read. */
static void pointers_first(const float **table, int stride, const struct product *p, int64_t image, int y, int x,
                           bool row)
{
    int64_t line = (int64_t)(p->w + 2) * FIRST_DEPTH;
    const float *pixel = row ? p->a + (image * (p->h + 2) + y) * line + (int64_t)x * FIRST_DEPTH : p->a;
    for (int dy = 0; dy < 3; dy++)
        table[dy * stride] = row ? pixel + dy * line : pixel;
}

/* Fills a table of `padded` rows (MAX_ROWS pointers from one tap to the next), `rows` of them rows of the product. */
static void table_fill(const float **table, const struct product *p, int64_t first, int rows, int padded)
{
    int wide = p->pool ? p->w / 2 : p->w, high = p->pool ? p->h / 2 : p->h;
    int64_t unit = p->pool ? first / 4 : first;
    int x = (int)(unit % wide), y = (int)(unit / wide % high);
    int64_t image = unit / wide / high;
    for (int r = 0; r < padded; r++) {
        int px = x, py = y, q = r & 3;
        if (p->pool) px = 2 * x + (q & 1), py = 2 * y + (q >> 1);
        (p->border ? pointers_first : pointers_inner)(table + r, MAX_ROWS, p, image, py, px, r < rows);
        if (p->pool && q != 3) continue;
        if (++x == wide) {
            x = 0;
            if (++y == high) y = 0, image++;
        }
    }
}

/* c (+)= the rows of a table, from a_skip on, times one panel of weights or two; c: panels MAX_ROWS rows apart. */
static void rows_multiply(float *c, const float *const *table, size_t a_skip, int padded, const struct product *p,
                          const float *b, size_t b_step, int panels, int segments, int k, bool accumulate)
{
    if (panels == 1) {
        for (int r = 0; r < padded; r += CPU_MR)
            p->gemm->rows(c + r * CPU_NR, CPU_NR, table + r, MAX_ROWS, a_skip, b, b_step, segments, k, accumulate);
        return;
    }
    size_t b_panel = TAPS * (size_t)p->depth * CPU_NR;
    for (int r = 0; r < padded; r += 2 * CPU_MR)
        p->gemm->wide(c + r * CPU_NR, CPU_NR, (size_t)MAX_ROWS * CPU_NR, table + r, MAX_ROWS, a_skip, b, b_step,
                      b_panel, segments, k, padded - r < 2 * CPU_MR ? CPU_MR : 2 * CPU_MR, accumulate);
}

/* c = the rows of a table times one panel of weights or two, depth blocked so that a block of them stays in cache. */
static void block_multiply(float *c, const float *const *table, int padded, const struct product *p, int panel,
                           int panels)
{
    const float *b = p->packed + (size_t)panel * TAPS * (size_t)p->depth * CPU_NR;
    if (p->border) {
        rows_multiply(c, table, 0, padded, p, b, (size_t)FIRST_STRETCH * CPU_NR, panels, 3, FIRST_STRETCH, false);
        return;
    }
    int limit = p->k_block, taps = 3 * p->depth <= limit ? 3 : 1;
    int pieces = (p->depth + limit - 1) / limit, piece = (p->depth + pieces - 1) / pieces;
    for (int tap = 0; tap < TAPS; tap += taps)
        for (int skip = 0; skip < p->depth; skip += piece)
            rows_multiply(c, table + tap * MAX_ROWS, (size_t)skip, padded, p,
                          b + ((size_t)tap * (size_t)p->depth + (size_t)skip) * CPU_NR, (size_t)p->depth * CPU_NR,
                          panels, taps, p->depth - skip < piece ? p->depth - skip : piece, tap || skip);
}

/* Finishes a block and writes it. */
static void block_store(const float *c, const struct product *p, int64_t first, int rows, int panel)
{
    int col = panel * CPU_NR, cols = p->cols - col < CPU_NR ? p->cols - col : CPU_NR;
    const float *bias = p->bias ? p->bias + col : NULL;
    int64_t at = (p->pool ? first / 4 : first) * p->cols + col;
    if (p->pool)
        p->gemm->pool(p->y + at, p->arg ? p->arg + at : NULL, (size_t)p->cols, c, (size_t)rows / 4, cols, bias,
                      p->relu);
    else
        p->gemm->store(p->y + at, (size_t)p->cols, c, (size_t)rows, cols, bias, p->relu, p->mask ? p->mask + at : NULL);
}

int cpu_panel_ways(int threads, int blocks, int panels, size_t packed_bytes)
{
    int best = 1;
    int64_t least = INT64_MAX;
    for (int ways = 1; ways <= threads; ways++) {
        if (threads % ways) continue;
        int parts = threads / ways;
        int64_t work = (int64_t)((panels + ways - 1) / ways) * ((blocks + parts - 1) / parts);
        if (work < least || (work == least && packed_bytes > 256 << 10)) least = work, best = ways;
    }
    return best;
}

static void product_run(struct cpu *cpu, struct product *p)
{
    p->k_block = cpu_k_block(cpu, p->gemm->k_block);
    int64_t rows = p->pool ? (int64_t)p->n * (p->h / 2) * (p->w / 2) * 4 : (int64_t)p->n * p->h * p->w;
    int limit = p->gemm->row_block < MAX_ROWS ? p->gemm->row_block : MAX_ROWS, unit = p->pool ? 12 : CPU_MR;
    int blocks = (int)((rows + limit - 1) / limit);
    int block = (int)((rows + blocks - 1) / blocks + unit - 1) / unit * unit;
    blocks = (int)((rows + block - 1) / block);
    int panels = cpu_panels(p->cols);
    int ways = cpu_panel_ways(cpu->threads, blocks, panels, packed_count(p->depth, p->cols) * sizeof(float));
    int parts = cpu->threads / ways;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int share = 0; share < ways * parts; share++) {
        _Alignas(64) float c[2 * MAX_ROWS * CPU_NR];
        const float *table[TAPS * MAX_ROWS];
        int panel0, panel1, block0, block1;
        cpu_share(panels, share % ways, ways, &panel0, &panel1);
        cpu_share(blocks, share / ways, parts, &block0, &block1);
        for (int index = block0; index < block1; index++) {
            int64_t first = (int64_t)index * block;
            int count = rows - first < block ? (int)(rows - first) : block;
            int padded = (count + CPU_MR - 1) / CPU_MR * CPU_MR;
            table_fill(table, p, first, count, padded);
            for (int panel = panel0, some; panel < panel1; panel += some) {
                some = p->gemm->wide && panel1 - panel >= 2 ? 2 : 1;
                block_multiply(c, table, padded, p, panel, some);
                for (int i = 0; i < some; i++)
                    block_store(c + i * MAX_ROWS * CPU_NR, p, first, count, panel + i);
            }
        }
    }
}

/* Points p at the packed weights, made anew if they changed. */
static enum vgg_status weights_get(struct cpu *cpu, struct product *p, const struct cpu_args *args,
                                   enum cpu_pack_form form)
{
    void *packed;
    bool valid;
    enum vgg_status status =
        cpu_pack_get(cpu, args, (int)form, packed_count(p->depth, p->cols) * sizeof(float), &packed, &valid);
    if (status != VGG_OK) return status;
    size_t width = (size_t)cpu_panels(p->cols) * CPU_NR;
    float *bias = (float *)packed + width * TAPS * (size_t)p->depth;
    if (!valid) {
        if (form == CPU_PACK_CONV_BF16)
            pack_halves(cpu, packed, args->w, p->channels, p->cols);
        else
            (form == CPU_PACK_CONV ? pack_forward : pack_backward)(cpu, packed, args->w, p->depth, p->cols);
        memset(bias, 0, (width + (size_t)p->depth) * sizeof *bias);
    }
    if (args->b && form != CPU_PACK_CONV_TURNED) { /* each time: the bias has no generation */
        memcpy(bias, args->b, (size_t)p->cols * sizeof *bias);
        p->bias = bias;
    }
    p->packed = packed;
    p->zero = bias + width;
    return VGG_OK;
}

/* The activation as words of two channels, in scratch memory. */
static enum vgg_status input_halve(struct cpu *cpu, struct product *p)
{
    void *copy;
    size_t rows = (size_t)p->n * (size_t)p->h, row = (size_t)p->w * (size_t)p->depth;
    enum vgg_status status = cpu_scratch(cpu, &copy, rows * row * sizeof(uint32_t));
    if (status != VGG_OK) return status;
    size_t stride = (size_t)p->w * (size_t)p->channels;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (size_t r = 0; r < rows; r++)
        p->gemm->halve((uint32_t *)copy + r * row, p->a + r * stride, (size_t)p->w, (size_t)p->channels);
    p->a = copy;
    return VGG_OK;
}

void cpu_images_frame(const struct cpu *cpu, float *to, const float *x, int n, int h, int w)
{
    size_t line = (size_t)(w + 2) * FIRST_DEPTH, width = (size_t)w * FIRST_DEPTH;
    int high = h + 2;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int64_t i = 0; i < (int64_t)n * high; i++) {
        float *row = to + (size_t)i * line;
        int y = (int)(i % high) - 1;
        memset(row, 0, line * sizeof *row);
        if (y < 0 || y >= h) continue;
        memcpy(row + FIRST_DEPTH, x + ((size_t)(i / high) * (size_t)h + (size_t)y) * width, width * sizeof *row);
    }
}

enum vgg_status cpu_conv_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                             const struct cpu_gemm *gemm)
{
    struct product p = { .gemm = gemm, .n = op->x.n, .h = op->x.h, .w = op->x.w, .cols = op->w.c };
    bool halve = gemm->halve;
    p.channels = op->x.c, p.depth = halve ? (p.channels + 1) / 2 : p.channels;
    p.a = args->x, p.y = args->y, p.arg = args->arg;
    p.relu = op->flags & VGG_OP_RELU, p.pool = op->flags & VGG_OP_POOL;
    enum vgg_status status = weights_get(cpu, &p, args, halve ? CPU_PACK_CONV_BF16 : CPU_PACK_CONV);
    if (status == VGG_OK && halve) {
        status = input_halve(cpu, &p);
    } else if (status == VGG_OK && p.depth == FIRST_DEPTH) {
        void *copy;
        status = cpu_scratch(cpu, &copy, cpu_framed_count(p.n, p.h, p.w) * sizeof(float));
        if (status == VGG_OK) cpu_images_frame(cpu, copy, p.a, p.n, p.h, p.w);
        p.a = copy, p.border = true;
    }
    if (status == VGG_OK && op->y.n && op->y.h && op->y.w) product_run(cpu, &p);
    return status;
}

enum vgg_status cpu_conv_bwd_data_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                      const struct cpu_gemm *gemm)
{
    struct product p = { .gemm = gemm, .n = op->dy.n, .h = op->dy.h, .w = op->dy.w, .depth = op->dy.c };
    p.cols = op->dx.c, p.a = args->dy, p.y = args->dx, p.mask = op->flags & VGG_OP_RELU ? args->x : NULL;
    enum vgg_status status = weights_get(cpu, &p, args, CPU_PACK_CONV_TURNED);
    if (status == VGG_OK) product_run(cpu, &p);
    return status;
}
