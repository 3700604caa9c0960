/* Training on Vulkan beside the CPU, checkpoints that move from one to the other, and devices lost on the way. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/engine/engine.h"
#include "core/format/safetensors.h"
#include "core/model/model.h"
#include "vk/vk_device.h"
#include "vk_driver.h"

enum { SIZE = 32, ITEMS = 16, STEPS = 20, BATCH = 4, EPOCHS = STEPS * BATCH / ITEMS };

static char folder[] = "/tmp/vgg16-vk-train-XXXXXX";
static char images[64];

static void set_up(void)
{
    static uint8_t x[ITEMS][SIZE][SIZE][3];
    static int64_t y[ITEMS];
    cr_assert(mkdtemp(folder));
    snprintf(images, sizeof images, "%s/images.safetensors", folder);
    for (int i = 0; i < ITEMS; i++) {
        y[i] = i % 2;
        for (int k = 0; k < SIZE * SIZE * 3; k++) {
            uint32_t noise = vgg_rng_below(7, VGG_RNG_INIT, (uint64_t)i, (uint64_t)k, 120);
            (&x[i][0][0][0])[k] = (uint8_t)(noise + (k % 3 == y[i] ? 120u : 0u));
        }
    }
    struct vgg_st_tensor tensors[] = {
        { "x", VGG_DTYPE_U8, 4, { ITEMS, SIZE, SIZE, 3 }, x, sizeof x },
        { "y", VGG_DTYPE_I64, 1, { ITEMS }, y, sizeof y },
    };
    cr_assert_eq(vgg_st_write(images, tensors, 2, NULL, 0), VGG_OK);
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(vk_train, .init = set_up, .fini = tear_down, .timeout = 300);

/* VGG11 up to `last`, NULL: the whole base, and a small head. */
static struct vgg_model *new_model_to(const char *last)
{
    struct vgg_model *model;
    struct vgg_model_options network = {
        .arch = "vgg11",
        .last = last,
        .weights = "random",
        .head = "flatten,dense:16:relu,dropout:0.5,dense:1:sigmoid",
        .height = SIZE,
        .width = SIZE,
        .seed = 5,
    };
    cr_assert_eq(vgg_model_create(&model, &network), VGG_OK);
    return model;
}

static struct vgg_model *new_model(void)
{
    return new_model_to(NULL);
}

static struct vgg_train_options new_options(int epochs, const char *checkpoint)
{
    return (struct vgg_train_options) {
        .trainable = "block5",
        .augment = { .rotate = 20, .flip = true },
        .optimizer = VGG_OPTIMIZER_SGD,
        .learning_rate = 0.01f,
        .momentum = 0.9f,
        .epochs = epochs,
        .batch = BATCH,
        .seed = 11,
        .checkpoint = checkpoint,
        .resume = checkpoint != NULL,
    };
}

/* From submission number lost_at on the device is lost; 0: never. */
static PFN_vkQueueSubmit submit;
static int submissions, lost_at;

static VkResult losing_submit(VkQueue queue, uint32_t count, const VkSubmitInfo *info, VkFence fence)
{
    return ++submissions >= lost_at && lost_at ? VK_ERROR_DEVICE_LOST : submit(queue, count, info, fence);
}

static enum vgg_status run(struct vgg_model *model, const char *backend, const struct vgg_train_options *options)
{
    struct vgg_engine *engine;
    struct vgg_data *data;
    struct vgg_engine_options device = { .backend = backend };
    cr_assert_eq(vgg_engine_create(&engine, &device), VGG_OK);
    cr_assert_eq(vgg_data_open(&data, images), VGG_OK);
    if (!strcmp(backend, "vulkan")) {
        struct vk_fn *fn = &((struct vk *)engine->backend)->lib.fn;
        submit = fn->QueueSubmit;
        fn->QueueSubmit = losing_submit;
    }
    submissions = 0;
    enum vgg_status status = vgg_train(engine, model, data, NULL, options);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
    return status;
}

static struct vgg_model *train(const char *backend, int epochs, const char *checkpoint)
{
    struct vgg_model *model = new_model();
    struct vgg_train_options options = new_options(epochs, checkpoint);
    cr_assert_eq(run(model, backend, &options), VGG_OK);
    return model;
}

static void assert_close(const struct vgg_model *a, const struct vgg_model *b, double bound)
{
    for (int i = 0; i < a->arch.count; i++) {
        const struct vgg_view *views[] = { &a->arch.layer[i].kernel, &a->arch.layer[i].bias };
        for (int k = 0; k < 2; k++) {
            const float *p = a->params + views[k]->offset / sizeof(float),
                        *q = b->params + views[k]->offset / sizeof(float);
            double worst = 0.0, scale = 0.0;
            for (size_t n = 0; n < vgg_view_count(views[k]); n++) {
                worst = fmax(worst, fabs((double)p[n] - (double)q[n]));
                scale = fmax(scale, fabs((double)q[n]));
            }
            cr_expect_leq(worst, bound * scale, "%s: %g of %g", a->arch.layer[i].name, worst, scale);
        }
    }
}

