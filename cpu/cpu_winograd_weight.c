/* cpu_winograd_weight.c: gradient of a convolution's weights and bias as the adjoint of Winograd's algorithm. Tiles are
 * taken a block at a time (by shape, so that the order of the sums is fixed); for 16 x 32 channels all points are
 * multiplied and transformed back at once, so that the points' products never leave the cache. Where there are few
 * weights and many tiles each thread works on blocks of its own, which stay in its second-level cache, and sums parts
 * of them; else all threads work on one block. */
#include "cpu/cpu_winograd.h"

#include <omp.h>
#include <string.h>

#include "cpu/cpu_conv.h"
#include "cpu/cpu_partial.h"

enum {
    BLOCK_TILES = 96,        /* of m = 4; two panels of 16 channels of a block stay in the second-level cache */
    OWN_WEIGHTS = 384 << 10, /* bytes of weights up to here: blocks of a thread's own */
    OWN_BLOCK = 1 << 20,     /* bytes of such a block */
    OWN_LEAST = 4,           /* blocks of a part */
    LANE = 16,
    MAX_POINTS = CPU_WINOGRAD_MAX_T * CPU_WINOGRAD_MAX_T
};

/* One gradient. v: transformed x, d: transformed dy and sums; [point][tile][channels]. */
struct job {
    const struct cpu_gemm *gemm;
    const struct cpu_winograd_kernels *kernels;
    int points, n, h, w, cin, cout, high, wide, block;
    size_t v_row, d_row, v_plane, d_plane, v_count, d_count;
    const float *x, *dy, *zero;
    float *dw, *db, *v, *d;
};

static void tile_transform(const struct job *job, int64_t index, int at)
{
    const float *pixel[MAX_POINTS];
    int m = job->kernels->m, t = m + 2;
    int x = (int)(index % job->wide) * m, y = (int)(index / job->wide % job->high) * m;
    int64_t image = index / job->wide / job->high;
    for (int i = 0; i < t; i++)
        for (int j = 0; j < t; j++) {
            int py = y + i - 1, px = x + j - 1;
            bool inside = py >= 0 && py < job->h && px >= 0 && px < job->w;
            pixel[i * t + j] = inside ? job->x + ((image * job->h + py) * job->w + px) * job->cin : job->zero;
        }
    job->kernels->input(job->v + (size_t)at * job->v_row, job->v_plane, pixel, job->cin);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++) {
            int py = y + i, px = x + j;
            bool inside = py < job->h && px < job->w;
            pixel[i * m + j] = inside ? job->dy + ((image * job->h + py) * job->w + px) * job->cout : job->zero;
        }
    job->kernels->delta(job->d + (size_t)at * job->d_row, job->d_plane, pixel, job->cout);
}

/* db of 16 channels, from the sums of the tiles behind the points. */
static void bias_add(const struct job *job, int col, int tiles)
{
    const float *d = job->d + (size_t)job->points * job->d_plane + col;
    float *db = job->db + col;
    for (int i = 0; i < tiles; i++)
        for (int j = 0; j < CPU_NR; j++)
            db[j] += d[(size_t)i * job->d_row + (size_t)j];
}

/* dw of 16 input channels from `row` and `panels` panels of output channels from `col`. u: room for all points. */
static void square_add(const struct job *job, float *u, int row, int col, int panels, int tiles)
{
    size_t cout = (size_t)job->cout, square = (size_t)LANE * CPU_NR;
    for (int q = 0; q < job->points; q++)
        job->gemm->outer(u + (size_t)(q * panels) * square, job->v + (size_t)q * job->v_plane + row, job->v_row,
                         job->v_plane, job->d + (size_t)q * job->d_plane + col, job->d_row, job->d_plane, tiles,
                         panels);
    for (int p = 0; p < panels; p++)
        job->kernels->adjoint(job->dw + (size_t)row * cout + col + p * CPU_NR, (size_t)job->cin * cout, cout,
                              u + (size_t)p * square, (size_t)panels * square, LANE);
}

static int pairs_of(const struct job *job)
{
    return (job->cout / CPU_NR + 1) / 2;
}

/* Items [begin, end) of [pair of panels][row] of a block. */
static void block_add(const struct job *job, float *u, int tiles, int begin, int end)
{
    int rows = job->cin / LANE;
    for (int i = begin; i < end; i++) {
        int row = i % rows * LANE, col = i / rows * 2 * CPU_NR, panels = job->cout - col > CPU_NR ? 2 : 1;
        for (int p = 0; p < panels && job->db && row == 0; p++)
            bias_add(job, col + p * CPU_NR, tiles);
        square_add(job, u, row, col, panels, tiles);
    }
}

