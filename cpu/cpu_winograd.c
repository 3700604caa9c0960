/* cpu_winograd.c: forward and input gradient by Winograd's algorithm: blocks of tiles are transformed, multiplied point
 * by point with the transformed filters, and transformed back. */
#include "cpu/cpu_winograd.h"

#include <omp.h>
#include <string.h>

#include "cpu/cpu_conv.h"

enum {
    OWN_BYTES = 3 << 20,    /* filters up to here: every thread works on blocks of its own */
    OWN_BLOCK = 1 << 20,    /* bytes of such a block */
    SHARED_LEAST = 3 << 20, /* bytes of a block that all threads work on together: a third of the filters', which are */
    SHARED_MOST = 12 << 20, /* read once a block, within these limits */
    LANE = 16,              /* floats of a cache line */
};

/* One convolution in the transformed domain. */
struct job {
    const struct cpu_gemm *gemm;
    const struct cpu_winograd_kernels *kernels;
    int points, n, h, w, cin, cout;
    int high, wide; /* tiles of one image */
    int block;      /* tiles worked on at once */
    int k_block;
    size_t v_row, m_row; /* floats of one tile's channels in a plane: padded, so that rows differ in their cache sets */
    size_t v_plane, m_plane, u_plane;
    const float *x, *u, *zero;
    struct cpu_winograd_out out; /* y, arg, mask and bias of the whole operation */
};

/* Rounds up to whole cache lines and leaves one between planes, so that the points of a tile lie in different sets. */
static size_t plane_of(size_t count)
{
    return (count + 1023) / 1024 * 1024 + LANE;
}

static int panels_of(int cols)
{
    return cols / CPU_NR;
}

/* Floats of the transformed filters [point][panel][depth][CPU_NR] and a pixel of zeros. */
static size_t filter_plane(int depth, int cols)
{
    return (size_t)depth * (size_t)cols + LANE;
}

/* Transforms all filters. w: [tap][depth][cols], turned: [tap][cols][depth]. */
static void filters_transform(struct cpu *cpu, float *u, const float *w, int depth, int cols, bool turned,
                              const struct cpu_winograd_kernels *kernels)
{
    size_t plane = filter_plane(depth, cols), tap_step = (size_t)depth * (size_t)cols;
    int chunks = depth / LANE;
#pragma omp parallel for num_threads(cpu->threads) schedule(static) collapse(2)
    for (int panel = 0; panel < panels_of(cols); panel++)
        for (int chunk = 0; chunk < chunks; chunk++) {
            float *to = u + ((size_t)panel * (size_t)depth + (size_t)chunk * LANE) * CPU_NR;
            if (!turned) {
                kernels->filter(to, plane, w + (size_t)chunk * LANE * (size_t)cols + (size_t)panel * CPU_NR, tap_step,
                                (size_t)cols, LANE);
                continue;
            }
            float local[9 * LANE * CPU_NR];
            for (int tap = 0; tap < 9; tap++)
                for (int j = 0; j < CPU_NR; j++) {
                    const float *from = w + (size_t)(8 - tap) * tap_step +
                                        (size_t)(panel * CPU_NR + j) * (size_t)depth + (size_t)chunk * LANE;
                    for (int k = 0; k < LANE; k++)
                        local[(tap * LANE + k) * CPU_NR + j] = from[k];
                }
            kernels->filter(to, plane, local, LANE * CPU_NR, CPU_NR, LANE);
        }
}

/* Tile `index` of the operation: image and position of its first output. */
static void tile_place(const struct job *job, int64_t index, int64_t *image, int *y, int *x)
{
    *x = (int)(index % job->wide) * job->kernels->m;
    *y = (int)(index / job->wide % job->high) * job->kernels->m;
    *image = index / job->wide / job->high;
}

static void tile_input(const struct job *job, float *v, int64_t index)
{
    const float *pixel[CPU_WINOGRAD_MAX_T * CPU_WINOGRAD_MAX_T];
    int64_t image;
    int y, x, t = job->kernels->m + 2;
    tile_place(job, index, &image, &y, &x);
    for (int i = 0; i < t; i++)
        for (int j = 0; j < t; j++) {
            int py = y + i - 1, px = x + j - 1;
            bool inside = py >= 0 && py < job->h && px >= 0 && px < job->w;
            pixel[i * t + j] = inside ? job->x + ((image * job->h + py) * job->w + px) * job->cin : job->zero;
        }
    job->kernels->input(v, job->v_plane, pixel, job->cin);
}