Test(vk_train, twenty_steps_agree_with_the_cpu)
{
    vk_driver_lavapipe();
    struct vgg_model *cpu = train("cpu", EPOCHS, NULL), *vulkan = train("vulkan", EPOCHS, NULL);
    assert_close(vulkan, cpu, 1e-4);
    vgg_model_destroy(cpu);
    vgg_model_destroy(vulkan);
}

Test(vk_train, checkpoints_move_between_backends_both_ways)
{
    char there[64], back[64];
    vk_driver_lavapipe();
    snprintf(there, sizeof there, "%s/there", folder);
    snprintf(back, sizeof back, "%s/back", folder);
    struct vgg_model *straight = train("cpu", 2, NULL);
    vgg_model_destroy(train("vulkan", 1, there));
    vgg_model_destroy(train("cpu", 1, back));
    struct vgg_model *to_cpu = train("cpu", 2, there), *to_vulkan = train("vulkan", 2, back);
    assert_close(to_cpu, straight, 1e-4);
    assert_close(to_vulkan, straight, 1e-4);
    vgg_model_destroy(straight);
    vgg_model_destroy(to_cpu);
    vgg_model_destroy(to_vulkan);
}

/* Two blocks and all of their gradients: SwiftShader is slow. */
Test(vk_train, steps_on_swiftshader_agree_with_the_cpu)
{
    struct vgg_train_options options = new_options(1, NULL);
    options.trainable = "all";
    vk_driver_swiftshader();
    struct vgg_model *cpu = new_model_to("block2_pool"), *vulkan = new_model_to("block2_pool");
    cr_assert_eq(run(cpu, "cpu", &options), VGG_OK);
    cr_assert_eq(run(vulkan, "vulkan", &options), VGG_OK);
    cr_expect_geq(submissions, ITEMS / BATCH);
    assert_close(vulkan, cpu, 1e-4);
    vgg_model_destroy(cpu);
    vgg_model_destroy(vulkan);
}

static char last_error[512], last_warning[512];

static void keep_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    snprintf(level == VGG_LOG_ERROR ? last_error : last_warning, sizeof last_error, "%s", line);
}

/* Trains on a device that is lost after `share` of what the whole run submits. */
static enum vgg_status train_losing(struct vgg_model *model, const struct vgg_train_options *options, double share,
                                    int whole)
{
    lost_at = (int)(share * whole);
    enum vgg_status status = run(model, "vulkan", options);
    lost_at = 0;
    return status;
}

Test(vk_train, a_lost_device_leaves_its_work_to_the_cpu_from_the_last_step)
{
    static const double shares[] = { 0.3, 0.55, 0.95 };
    vk_driver_lavapipe();
    vgg_log_set(keep_line, NULL, VGG_LOG_WARNING);
    struct vgg_model *straight = train("vulkan", 2, NULL);
    struct vgg_train_options options = new_options(2, NULL);
    int whole = submissions;
    options.cpu_on_device_lost = true;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        struct vgg_model *model = new_model();
        last_warning[0] = '\0';
        cr_assert_eq(train_losing(model, &options, shares[i], whole), VGG_OK, "lost at %g", shares[i]);
        cr_expect(strstr(last_warning, "goes on with the CPU"), "%s", last_warning);
        assert_close(model, straight, 1e-4);
        vgg_model_destroy(model);
    }
    vgg_model_destroy(straight);
}

Test(vk_train, a_lost_device_leaves_the_last_checkpoint_and_says_how_to_go_on)
{
    char checkpoint[64];
    vk_driver_lavapipe();
    vgg_log_set(keep_line, NULL, VGG_LOG_WARNING);
    snprintf(checkpoint, sizeof checkpoint, "%s/lost", folder);
    struct vgg_model *straight = train("vulkan", 3, NULL), *stopped = new_model();
    struct vgg_train_options options = new_options(3, checkpoint);
    int whole = submissions;
    cr_assert_eq(train_losing(stopped, &options, 0.8, whole), VGG_ERR_DEVICE_LOST);
    cr_expect(strstr(last_error, "--resume"), "%s", last_error);
    struct vgg_model *on_cpu = train("cpu", 3, checkpoint);
    assert_close(on_cpu, straight, 1e-4);
    vgg_model_destroy(straight);
    vgg_model_destroy(stopped);
    vgg_model_destroy(on_cpu);
}
