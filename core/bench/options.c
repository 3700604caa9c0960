#include "core/bench/options.h"

#include <string.h>

#include "core/arch/arch.h"
#include "core/base/log.h"

enum { MOST_LIST = 1024, MOST_BATCH = 65536, MOST_REPEATS = 10000, MOST_THREADS = 1024 };

bool vgg_bench_beside_fp32(const char *precision)
{
    return precision && (strcmp(precision, "bf16") == 0 || strcmp(precision, "int8") == 0);
}

static enum vgg_status check_list(const char *name, const void *list, int count)
{
    if (count < 0 || count > MOST_LIST)
        return vgg_fail(VGG_ERR_ARGUMENT, "%d %s: must be 1 to %d; 0 means the default", count, name, MOST_LIST);
    return list ? VGG_OK : vgg_fail(VGG_ERR_ARGUMENT, "%d %s: the list of them is NULL", count, name);
}

static enum vgg_status check_numbers(const struct vgg_bench_options *o)
{
    enum vgg_status status = VGG_OK;
    if (vgg_bench_beside_fp32(o->engine.precision) && o->passes != 1u << VGG_BENCH_FORWARD)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "precision %s: has forward passes alone", o->engine.precision));
    if (o->passes >> VGG_BENCH_UPDATE)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "passes 0x%x: bits of forward, backward and step alone (0x1, 0x2, 0x4)",
                       o->passes));
    CHECK(check_list("batches", o->batch, o->batches));
    for (int i = 0; i < o->batches; i++)
        if (o->batch[i] < 1 || o->batch[i] > MOST_BATCH)
            CHECK(vgg_fail(VGG_ERR_ARGUMENT, "batch %d: must be 1 to %d images", o->batch[i], MOST_BATCH));
    CHECK(check_list("sizes", o->size, o->sizes));
    if (o->repeats < 1 || o->repeats > MOST_REPEATS)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%d repeats: must be 1 to %d; 0 means the default", o->repeats, MOST_REPEATS));
    if (!vgg_name(VGG_NAMES_OPTIMIZER, (int)o->optimizer))
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "optimizer %d: is none of enum vgg_optimizer", (int)o->optimizer));
    if (o->engine.threads < 0 || o->engine.threads > MOST_THREADS)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "threads %d: must be 0 (all processors) to %d", o->engine.threads,
                       MOST_THREADS));
fail:
    return status;
}

/* Texts that the result has no room for would be cut there. */
static enum vgg_status check_network(const struct vgg_bench_options *o)
{
    enum vgg_status status = VGG_OK;
    struct vgg_arch arch;
    const struct vgg_bench *result = NULL;
    if (strlen(o->head) >= sizeof result->head)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "head %.40s...: at most %zu characters", o->head, sizeof result->head - 1));
    for (int i = 0; i < o->sizes; i++) {
        CHECK(vgg_arch_base(&arch, o->arch, o->size[i][0], o->size[i][1], NULL));
        CHECK(vgg_arch_head(&arch, o->head));
        if (vgg_arch_trainable(&arch, o->trainable) < 0)
            CHECK(vgg_fail(VGG_ERR_ARGUMENT, "trainable %s: no such layer or block; `vgg16 summary` lists them",
                           o->trainable));
    }
fail:
    return status;
}

enum vgg_status vgg_bench_options_read(struct vgg_bench_options *out, const struct vgg_bench_options *asked)
{
    static const int one[] = { 1 }, square[][2] = { { 224, 224 } };
    struct vgg_bench_options o = { 0 };
    if (asked) o = *asked;
    if (!o.arch) o.arch = "vgg16";
    if (!o.head) o.head = "gap,dense:10:softmax";
    if (!o.trainable) o.trainable = "all";
    if (!o.passes && vgg_bench_beside_fp32(o.engine.precision)) o.passes = 1u << VGG_BENCH_FORWARD;
    if (!o.passes) o.passes = 1u << VGG_BENCH_FORWARD | 1u << VGG_BENCH_BACKWARD | 1u << VGG_BENCH_STEP;
    if (!o.batches) o.batch = one, o.batches = 1;
    if (!o.sizes) o.size = square, o.sizes = 1;
    if (!o.repeats) o.repeats = 7;
    *out = o;
    enum vgg_status status = check_numbers(out);
    return status == VGG_OK ? check_network(out) : status;
}
