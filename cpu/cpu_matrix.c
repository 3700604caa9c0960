/* cpu_matrix.c: a thread takes a strip, some rows of an image or some whole images, copies it as bf16 with its border
 * into memory of its own that stays in the second-level cache, and multiplies it by its panels of weights. Images of up
 * to three channels are copied as one step of channels a pixel that holds all nine taps. */
#include "cpu/cpu_matrix.h"

#include <omp.h>
#include <string.h>

#include "cpu/cpu_bf16.h"
#include "cpu/cpu_conv.h"

enum {
    TILES = 2,
    ROWS = TILES * CPU_MATRIX_ROWS,
    WORDS = CPU_MATRIX_WORDS,
    STRIP_SIZE = 768 << 10, /* bytes: half of a second-level cache, and weights pass through the other */
    PAD = 4,                /* values, no fewer than a gathered pixel's channels */
    WIDE_PIXEL = 256,       /* bytes from which pixels a power of two apart would fall on few sets of the first cache */
};

struct job {
    const struct cpu_matrix *matrix;
    const struct cpu_gemm *gemm; /* finishes blocks */
    int n, h, w, channels, cols;
    int taps, depth;     /* of a product; depth in words of two */
    size_t pixel;        /* words from one pixel of a strip to the next */
    int border, line;    /* pixels around a strip, and from one of its rows to the next */
    int rows, images;    /* of a strip: rows of one image, or all rows of some images */
    size_t image, strip; /* words of one image of a strip, and of a strip with what tiles read beyond */
    size_t spare;        /* words before the lines that pixels with all taps are gathered from */
    size_t gather_line;  /* values of one of them, an even number */
    size_t tap[CPU_MATRIX_TAPS];
    const float *x, *bias;
    const uint32_t *packed;
    float *y;
    uint8_t *arg;
    bool relu, pool;
};

static int parts_of(int whole, int part)
{
    return (whole + part - 1) / part;
}

/* Which of a pixel's `channels` and taps stands at a place of the sum; false: none, a place that only fills the step.
 */
static bool place_of(const struct job *job, int place, int *tap, int *channel)
{
    if (job->taps == 1) {
        *tap = place / job->channels, *channel = place % job->channels;
        return *tap < CPU_MATRIX_TAPS;
    }
    *tap = place / (2 * job->depth), *channel = place % (2 * job->depth);
    return *channel < job->channels;
}

/* w [tap][channels][cols] as words of two channels, [panel][tap][depth][CPU_NR]. */
static void pack(const struct cpu *cpu, const struct job *job, uint32_t *packed, const float *w)
{
    int panels = cpu_panels(job->cols), lines = job->taps * job->depth;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int panel = 0; panel < panels; panel++)
        for (int i = 0; i < lines; i++)
            for (int j = 0; j < CPU_NR; j++) {
                float value[2] = { 0 };
                for (int half = 0, tap, channel; half < 2; half++) {
                    if (panel * CPU_NR + j >= job->cols || !place_of(job, 2 * i + half, &tap, &channel)) continue;
                    size_t row = (size_t)tap * (size_t)job->channels + (size_t)channel;
                    value[half] = w[row * (size_t)job->cols + (size_t)(panel * CPU_NR + j)];
                }
                packed[((size_t)panel * (size_t)lines + (size_t)i) * CPU_NR + (size_t)j] =
                    cpu_bf16_pair(value[0], value[1]);
            }
}

/* The pixels of a row of an image between borders; row outside the image: zeros. */
static void row_copy(const struct job *job, uint32_t *to, int image, int y)
{
    size_t pixel = job->pixel, used = (size_t)(job->channels + 1) / 2;
    if (y < 0 || y >= job->h) {
        memset(to, 0, (size_t)job->line * pixel * sizeof *to);
        return;
    }
    memset(to, 0, pixel * sizeof *to);
    memset(to + (size_t)(job->w + 1) * pixel, 0, pixel * sizeof *to);
    const float *from = job->x + ((int64_t)image * job->h + y) * job->w * job->channels;
    to += pixel;
    for (int x = 0; x < job->w; x++, from += job->channels, to += pixel) {
        job->matrix->halve(to, from, 1, (size_t)job->channels);
        if (used < pixel) memset(to + used, 0, (pixel - used) * sizeof *to);
    }
}

/* Row y of an image as bf16 between PAD zeros on either side. */
static void line_copy(const struct job *job, uint16_t *to, int image, int y)
{
    size_t count = (size_t)job->w * (size_t)job->channels;
    memset(to, 0, job->gather_line * sizeof *to);
    if (y >= 0 && y < job->h)
        job->matrix->halve((uint32_t *)(void *)(to + PAD), job->x + ((int64_t)image * job->h + y) * (int64_t)count, 1,
                           count);
}

/* A row of pixels that hold all taps, from three lines; run: the taps of one of them. */
static inline __attribute__((always_inline)) void row_gather(const struct job *job, uint16_t *to, const uint16_t *from,
                                                             size_t run)
{
    size_t channels = run / 3, pixel = 2 * WORDS;
    from += PAD - channels;
    for (int x = 0; x < job->w; x++, from += channels, to += pixel) {
        for (size_t row = 0; row < 3; row++)
            memcpy(to + row * run, from + row * job->gather_line, run * sizeof *to);
        memset(to + 3 * run, 0, (pixel - 3 * run) * sizeof *to);
    }
}

