/* cpu_int8_tiled.c: convolutions of bytes on the kernels of a vector level. A group of tiles is transformed, multiplied
 * tap by tap with a block of output channels and transformed back while its sums lie in the first-level cache; of a
 * direct convolution a group of outputs has its pixels put side by side and is multiplied at once, or the group is a
 * strip of rows with a border, whose pixels the kernel reads where they lie. All sums are exact, so results depend on
 * no order and no split. */
#include <omp.h>
#include <string.h>

#include "core/base/mem.h"
#include "cpu/cpu_conv.h"
#include "cpu/cpu_int8.h"

/* A thread works on transformed groups of its own, of OWN_BYTES, which leave room for the weights of a block of output
 * channels in the second-level cache, and of OWN_MOST at most. Where fewer than OWN_LEAST would be its share, all
 * threads work on the same groups, of SHARED_BYTES, at different output channels, and the weights are read once. A
 * strip has STRIP_BYTES; OWN_PIXELS take longer to multiply than their weights to come from the third-level cache. */
enum { STRIP_BYTES = 192 << 10, OWN_PIXELS = 512 };
enum { TAPS = VGG_QUANT_TAPS, OWN_BYTES = 1 << 20, OWN_MOST = 12, OWN_LEAST = 4, SHARED_BYTES = 4 << 20 };

struct job {
    const struct cpu_int8_kernels *kernels;
    struct cpu_int8_map map;
    struct cpu_int8_weights weights;
    struct cpu_int8_scales scales;
    struct cpu_int8_strips strips;
    bool direct, in_strips;
    int parts;                 /* rows of a group that a tile or an output takes */
    size_t tiles, groups, per; /* per: tiles of a group */
    size_t group_size;         /* bytes of a transformed one */
    int blocks;                /* of output channels */
};

static size_t divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int tiles_of(const struct job *job, size_t group)
{
    return (int)smaller(job->tiles - group * job->per, job->per);
}

/* v: strip `number` of x. */
static void strip_input(const struct job *job, uint8_t *v, size_t number)
{
    const struct cpu_int8_map *map = &job->map;
    const struct cpu_int8_strips *s = &job->strips;
    size_t c = (size_t)map->c, line = (size_t)map->w * c;
    int first;
    const uint8_t *image = map->x + cpu_int8_strip_image(&first, map, s, number) * (size_t)map->h * line;
    for (int y = 2 * first - 1; y < 2 * (first + s->pairs) + 1; y++, v += s->pitch) {
        memset(v, 0, c);
        memcpy(v + c, y >= 0 && y < map->h ? image + (size_t)y * line : map->zeros, line);
        memset(v + c + line, 0, s->pitch - c - line);
    }
}

static void group_input(const struct job *job, uint8_t *v, size_t group)
{
    if (job->in_strips)
        strip_input(job, v, group);
    else if (job->direct)
        job->kernels->gather(v, &job->map, group * job->per, tiles_of(job, group));
    else
        job->kernels->input(v, &job->map, job->scales.mul, group * job->per, tiles_of(job, group));
}

/* Groups [begin, end), transformed at v, for one block of output channels. */
static void block_run(const struct job *job, int32_t *m, const uint8_t *v, size_t begin, size_t end, int block)
{
    const struct cpu_int8_kernels *kernels = job->kernels;
    const struct cpu_int8_weights *w = &job->weights;
    int cols = kernels->layout.cols, k = block * cols;
    size_t lane = (size_t)block * (size_t)(w->taps * cols), tap = job->group_size / (size_t)w->taps;
    for (size_t g = begin; g < end; g++, v += job->group_size) {
        if (job->in_strips) {
            kernels->strip(&job->map, &job->strips, v, w->u + lane * (size_t)w->in, w->start + lane,
                           job->scales.deq + lane, job->scales.bias + k, k, g);
            continue;
        }
        int count = tiles_of(job, g);
        for (int t = 0; t < w->taps; t++) {
            size_t at = lane + (size_t)(t * cols);
            kernels->multiply(m + t * kernels->rows * cols, v + (size_t)t * tap, w->u + at * (size_t)w->in,
                              w->start + at, w->in, count * job->parts);
        }
        (job->direct ? kernels->put : kernels->output)(&job->map, m, job->scales.deq + lane, job->scales.bias + k, k,
                                                       g * job->per, count);
    }
}