static void tile_output(const struct job *job, const float *m, int64_t index)
{
    int64_t image;
    int y, x, h = job->h, w = job->w, size = job->kernels->m;
    tile_place(job, index, &image, &y, &x);
    struct cpu_winograd_out out = job->out;
    if (out.pool) y /= 2, x /= 2, h /= 2, w /= 2, size /= 2;
    out.rows = h - y < size ? h - y : size;
    out.cols = w - x < size ? w - x : size;
    out.pixel = (size_t)job->cout;
    out.row = (size_t)w * out.pixel;
    int64_t at = ((image * h + y) * w + x) * job->cout;
    out.y += at;
    if (out.arg) out.arg += at;
    if (out.mask) out.mask += at;
    job->kernels->output(&out, m, job->m_plane, job->cout);
}

/* Products [begin, end) of [point][panel] for a block of `tiles`; deep sums in pieces whose panel of filters stays in
 * the first-level cache. */
static void block_multiply(const struct job *job, float *m, const float *v, int tiles, int begin, int end)
{
    int panels = panels_of(job->cout), limit = job->k_block;
    int pieces = (job->cin + limit - 1) / limit, piece = (job->cin + pieces - 1) / pieces;
    for (int i = begin, some; i < end; i += some) {
        int q = i / panels, panel = i % panels;
        some = job->gemm->wide && end - i >= 2 && panels - panel >= 2 ? 2 : 1;
        const float *b = job->u + (size_t)q * job->u_plane + (size_t)panel * (size_t)job->cin * CPU_NR;
        const float *a = v + (size_t)q * job->v_plane;
        float *c = m + (size_t)q * job->m_plane + (size_t)panel * CPU_NR;
        for (int skip = 0; skip < job->cin; skip += piece) {
            int k = job->cin - skip < piece ? job->cin - skip : piece;
            for (int r = 0, rows; r < tiles; r += rows) {
                const float *row[2 * CPU_MR], *bk = b + (size_t)skip * CPU_NR;
                float *to = c + (size_t)r * job->m_row;
                rows = some == 2 && tiles - r > CPU_MR ? 2 * CPU_MR : CPU_MR;
                for (int j = 0; j < rows; j++)
                    row[j] = a + (size_t)(r + j) * job->v_row;
                if (some == 1)
                    job->gemm->rows(to, job->m_row, row, 0, (size_t)skip, bk, 0, 1, k, skip > 0);
                else
                    job->gemm->wide(to, job->m_row, CPU_NR, row, 0, (size_t)skip, bk, 0, (size_t)job->cin * CPU_NR, 1,
                                    k, rows, skip > 0);
            }
        }
    }
}

/* One block by a team of `size` threads, of which this is number `rank`. */
static void block_run(const struct job *job, float *v, float *m, int64_t first, int tiles, int rank, int size)
{
    int begin, end;
    cpu_share(tiles, rank, size, &begin, &end);
    for (int i = begin; i < end; i++)
        tile_input(job, v + (size_t)i * job->v_row, first + i);
    if (size > 1) {
#pragma omp barrier
    }
    int item0, item1;
    cpu_share(job->points * panels_of(job->cout), rank, size, &item0, &item1);
    block_multiply(job, m, v, tiles, item0, item1);
    if (size > 1) {
#pragma omp barrier
    }
    for (int i = begin; i < end; i++)
        tile_output(job, m + (size_t)i * job->m_row, first + i);
}

