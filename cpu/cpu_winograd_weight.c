/* cpu_winograd_weight.c: gradient of a convolution's weights and bias as the adjoint of Winograd's algorithm. Tiles are
 * taken a block at a time (by shape, so that the order of the sums is fixed); for 16 x 16 channels all points are
 * multiplied and transformed back at once, so that the points' products never leave the cache. */
#include "cpu/cpu_winograd.h"

#include <omp.h>
#include <string.h>

#include "cpu/cpu_conv.h"

enum {
    BLOCK_TILES = 96, /* of m = 4; two panels of 16 channels of a block stay in the second-level cache */
    LANE = 16,
    MAX_POINTS = CPU_WINOGRAD_MAX_T * CPU_WINOGRAD_MAX_T
};

/* One gradient. v: transformed x, d: transformed dy and sums; [point][tile][channels]. */
struct job {
    const struct cpu_gemm *gemm;
    const struct cpu_winograd_kernels *kernels;
    int points, n, h, w, cin, cout, high, wide, block;
    size_t v_row, d_row, v_plane, d_plane;
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

/* dw of 16 input channels from `row` and 16 output channels from `col`. u: room for all points. */
static void square_add(const struct job *job, float *u, int row, int col, int tiles)
{
    for (int q = 0; q < job->points; q++) {
        const float *a = job->v + (size_t)q * job->v_plane + row, *b = job->d + (size_t)q * job->d_plane + col;
        float *c = u + q * LANE * CPU_NR;
        if (job->gemm->square) {
            job->gemm->square(c, a, job->v_row, job->v_plane, b, job->d_row, job->d_plane, tiles);
            continue;
        }
        job->gemm->outer(c, a, job->v_row, job->v_plane, b, job->d_row, job->d_plane, tiles, CPU_MR);
        job->gemm->outer(c + CPU_MR * CPU_NR, a + CPU_MR, job->v_row, 0, b, job->d_row, 0, tiles, CPU_MR);
        job->gemm->outer(c + 2 * CPU_MR * CPU_NR, a + 2 * CPU_MR, job->v_row, 0, b, job->d_row, 0, tiles,
                         CPU_MR_NARROW);
    }
    size_t cout = (size_t)job->cout;
    job->kernels->adjoint(job->dw + (size_t)row * cout + col, (size_t)job->cin * cout, cout, u, LANE * CPU_NR, LANE);
}

static void job_run(const struct cpu *cpu, const struct job *job)
{
    int64_t tiles = (int64_t)job->n * job->high * job->wide;
    int rows = job->cin / LANE, items = rows * (job->cout / CPU_NR);
#pragma omp parallel num_threads(cpu->threads)
    {
        _Alignas(64) float u[MAX_POINTS * LANE * CPU_NR];
        int item0, item1, begin, end, rank = omp_get_thread_num(), size = omp_get_num_threads();
        cpu_share(items, rank, size, &item0, &item1);
        for (int64_t first = 0; first < tiles; first += job->block) {
            int count = tiles - first < job->block ? (int)(tiles - first) : job->block;
            cpu_share(count, rank, size, &begin, &end);
            for (int i = begin; i < end; i++)
                tile_transform(job, first + i, i);
#pragma omp barrier
            for (int i = item0; i < item1; i++) {
                if (job->db && i % rows == 0) bias_add(job, i / rows * CPU_NR, count);
                square_add(job, u, i % rows * LANE, i / rows * CPU_NR, count);
            }
#pragma omp barrier
        }
    }
}

enum vgg_status cpu_winograd_bwd_weight_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                            const struct cpu_gemm *gemm, const struct cpu_winograd_kernels *kernels)
{
    int m = kernels->m;
    struct job job = { .gemm = gemm, .kernels = kernels, .points = (m + 2) * (m + 2), .n = op->x.n, .h = op->x.h };
    job.w = op->x.w, job.cin = op->x.c, job.cout = op->dy.c, job.x = args->x, job.dy = args->dy;
    job.dw = args->dw, job.db = args->db;
    job.high = (job.h + m - 1) / m, job.wide = (job.w + m - 1) / m;
    int64_t tiles = (int64_t)job.n * job.high * job.wide, most = BLOCK_TILES * 36 / job.points;
    int64_t blocks = (tiles + most - 1) / most;
    job.block = (int)((tiles + blocks - 1) / blocks);
    job.v_row = (size_t)job.cin + LANE, job.d_row = (size_t)job.cout + LANE;
    job.v_plane = ((size_t)job.block * job.v_row + 1023) / 1024 * 1024 + LANE;
    job.d_plane = ((size_t)job.block * job.d_row + 1023) / 1024 * 1024 + LANE;
    size_t v_count = job.v_plane * (size_t)job.points, d_count = job.d_plane * (size_t)(job.points + 1);
    size_t zeros = (size_t)(job.cin > job.cout ? job.cin : job.cout);
    void *scratch;
    enum vgg_status status = cpu_scratch(cpu, &scratch, (v_count + d_count + zeros) * sizeof(float));
    if (status != VGG_OK) return status;
    job.v = scratch, job.d = job.v + v_count;
    memset(job.d + d_count, 0, zeros * sizeof(float));
    job.zero = job.d + d_count;
    job_run(cpu, &job);
    return VGG_OK;
}
