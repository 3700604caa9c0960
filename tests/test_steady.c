/* Once a network has run, steps and forward passes on the CPU allocate nothing. The linker sends the library's calls of
 * the functions below here (--wrap in CMakeLists.txt). */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/base/mem.h"
#include "core/engine/device.h"
#include "core/engine/net.h"
#include "core/model/init.h"

static atomic_long allocations;

void *__real_malloc(size_t size), *__real_calloc(size_t count, size_t size), *__real_realloc(void *memory, size_t size);
int __real_posix_memalign(void **out, size_t align, size_t size);
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
int __wrap_posix_memalign(void **out, size_t align, size_t size);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    allocations++;
    return __real_realloc(memory, size);
}

int __wrap_posix_memalign(void **out, size_t align, size_t size)
{
    allocations++;
    return __real_posix_memalign(out, align, size);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    allocations++;
    return __real_mmap(address, size, protection, flags, fd, offset);
}

enum { SIZE = 32, BATCH = 6, CLASSES = 5, STEPS = 3 };

/* Allocations in STEPS training steps, in shards, and forward passes, after one of each. */
static long steady(const char *conv, enum vgg_optimizer optimizer, int shard)
{
    struct vgg_model *model;
    struct vgg_engine_options engine = { .backend = "cpu", .conv = conv };
    struct vgg_model_options options = { .arch = "vgg13",
                                         .weights = "random",
                                         .head = "flatten,dense:32:relu,dropout:0.5,dense:5:softmax",
                                         .height = SIZE,
                                         .width = SIZE,
                                         .seed = 1 };
    struct vgg_backend *backend;
    struct vgg_net *net;
    static float x[BATCH * SIZE * SIZE * 3], t[BATCH], y[BATCH * CLASSES], loss[BATCH];
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    cr_assert_eq(vgg_backend_open(&backend, &engine), VGG_OK);
    struct vgg_plan_spec spec = {
        .arch = &model->arch,
        .batch = BATCH,
        .last = model->arch.count,
        .loss = true,
        .optimizer = optimizer,
        .hyper = { .momentum = 0.9f, .rho = 0.9f, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-7f }
    };
    cr_assert_eq(vgg_net_create(&net, backend, &spec, 0, shard, 0), VGG_OK);
    cr_assert_eq(vgg_net_set_params(net, model->params), VGG_OK);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(i % 17) / 17 - 0.5f;
    for (int i = 0; i < BATCH; i++)
        t[i] = (float)(i % CLASSES);
    struct vgg_net_io io = { .n = BATCH, .x = x, .t = t, .y = y, .loss = loss };
    struct vgg_step step = { .learning_rate = 1e-4f };
    long before = 0;
    for (int i = 0; i <= STEPS; i++, step.step++) {
        if (i == 1) before = allocations;
        cr_assert_eq(vgg_net_train(net, &io, &step), VGG_OK);
        cr_assert_eq(vgg_net_forward(net, &io), VGG_OK);
    }
    long count = allocations - before;
    cr_assert_gt(before, 0, "the allocations are not seen");
    vgg_net_destroy(net);
    vgg_backend_close(backend);
    vgg_model_destroy(model);
    return count;
}

Test(steady, steps_allocate_nothing)
{
    const char *const convs[] = { "direct", "winograd", "auto" };
    const enum vgg_optimizer optimizers[] = { VGG_OPTIMIZER_SGD, VGG_OPTIMIZER_RMSPROP, VGG_OPTIMIZER_ADAM };
    for (int i = 0; i < 3; i++)
        for (int shard = 2; shard <= BATCH; shard += BATCH - 2)
            cr_assert_eq(steady(convs[i], optimizers[i], shard), 0, "%s: %ld allocations", convs[i],
                         steady(convs[i], optimizers[i], shard));
}