/* Every thread on `own` groups at a time. */
static void own_run(struct cpu *cpu, const struct job *job, uint8_t *v, int32_t *m, size_t m_count, size_t own)
{
    size_t pieces = divide_up(job->groups, own);
#pragma omp parallel num_threads(cpu->threads)
    {
        cpu_int8_begin(job->kernels);
#pragma omp for schedule(static, 1)
        for (size_t i = 0; i < pieces; i++) {
            size_t rank = (size_t)omp_get_thread_num(), begin = i * own, end = smaller(begin + own, job->groups);
            uint8_t *mine = v + rank * own * job->group_size;
            for (size_t g = begin; g < end; g++)
                group_input(job, mine + (g - begin) * job->group_size, g);
            for (int block = 0; block < job->blocks; block++)
                block_run(job, m + rank * m_count, mine, begin, end, block);
        }
        cpu_int8_end(job->kernels);
    }
}

/* All threads on the same `shared` groups at a time. */
static void shared_run(struct cpu *cpu, const struct job *job, uint8_t *v, int32_t *m, size_t m_count, size_t shared)
{
    size_t items = 4 * (size_t)cpu->threads, parts = smaller(divide_up(items, (size_t)job->blocks), shared);
    size_t part = divide_up(shared, parts), pieces = (size_t)job->blocks * parts;
#pragma omp parallel num_threads(cpu->threads)
    {
        cpu_int8_begin(job->kernels);
        for (size_t first = 0; first < job->groups; first += shared) {
            size_t last = smaller(first + shared, job->groups);
#pragma omp for schedule(static)
            for (size_t g = first; g < last; g++)
                group_input(job, v + (g - first) * job->group_size, g);
#pragma omp for schedule(static)
            for (size_t i = 0; i < pieces; i++) {
                size_t begin = smaller(first + i % parts * part, last), end = smaller(begin + part, last);
                block_run(job, m + (size_t)omp_get_thread_num() * m_count, v + (begin - first) * job->group_size, begin,
                          end, (int)(i / parts));
            }
        }
        cpu_int8_end(job->kernels);
    }
}

/* Outputs side by side are split evenly, so that few are computed in vain. */
static void strips_fill(struct job *job)
{
    const struct cpu_int8_map *map = &job->map;
    struct cpu_int8_strips *s = &job->strips;
    int tiles = (map->w + job->kernels->strip_rows - 1) / job->kernels->strip_rows;
    s->rows = (map->w + tiles - 1) / tiles;
    if (map->pool) s->rows += s->rows % 2;
    s->pitch = (size_t)(tiles * s->rows + 2) * (size_t)map->c;
    int most = (int)(STRIP_BYTES / s->pitch / 2) - 1;
    if (most > map->high) most = map->high;
    if (most < 1) most = 1;
    s->pairs = most;
    while (s->pairs > (most + 1) / 2 && map->high % s->pairs)
        s->pairs--;
    if (map->high % s->pairs) s->pairs = most;
}

static void map_fill(struct job *job, const struct vgg_op *op, const struct cpu_args *args)
{
    bool pool = op->flags & VGG_OP_POOL;
    job->map = (struct cpu_int8_map) {
        .h = op->x.h,
        .w = op->x.w,
        .c = op->x.c,
        .high = pool ? op->y.h : (op->y.h + 1) / 2,
        .wide = pool ? op->y.w : (op->y.w + 1) / 2,
        .out_h = op->y.h,
        .out_w = op->y.w,
        .out_c = op->y.c,
        .pool = pool,
        .relu = op->flags & VGG_OP_RELU,
        .bytes = op->y.type == VGG_U8,
        .x = cpu_int8_bytes(args->x),
        .y = args->y,
    };
    job->blocks = op->y.c / job->kernels->layout.cols;
    if (job->in_strips) {
        strips_fill(job);
        size_t strips = divide_up((size_t)job->map.high, (size_t)job->strips.pairs);
        job->groups = (size_t)op->x.n * strips;
        job->group_size = vgg_mem_round_up((size_t)(2 * job->strips.pairs + 2) * job->strips.pitch, 64);
        return;
    }
    int high = job->direct ? op->y.h : job->map.high, wide = job->direct ? op->y.w : job->map.wide;
    job->parts = job->direct && pool ? 4 : 1;
    job->per = (size_t)(job->kernels->rows / job->parts);
    job->tiles = (size_t)op->x.n * (size_t)high * (size_t)wide;
    job->groups = divide_up(job->tiles, job->per);
    job->group_size = (size_t)job->weights.taps * (size_t)job->weights.in * (size_t)job->kernels->rows;
}