/* Fills in the blocking and runs. */
static enum vgg_status job_run(struct cpu *cpu, struct job *job)
{
    int m = job->kernels->m;
    job->high = (job->h + m - 1) / m, job->wide = (job->w + m - 1) / m;
    int64_t tiles = (int64_t)job->n * job->high * job->wide;
    job->v_row = (size_t)job->cin + LANE, job->m_row = (size_t)job->cout + LANE;
    job->u_plane = filter_plane(job->cin, job->cout);
    job->k_block = cpu_k_block(cpu, job->gemm->k_block);
    size_t filters = job->u_plane * (size_t)job->points * sizeof(float);
    bool own = filters <= OWN_BYTES;
    size_t shared = filters / 3 < SHARED_LEAST ? SHARED_LEAST : filters / 3 > SHARED_MOST ? SHARED_MOST : filters / 3;
    size_t limit = own ? OWN_BLOCK : shared, tile = (job->v_row + job->m_row) * (size_t)job->points * sizeof(float);
    int most = (int)(limit / tile) / CPU_MR * CPU_MR;
    if (most < CPU_MR) most = CPU_MR;
    int64_t blocks = (tiles + most - 1) / most;
    if (own && blocks < cpu->threads) blocks = cpu->threads;
    job->block = (int)((tiles + blocks - 1) / blocks + CPU_MR - 1) / CPU_MR * CPU_MR;
    blocks = (tiles + job->block - 1) / job->block;
    job->v_plane = plane_of((size_t)job->block * job->v_row), job->m_plane = plane_of((size_t)job->block * job->m_row);
    size_t v_count = job->v_plane * (size_t)job->points, m_count = job->m_plane * (size_t)job->points;
    size_t part = v_count + m_count;
    void *scratch;
    enum vgg_status status = cpu_scratch(cpu, &scratch, (part * (size_t)(own ? cpu->threads : 1)) * sizeof(float));
    if (status != VGG_OK) return status;
    float *memory = scratch;
#pragma omp parallel num_threads(cpu->threads)
    {
        int rank = omp_get_thread_num(), size = omp_get_num_threads();
        float *v = memory + (own ? part * (size_t)rank : 0), *product = v + v_count;
        int64_t begin = own ? blocks * rank / size : 0, end = own ? blocks * (rank + 1) / size : blocks;
        for (int64_t i = begin; i < end; i++) {
            int64_t first = i * job->block;
            int count = tiles - first < job->block ? (int)(tiles - first) : job->block;
            block_run(job, v, product, first, count, own ? 0 : rank, own ? 1 : size);
        }
    }
    return VGG_OK;
}

static enum vgg_status filters_get(struct cpu *cpu, struct job *job, const struct cpu_args *args, bool turned)
{
    size_t count = filter_plane(job->cin, job->cout) * (size_t)job->points;
    void *packed;
    bool valid;
    enum cpu_pack_form form = turned ? CPU_PACK_WINOGRAD_TURNED : CPU_PACK_WINOGRAD;
    enum vgg_status status = cpu_pack_get(cpu, args, (int)form + job->kernels->m,
                                          (count + (size_t)job->cin) * sizeof(float), &packed, &valid);
    if (status != VGG_OK) return status;
    job->u = packed;
    job->zero = job->u + count;
    if (valid) return VGG_OK;
    filters_transform(cpu, packed, args->w, job->cin, job->cout, turned, job->kernels);
    memset((float *)packed + count, 0, (size_t)job->cin * sizeof(float));
    return VGG_OK;
}

enum vgg_status cpu_winograd_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                 const struct cpu_gemm *gemm, const struct cpu_winograd_kernels *kernels)
{
    struct job job = { .gemm = gemm, .kernels = kernels, .points = (kernels->m + 2) * (kernels->m + 2) };
    job.n = op->x.n, job.h = op->x.h, job.w = op->x.w, job.cin = op->x.c, job.cout = op->w.c;
    job.x = args->x, job.out.y = args->y, job.out.arg = args->arg, job.out.bias = args->b;
    job.out.relu = op->flags & VGG_OP_RELU, job.out.pool = op->flags & VGG_OP_POOL;
    enum vgg_status status = filters_get(cpu, &job, args, false);
    return status == VGG_OK ? job_run(cpu, &job) : status;
}

enum vgg_status cpu_winograd_bwd_data_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                          const struct cpu_gemm *gemm, const struct cpu_winograd_kernels *kernels)
{
    struct job job = { .gemm = gemm, .kernels = kernels, .points = (kernels->m + 2) * (kernels->m + 2) };
    job.n = op->dy.n, job.h = op->dy.h, job.w = op->dy.w, job.cin = op->dy.c, job.cout = op->dx.c;
    job.x = args->dy, job.out.y = args->dx, job.out.mask = op->flags & VGG_OP_RELU ? args->x : NULL;
    enum vgg_status status = filters_get(cpu, &job, args, true);
    return status == VGG_OK ? job_run(cpu, &job) : status;
}
