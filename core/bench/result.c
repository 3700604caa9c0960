#include "core/bench/result.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"

const char *vgg_bench_pass_name(enum vgg_bench_pass pass)
{
    static const char *const name[VGG_BENCH_PASS_COUNT] = { "forward", "backward", "step", "update" };
    return (unsigned)pass < VGG_BENCH_PASS_COUNT ? name[pass] : NULL;
}

enum vgg_status vgg_bench_skip_add(struct vgg_bench *bench, const char *device, const char *what, const char *why)
{
    size_t size = (bench->skips + 1) * sizeof *bench->skip;
    struct vgg_bench_skip *grown = realloc(bench->skip, size);
    if (!grown) return vgg_fail_memory("what is left out", size);
    bench->skip = grown;
    struct vgg_bench_skip *skip = &grown[bench->skips++];
    snprintf(skip->device, sizeof skip->device, "%s", device);
    snprintf(skip->what, sizeof skip->what, "%s", what);
    snprintf(skip->why, sizeof skip->why, "%s", why);
    vgg_log(VGG_LOG_INFO, "%s: %s left out: %s", device, what, why);
    return VGG_OK;
}

void vgg_bench_destroy(struct vgg_bench *bench)
{
    if (!bench) return;
    for (size_t i = 0; i < bench->results; i++)
        free(bench->result[i].layer);
    free(bench->device);
    free(bench->result);
    free(bench->skip);
    free(bench);
}