/* Rows [y, y + rows) of an image; `spare`: room for the lines. */
static void rows_gather(const struct job *job, uint32_t *to, uint16_t *spare, int image, int y, int rows)
{
    for (int r = 0; r < rows + 2; r++)
        line_copy(job, spare + (size_t)r * job->gather_line, image, y + r - 1);
    for (int r = 0; r < rows; r++) {
        uint16_t *row = (uint16_t *)(void *)(to + (size_t)r * (size_t)job->line * job->pixel);
        const uint16_t *from = spare + (size_t)r * job->gather_line;
        if (job->channels == 3)
            row_gather(job, row, from, 9);
        else
            row_gather(job, row, from, 3 * (size_t)job->channels);
    }
}

static void strip_fill(const struct job *job, uint32_t *strip, int image, int images, int y, int rows)
{
    for (int i = 0; i < images; i++) {
        uint32_t *to = strip + (size_t)i * job->image;
        if (!job->border) rows_gather(job, to, (uint16_t *)(void *)(strip + job->spare), image + i, y, rows);
        for (int r = 0; job->border && r < rows + 2; r++)
            row_copy(job, to + (size_t)r * (size_t)job->line * job->pixel, image + i, y + r - 1);
    }
}

/* Finishes rows [0, ROWS) of a block, whose first is place `at` of a strip's image that begins with row y. */
static void block_store(const struct job *job, const float *c, int panel, int image, int y, int rows, int at)
{
    int col = panel * CPU_NR, cols = job->cols - col < CPU_NR ? job->cols - col : CPU_NR;
    for (int i = 0; i < ROWS;) {
        int row = (at + i) / job->line, x = (at + i) % job->line,
            run = job->line - x < ROWS - i ? job->line - x : ROWS - i;
        if (row >= rows) break;
        int count = job->w - x < run ? job->w - x : run;
        if (count > 0)
            job->gemm->store(job->y + (((int64_t)image * job->h + y + row) * job->w + x) * job->cols + col,
                             (size_t)job->cols, c + i * CPU_NR, (size_t)count, cols, job->bias + col, job->relu, NULL);
        i += run;
    }
}

/* The same for two tiles of one row and the next, from column x on: windows side by side. */
static void block_pool(const struct job *job, const float *c, int panel, int image, int y, int x)
{
    _Alignas(64) float window[ROWS * CPU_NR];
    int col = panel * CPU_NR, cols = job->cols - col < CPU_NR ? job->cols - col : CPU_NR;
    int wide = job->w / 2, count = wide - x / 2 < CPU_MATRIX_ROWS / 2 ? wide - x / 2 : CPU_MATRIX_ROWS / 2;
    for (int i = 0; i < 2 * count; i++)
        for (int tile = 0; tile < TILES; tile++)
            memcpy(window + (4 * (i / 2) + 2 * tile + i % 2) * CPU_NR, c + (tile * CPU_MATRIX_ROWS + i) * CPU_NR,
                   CPU_NR * sizeof *c);
    int64_t to = (((int64_t)image * (job->h / 2) + y / 2) * wide + x / 2) * job->cols + col;
    job->gemm->pool(job->y + to, job->arg ? job->arg + to : NULL, (size_t)job->cols, window, (size_t)count, cols,
                    job->bias + col, job->relu);
}

/* Multiplies a strip by panels [panel0, panel1). */
static void strip_multiply(const struct job *job, const uint32_t *strip, int image, int images, int y, int rows,
                           int panel0, int panel1)
{
    _Alignas(64) float c[2 * ROWS * CPU_NR];
    size_t panel_words = (size_t)job->taps * (size_t)job->depth * CPU_NR;
    struct cpu_matrix_product product = { .a_row = job->pixel, .tap = job->tap, .taps = job->taps };
    product.depth = job->depth, product.b_panel = panel_words;
    product.a_tile = (size_t)(job->pool ? job->line : CPU_MATRIX_ROWS) * job->pixel;
    int places = job->pool ? job->w / 2 * 2 : rows * job->line - 2 * job->border;
    int step = job->pool ? CPU_MATRIX_ROWS : ROWS, lines = job->pool ? rows / 2 : 1;
    for (int panel = panel0; panel < panel1; panel += product.panels) {
        product.panels = panel1 - panel < 2 ? 1 : 2;
        product.b = job->packed + (size_t)panel * panel_words;
        for (int i = 0; i < images; i++)
            for (int line = 0; line < lines; line++)
                for (int at = 0; at < places; at += step) {
                    product.a =
                        strip + (size_t)i * job->image + ((size_t)(2 * line * job->line) + (size_t)at) * job->pixel;
                    job->matrix->multiply(c, &product);
                    for (int p = 0; p < product.panels; p++) {
                        if (job->pool)
                            block_pool(job, c + p * ROWS * CPU_NR, panel + p, image + i, y + 2 * line, at);
                        else
                            block_store(job, c + p * ROWS * CPU_NR, panel + p, image + i, y, rows, at);
                    }
                }
    }
}