static enum vgg_status bytes_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    struct job job = { .kernels = cpu->kernels.int8, .direct = cpu_int8_direct(cpu, args->q) };
    job.in_strips = job.direct && job.kernels->strip;
    int cols = job.kernels->layout.cols;
    size_t threads = (size_t)cpu->threads;
    enum vgg_status status = cpu_int8_weights_get(cpu, &job.weights, op, args, &job.kernels->layout);
    if (status != VGG_OK) return status;
    map_fill(&job, op, args);
    size_t own = smaller(OWN_BYTES / job.group_size, job.in_strips ? SIZE_MAX : OWN_MOST),
           shared = SHARED_BYTES / job.group_size;
    if (own < 1) own = 1;
    own = divide_up(job.groups, threads * divide_up(job.groups, threads * own)); /* all threads the same */
    size_t pixels = own * 2 * (size_t)job.strips.pairs * (size_t)op->x.w;
    bool alone = job.in_strips ? pixels >= OWN_PIXELS : own >= OWN_LEAST;
    shared = smaller(shared < 1 ? 1 : shared, job.groups);
    size_t scales = cpu_int8_scales_size(&job.weights);
    size_t zeros = vgg_mem_round_up((size_t)op->x.w * (size_t)op->x.c, 64);
    size_t m_count = (size_t)(TAPS * job.kernels->rows * cols);
    size_t sums = m_count * threads * sizeof(int32_t), v_size = (alone ? own * threads : shared) * job.group_size;
    void *scratch;
    status = cpu_scratch(cpu, &scratch, scales + zeros + sums + v_size);
    if (status != VGG_OK) return status;
    char *memory = scratch;
    cpu_int8_scales_make(&job.scales, memory, op, args, &job.weights, cols);
    job.map.zeros = memset(memory + scales, 0, zeros);
    int32_t *m = (int32_t *)(void *)(memory + scales + zeros);
    uint8_t *v = (uint8_t *)memory + scales + zeros + sums;
    if (alone)
        own_run(cpu, &job, v, m, m_count, own);
    else
        shared_run(cpu, &job, v, m, m_count, shared);
    return VGG_OK;
}

/* ---- floats to bytes ---- */

/* `line`: row y of image i of x, or zeros, as the kernel wants it. */
static void line_copy(float *line, const struct vgg_op *op, const float *x, int i, int y)
{
    size_t c = (size_t)op->x.c, count = (size_t)op->x.w * c;
    bool inside = y >= 0 && y < op->x.h;
    memset(line, 0, (count + (1 + CPU_INT8_FIRST_PAD) * c) * sizeof *line);
    if (inside) memcpy(line + c, x + ((size_t)i * (size_t)op->x.h + (size_t)y) * count, count * sizeof *line);
}

static enum vgg_status first_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    bool pool = op->flags & VGG_OP_POOL;
    int rows = op->y.n * op->y.h, lines = pool ? 4 : 3;
    size_t line = ((size_t)op->x.w + 1 + CPU_INT8_FIRST_PAD) * (size_t)op->x.c;
    size_t row = (size_t)op->y.w * (size_t)op->y.c, own = vgg_mem_round_up((size_t)lines * line, 16);
    const struct cpu_int8_first layer = { .c = op->x.c,
                                          .out_w = op->y.w,
                                          .out_c = op->y.c,
                                          .pool = pool,
                                          .share = cpu_int8_share(op, args->q),
                                          .w = args->w,
                                          .b = args->b };
    void *scratch;
    enum vgg_status status = cpu_scratch(cpu, &scratch, own * (size_t)cpu->threads * sizeof(float));
    if (status != VGG_OK) return status;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int r = 0; r < rows; r++) {
        float *memory = (float *)scratch + own * (size_t)omp_get_thread_num();
        const float *at[4] = { memory, memory + line, memory + 2 * line, memory + 3 * line };
        for (int i = 0; i < lines; i++)
            line_copy(memory + (size_t)i * line, op, args->x, r / op->y.h, r % op->y.h * (lines - 2) + i - 1);
        cpu->kernels.int8->first(cpu_int8_bytes(args->y) + (size_t)r * row, &layer, at);
    }
    return VGG_OK;
}

/* Plain C serves channels that fill no vector. */
enum vgg_status cpu_conv_int8_tiled(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    const struct cpu_int8_kernels *kernels = cpu->kernels.int8;
    if (op->x.type == VGG_F32 && op->y.c % kernels->first_cols == 0) return first_run(cpu, op, args);
    bool whole = op->x.c % kernels->step == 0 && op->y.c % kernels->layout.cols == 0;
    return op->x.type == VGG_U8 && whole ? bytes_run(cpu, op, args) : cpu_conv_int8_c(cpu, op, args);
}