/* All threads on one block after the other. */
static void shared_run(const struct cpu *cpu, const struct job *job)
{
    int64_t tiles = (int64_t)job->n * job->high * job->wide;
#pragma omp parallel num_threads(cpu->threads)
    {
        _Alignas(64) float u[2 * MAX_POINTS * LANE * CPU_NR];
        int item0, item1, begin, end, rank = omp_get_thread_num(), size = omp_get_num_threads();
        cpu_share(job->cin / LANE * pairs_of(job), rank, size, &item0, &item1);
        for (int64_t first = 0; first < tiles; first += job->block) {
            int count = tiles - first < job->block ? (int)(tiles - first) : job->block;
            cpu_share(count, rank, size, &begin, &end);
            for (int i = begin; i < end; i++)
                tile_transform(job, first + i, i);
#pragma omp barrier
            block_add(job, u, count, item0, item1);
#pragma omp barrier
        }
    }
}

/* Each thread on parts of its own, in the memory of its own behind the first one's v. */
static void own_run(const struct cpu *cpu, const struct job *job, const struct cpu_partial *partial)
{
    int64_t tiles = (int64_t)job->n * job->high * job->wide, blocks = (tiles + job->block - 1) / job->block;
#pragma omp parallel num_threads(cpu->threads)
    {
        _Alignas(64) float u[2 * MAX_POINTS * LANE * CPU_NR];
        int part0, part1, rank = omp_get_thread_num();
        struct job own = *job;
        own.v += (size_t)rank * (job->v_count + job->d_count), own.d = own.v + job->v_count;
        cpu_share(partial->parts, rank, omp_get_num_threads(), &part0, &part1);
        for (int part = part0; part < part1; part++) {
            int64_t begin, end;
            own.dw = cpu_partial_begin(partial, part);
            own.db = job->db ? own.dw + partial->weights : NULL;
            cpu_partial_range(partial, part, blocks, &begin, &end);
            for (int64_t first = begin * job->block; first < end * job->block && first < tiles; first += job->block) {
                int count = tiles - first < job->block ? (int)(tiles - first) : job->block;
                for (int i = 0; i < count; i++)
                    tile_transform(&own, first + i, i);
                block_add(&own, u, count, 0, job->cin / LANE * pairs_of(job));
            }
        }
    }
    cpu_partial_add(cpu, job->dw, job->db, partial);
}

enum vgg_status cpu_winograd_bwd_weight_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                            const struct cpu_gemm *gemm, const struct cpu_winograd_kernels *kernels)
{
    int m = kernels->m;
    struct job job = { .gemm = gemm, .kernels = kernels, .points = (m + 2) * (m + 2), .n = op->x.n, .h = op->x.h };
    job.w = op->x.w, job.cin = op->x.c, job.cout = op->dy.c, job.x = args->x, job.dy = args->dy;
    job.dw = args->dw, job.db = args->db;
    job.high = (job.h + m - 1) / m, job.wide = (job.w + m - 1) / m;
    job.v_row = (size_t)job.cin + LANE, job.d_row = (size_t)job.cout + LANE;
    size_t weights = (size_t)9 * (size_t)job.cin * (size_t)job.cout;
    int64_t tiles = (int64_t)job.n * job.high * job.wide, most = BLOCK_TILES * 36 / job.points;
    int64_t fit = OWN_BLOCK / ((int64_t)(job.v_row + job.d_row) * job.points * (int64_t)sizeof(float));
    bool own = weights * sizeof(float) <= OWN_WEIGHTS && tiles >= 2 * OWN_LEAST * fit;
    if (own && fit < most) most = fit;
    int64_t blocks = (tiles + most - 1) / most;
    job.block = (int)((tiles + blocks - 1) / blocks);
    job.v_plane = ((size_t)job.block * job.v_row + 1023) / 1024 * 1024 + LANE;
    job.d_plane = ((size_t)job.block * job.d_row + 1023) / 1024 * 1024 + LANE;
    job.v_count = job.v_plane * (size_t)job.points, job.d_count = job.d_plane * (size_t)(job.points + 1);
    size_t zeros = (size_t)(job.cin > job.cout ? job.cin : job.cout), room = job.v_count + job.d_count;
    if (own) room *= (size_t)cpu->threads;
    struct cpu_partial partial = cpu_partial_cut(weights, (size_t)job.cout, blocks, OWN_LEAST);
    size_t sums = own ? (size_t)partial.parts * partial.size : 0;
    void *scratch;
    enum vgg_status status = cpu_scratch(cpu, &scratch, (room + zeros + sums) * sizeof(float));
    if (status != VGG_OK) return status;
    job.v = scratch, job.d = job.v + job.v_count;
    job.zero = memset(job.v + room, 0, zeros * sizeof(float));
    partial.sum = job.v + room + zeros;
    if (own)
        own_run(cpu, &job, &partial);
    else
        shared_run(cpu, &job);
    return VGG_OK;
}