static void job_run(const struct cpu *cpu, const struct job *job, uint32_t *strips)
{
    int high = job->pool ? job->h / 2 * 2 : job->h, cut = job->images > 1 ? 1 : parts_of(high, job->rows);
    int count = job->images > 1 ? parts_of(job->n, job->images) : job->n * cut, panels = cpu_panels(job->cols);
    int ways = cpu_panel_ways(cpu->threads, count, panels, 0); /* coarse: fewer strips are copied twice */
    int parts = cpu->threads / ways;
#pragma omp parallel num_threads(cpu->threads)
    {
        int share = omp_get_thread_num(), panel0, panel1, strip0, strip1;
        uint32_t *strip = strips + (size_t)share * job->strip;
        cpu_share(panels, share % ways, ways, &panel0, &panel1);
        cpu_share(count, share / ways, parts, &strip0, &strip1);
        memset(strip, 0, job->strip * sizeof *strip);
        job->matrix->begin();
        for (int i = share < ways * parts ? strip0 : strip1; i < strip1; i++) {
            int image = job->images > 1 ? i * job->images : i / cut, y = i % cut * job->rows;
            int images = job->n - image < job->images ? job->n - image : job->images;
            int rows = high - y < job->rows ? high - y : job->rows;
            strip_fill(job, strip, image, images, y, rows);
            strip_multiply(job, strip, image, images, y, rows, panel0, panel1);
        }
        job->matrix->end();
    }
}

/* Strips by shape alone. */
static void strips_plan(struct job *job)
{
    size_t line_size = (size_t)job->line * job->pixel * sizeof(uint32_t);
    int most = (int)(STRIP_SIZE / line_size) - 2 * job->border, high = job->pool ? job->h / 2 * 2 : job->h;
    if (most < 2) most = 2;
    job->images = most / (job->h + 2 * job->border);
    if (job->images < 1) job->images = 1;
    if (job->images > job->n) job->images = job->n;
    job->rows = most < high ? parts_of(high, parts_of(high, most)) : high;
    if (job->pool) job->rows = (job->rows + 1) / 2 * 2;
    job->image = (size_t)(job->rows + 2 * job->border) * (size_t)job->line * job->pixel;
    job->spare = (size_t)job->images * job->image + ((size_t)job->line + ROWS) * job->pixel;
    job->strip = job->spare;
    if (job->border) return;
    job->gather_line = 2 * PAD + ((size_t)job->w * (size_t)job->channels + 1) / 2 * 2;
    job->strip += (size_t)(job->rows + 2) * job->gather_line / 2;
}

static enum vgg_status weights_get(struct cpu *cpu, struct job *job, const struct cpu_args *args)
{
    void *packed;
    bool valid;
    size_t width = (size_t)cpu_panels(job->cols) * CPU_NR, count = width * (size_t)job->taps * (size_t)job->depth;
    enum vgg_status status =
        cpu_pack_get(cpu, args, CPU_PACK_CONV_MATRIX, (count + width) * sizeof(uint32_t), &packed, &valid);
    if (status != VGG_OK) return status;
    float *bias = (float *)packed + count;
    if (!valid) pack(cpu, job, packed, args->w);
    memset(bias, 0, width * sizeof *bias); /* each time: the bias has no generation */
    if (args->b) memcpy(bias, args->b, (size_t)job->cols * sizeof *bias);
    job->packed = packed, job->bias = bias;
    return VGG_OK;
}

enum vgg_status cpu_matrix_conv_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                    const struct cpu_matrix *matrix)
{
    struct job job = { .matrix = matrix, .gemm = cpu->kernels.gemm, .n = op->x.n, .h = op->x.h, .w = op->x.w };
    job.channels = op->x.c, job.cols = op->w.c, job.x = args->x, job.y = args->y, job.arg = args->arg;
    job.relu = op->flags & VGG_OP_RELU, job.pool = op->flags & VGG_OP_POOL;
    if (!op->y.n || !op->y.h || !op->y.w) return VGG_OK;
    bool gathered = CPU_MATRIX_TAPS * job.channels <= 2 * WORDS;
    job.taps = gathered ? 1 : CPU_MATRIX_TAPS;
    job.depth = gathered ? WORDS : parts_of(job.channels, 2 * WORDS) * WORDS;
    job.border = gathered ? 0 : 1;
    job.line = job.w + 2 * job.border;
    job.pixel = (size_t)job.depth;
    if (job.pixel * sizeof(uint32_t) >= WIDE_PIXEL) job.pixel += WORDS;
    for (int tap = 0; tap < job.taps; tap++)
        job.tap[tap] = (size_t)(tap / 3 * job.line + tap % 3) * job.pixel;
    strips_plan(&job);
    void *strips;
    enum vgg_status status = weights_get(cpu, &job, args);
    if (status == VGG_OK) status = cpu_scratch(cpu, &strips, (size_t)cpu->threads * job.strip * sizeof(uint32_t));
    if (status == VGG_OK) job_run(cpu, &job, strips);
    return status;
}
