/* The whole of VGG16 against PyTorch in double precision (golden files by reference/golden_network.py), on every
 * backend found: activations of all layers within 1e-4, gradients of all tensors within 1e-3 of each array's scale. The
 * plain C level runs the small sizes only, unless VGG16_TEST_ALL is set. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/harness.h"

static const double ACTIVATION_BOUND = 1e-4, GRADIENT_BOUND = 1e-3;

static bool too_slow(const struct harness_target *target, bool small)
{
    return target->scalar && !small && !getenv("VGG16_TEST_ALL");
}

static void put_image(struct harness *harness, uint32_t index, int n, int h, int w)
{
    float *image = malloc((size_t)n * (size_t)h * (size_t)w * 3 * sizeof *image);
    harness_image(image, index, n, h, w);
    harness_put(harness, &harness->plan->input, image);
    free(image);
}

static double compare(struct harness *harness, const struct harness_golden *golden, const char *name,
                      const struct vgg_view *view, double bound)
{
    float *values = harness_fetch(harness, view);
    double error = harness_compare(golden, name, values, vgg_view_count(view), bound, harness->name);
    free(values);
    return error;
}

/* All layers of one pass in which every layer's output stays readable. */
static void activations(int n, int h, int w, bool small)
{
    char path[64];
    snprintf(path, sizeof path, "golden/network_%dx%d.gold", h, w);
    struct harness_golden *golden = harness_golden_open(path);
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg16", h, w, NULL), VGG_OK);
    cr_assert_eq(arch.count, 18);
    struct vgg_plan_spec spec = {
        .arch = &arch, .batch = n, .last = arch.count, .trainable = arch.count, .keep_all = true
    };
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++) {
        if (too_slow(&target[t], small)) continue;
        struct harness harness;
        harness_open(&harness, &target[t]);
        harness_plan(&harness, &spec);
        put_image(&harness, 0, n, h, w);
        harness_plan_run(&harness, 0, harness.plan->forward, &(struct vgg_step) { 0 });
        double worst = 0;
        for (int i = 0; i < arch.count; i++) {
            double error =
                compare(&harness, golden, arch.layer[i].name, &harness.plan->activation[i], ACTIVATION_BOUND);
            if (error > worst) worst = error;
        }
        printf("%s: activations %dx%dx%d: %.1e\n", target[t].name, n, h, w, worst);
        harness_close(&harness);
    }
    harness_golden_close(golden);
}

Test(network, activations_224)
{
    activations(1, 224, 224, false);
}

Test(network, activations_150)
{
    activations(1, 150, 150, false);
}

Test(network, activations_97x131)
{
    activations(1, 97, 131, false);
}

Test(network, activations_33x47)
{
    activations(3, 33, 47, true);
}

/* The plans that extraction uses, with everything fused and memory shared, for every layer as the last. */
static void last_layers(int n, int h, int w, bool small, const char *only)
{
    char path[64];
    snprintf(path, sizeof path, "golden/network_%dx%d.gold", h, w);
    struct harness_golden *golden = harness_golden_open(path);
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg16", h, w, NULL), VGG_OK);
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++) {
        if (too_slow(&target[t], small)) continue;
        for (int last = 0; last < arch.count; last++) {
            if (only && strcmp(arch.layer[last].name, only)) continue;
            struct vgg_plan_spec spec = { .arch = &arch, .batch = n, .last = last + 1, .trainable = arch.count };
            struct harness harness;
            harness_open(&harness, &target[t]);
            harness_plan(&harness, &spec);
            put_image(&harness, 0, n, h, w);
            harness_plan_run(&harness, 0, harness.plan->forward, &(struct vgg_step) { 0 });
            compare(&harness, golden, arch.layer[last].name, &harness.plan->output, ACTIVATION_BOUND);
            harness_close(&harness);
        }
    }
    harness_golden_close(golden);
}

Test(network, every_last_layer_fused)
{
    last_layers(3, 33, 47, true, NULL);
}

Test(network, fused_150)
{
    last_layers(1, 150, 150, false, "block5_pool");
}

Test(network, fused_97x131)
{
    last_layers(1, 97, 131, false, "block5_pool");
}

/* The images avoid near ties of ReLU and max-pool, which fp32 may break the other way: see golden_network.py. */
struct gradient_case {
    const char *name, *head;
    int n, h, w;
    uint32_t image;
    float target[2], weight[2];
};

static const struct gradient_case FLATTEN = {
    "flatten", "flatten,dense:16:relu,dense:5:softmax", 2, 32, 32, 129, { 0, 4 }, { 0.5f, 2 }
};
static const struct gradient_case GAP = { "gap", "gap,dense:1:sigmoid", 1, 64, 64, 46, { 1 }, { 1 } };
static const struct gradient_case GMP = { "gmp", "gmp,dense:3:softmax", 1, 64, 64, 46, { 2 }, { 1 } };
static const struct gradient_case SEED = { "seed", "flatten,dense:256:relu,dense:1:sigmoid", 1, 150, 150, 0, { 1 },
                                           { 1 } };

