/* Training on Vulkan beside the CPU, and checkpoints that move from one to the other, on lavapipe. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/model.h"
#include "core/rng.h"
#include "core/safetensors.h"
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

static struct vgg_model *train(const char *backend, int epochs, const char *checkpoint)
{
    struct vgg_engine *engine;
    struct vgg_data *data;
    struct vgg_model *model;
    struct vgg_engine_options device = { .backend = backend };
    struct vgg_model_options network = {
        .arch = "vgg11",
        .weights = "random",
        .head = "flatten,dense:16:relu,dropout:0.5,dense:1:sigmoid",
        .height = SIZE,
        .width = SIZE,
        .seed = 5,
    };
    struct vgg_train_options options = {
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
    cr_assert_eq(vgg_engine_create(&engine, &device), VGG_OK);
    cr_assert_eq(vgg_data_open(&data, images), VGG_OK);
    cr_assert_eq(vgg_model_create(&model, &network), VGG_OK);
    cr_assert_eq(vgg_train(engine, model, data, NULL, &options), VGG_OK);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
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
