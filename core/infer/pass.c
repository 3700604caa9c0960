#include "core/infer/pass.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"

enum vgg_status vgg_pass_run(const struct vgg_pass *pass, vgg_pass_fn *fn, void *sink)
{
    enum vgg_status status = VGG_OK;
    struct vgg_loader *loader = NULL;
    size_t batch_size = (size_t)pass->batch;
    float *y = vgg_mem_calloc(vgg_mem_mul(batch_size, vgg_net_output(pass->net)), sizeof *y);
    float *loss = vgg_mem_calloc(batch_size, sizeof *loss), *t = vgg_mem_calloc(batch_size, sizeof *t);
    if (!y || !loss || !t)
        CHECK(vgg_fail_memory("one batch of outputs", batch_size * vgg_net_output(pass->net) * sizeof *y));
    struct vgg_loader_options options = { .images = pass->images, .batch = pass->batch, .labels = pass->labels };
    CHECK(vgg_loader_create(&loader, pass->data, &options));
    uint64_t done = 0, total = vgg_data_count(pass->data);
    for (;;) {
        struct vgg_batch batch;
        CHECK(vgg_loader_next(loader, &batch));
        if (batch.count == 0) break;
        for (int i = 0; i < batch.count; i++)
            t[i] = (float)batch.labels[i];
        struct vgg_net_io io = { .n = batch.count, .x = batch.x, .y = y };
        if (pass->loss) io.t = t, io.loss = loss;
        CHECK(vgg_net_forward(pass->net, &io));
        CHECK(fn(sink, &batch, y, loss));
        done += (uint64_t)batch.count;
        struct vgg_progress progress = { pass->phase, "images",     done,        total - vgg_loader_skipped(loader),
                                         pass->epoch, pass->epochs, (double)NAN, (double)NAN };
        if (pass->progress && !pass->progress(pass->user, &progress)) CHECK(VGG_INTERRUPTED);
    }
    if (done == 0) {
        CHECK(vgg_fail(VGG_ERR_MISSING, "no image could be read: all %llu were skipped", (unsigned long long)total));
    }
    if (vgg_loader_skipped(loader)) {
        vgg_log(VGG_LOG_WARNING, "%llu of %llu images were skipped", (unsigned long long)vgg_loader_skipped(loader),
                (unsigned long long)total);
    }
fail:
    vgg_loader_destroy(loader);
    free(y);
    free(loss);
    free(t);
    return status;
}