/* Loss, probabilities and gradients of every tensor from `trainable` on. */
static void gradients(const struct gradient_case *c, bool keep_all, const char *trainable, double bound)
{
    char path[64];
    snprintf(path, sizeof path, "golden/gradients_%s.gold", c->name);
    struct harness_golden *golden = harness_golden_open(path);
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg16", c->h, c->w, NULL), VGG_OK);
    cr_assert_eq(vgg_arch_head(&arch, c->head), VGG_OK);
    struct vgg_plan_spec spec = {
        .arch = &arch,
        .batch = c->n,
        .last = arch.count,
        .loss = true,
        .trainable = vgg_arch_trainable(&arch, trainable),
        .keep_all = keep_all,
        .optimizer = VGG_OPTIMIZER_SGD,
    };
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++) {
        if (too_slow(&target[t], c->h < 100)) continue;
        struct harness harness;
        harness_open(&harness, &target[t]);
        harness_plan(&harness, &spec);
        put_image(&harness, c->image, c->n, c->h, c->w);
        harness_put(&harness, &harness.plan->targets, c->target);
        harness_put(&harness, &harness.plan->weights, c->weight);
        struct vgg_step step = { .loss_scale = 1.0f / (float)c->n };
        harness_plan_run(&harness, 0, harness.plan->forward + harness.plan->backward, &step);

        size_t count;
        const double *want = harness_golden_find(golden, "loss", &count);
        cr_assert_eq(count, (size_t)c->n);
        float *loss = harness_fetch(&harness, &harness.plan->loss);
        for (size_t i = 0; i < count; i++)
            cr_assert_float_eq(loss[i], want[i], 1e-4 * (1 + want[i]), "%s: loss %g, not %g", target[t].name,
                               (double)loss[i], want[i]);
        free(loss);
        want = harness_golden_find(golden, "probabilities", &count);
        cr_assert_eq(count, vgg_view_count(&harness.plan->output));
        float *probability = harness_fetch(&harness, &harness.plan->output);
        for (size_t i = 0; i < count; i++)
            cr_assert_float_eq(probability[i], want[i], 1e-4, "%s: probability %g, not %g", target[t].name,
                               (double)probability[i], want[i]);
        free(probability);

        double worst = 0;
        int compared = 0;
        for (int i = spec.trainable; i < arch.count; i++) {
            const struct vgg_layer *layer = &arch.layer[i];
            char name[64];
            if (keep_all) {
                snprintf(name, sizeof name, "%s/delta", layer->name);
                worst = fmax(worst, compare(&harness, golden, name, &harness.plan->delta[i], bound));
            }
            if (layer->kernel.n == 0) continue;
            struct vgg_view kernel = harness_grad(&harness, &layer->kernel),
                            bias = harness_grad(&harness, &layer->bias);
            snprintf(name, sizeof name, "%s/kernel", layer->name);
            worst = fmax(worst, compare(&harness, golden, name, &kernel, bound));
            snprintf(name, sizeof name, "%s/bias", layer->name);
            worst = fmax(worst, compare(&harness, golden, name, &bias, bound));
            compared += 2;
        }
        if (spec.trainable == 0) cr_assert_eq(compared, 26 + (c == &FLATTEN || c == &SEED ? 4 : 2));
        printf("%s: gradients, %s%s: %.1e\n", target[t].name, c->name, keep_all ? ", all kept" : "", worst);
        harness_close(&harness);
    }
    harness_golden_close(golden);
}

Test(network, gradients_flatten)
{
    gradients(&FLATTEN, false, "all", GRADIENT_BOUND);
}

Test(network, gradients_flatten_all_kept)
{
    gradients(&FLATTEN, true, "all", GRADIENT_BOUND);
}

Test(network, gradients_gap)
{
    gradients(&GAP, false, "all", GRADIENT_BOUND);
}

Test(network, gradients_gmp)
{
    gradients(&GMP, false, "all", GRADIENT_BOUND);
}

/* Fine-tuning as the book does it, closely; all layers with room for max-pools that tie. */
Test(network, gradients_150)
{
    gradients(&SEED, false, "block5", GRADIENT_BOUND);
    gradients(&SEED, false, "all", 5e-2);
}

/* Only what trains has a gradient, and it is the same one. */
Test(network, gradients_of_upper_layers)
{
    gradients(&FLATTEN, false, "block5", GRADIENT_BOUND);
    gradients(&FLATTEN, false, "block3_conv2", GRADIENT_BOUND);
    gradients(&FLATTEN, false, "head", GRADIENT_BOUND);
}
