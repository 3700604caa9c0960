/* Ten training steps of every optimiser against PyTorch in double precision (golden file by
 * reference/golden_trajectory.py), on every backend found (plain C: only with weight decay, unless VGG16_TEST_ALL is
 * set): parameters within 1e-4 of each tensor's scale and
 * updates within 1e-4 of each tensor's update. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/harness.h"

enum { BATCH = 4, SIZE = 32, CLASSES = 5, STEPS = 10 };

static const double PARAMETER_BOUND = 1e-4, UPDATE_BOUND = 1e-4;
static const uint64_t SEED = 0x123456789ABCDEF;

/* Compares all tensors after `step` steps; `tag` names the trajectory in the golden file. */
static double check(struct harness *harness, const struct vgg_arch *arch, const struct harness_golden *golden,
                    const char *tag, int step)
{
    double worst = 0;
    for (int i = 0; i < arch->count; i++) {
        const struct vgg_layer *layer = &arch->layer[i];
        if (layer->kernel.n == 0) continue;
        for (int bias = 0; bias < 2; bias++) {
            const struct vgg_view *view = bias ? &layer->bias : &layer->kernel;
            float *values = harness_fetch(harness, view);
            char name[64];
            snprintf(name, sizeof name, "%s/%d/%s/%s", tag, step, layer->name, bias ? "bias" : "kernel");
            worst = fmax(worst,
                         harness_compare(golden, name, values, vgg_view_count(view), PARAMETER_BOUND, harness->name));
            free(values);
        }
    }
    return worst;
}

/* The update since the start, as the root of its mean square, against the golden file's samples: each tensor's. */
static double check_update(struct harness *harness, const struct vgg_arch *arch, const struct harness_golden *golden,
                           const char *tag, int step)
{
    double worst = 0;
    for (int i = 0; i < arch->count; i++) {
        const struct vgg_layer *layer = &arch->layer[i];
        if (layer->kernel.n == 0) continue;
        size_t count = vgg_view_count(&layer->kernel);
        float *values = harness_fetch(harness, &layer->kernel), *start = malloc(count * sizeof *start);
        harness_fill(start, count, 2 * (uint32_t)i, sqrt(6.0 / ((double)count / layer->kernel.c)));
        char name[64];
        snprintf(name, sizeof name, "%s/%d/%s/kernel", tag, step, layer->name);
        size_t at[HARNESS_SAMPLES];
        const double *want = harness_golden_samples(golden, name, at);
        double error = 0, update = 0;
        for (int s = 0; s < HARNESS_SAMPLES; s++) {
            error += (values[at[s]] - want[s]) * (values[at[s]] - want[s]);
            update += (start[at[s]] - want[s]) * (start[at[s]] - want[s]);
        }
        cr_assert_gt(update, 0, "%s: %s did not move", harness->name, name);
        double relative = sqrt(error / update);
        cr_assert_leq(relative, UPDATE_BOUND, "%s: the update of %s is off by %g", harness->name, name, relative);
        worst = fmax(worst, relative);
        free(values);
        free(start);
    }
    return worst;
}

/* spec: what differs from one trajectory to the next. */
static void trajectory_of(const char *tag, struct vgg_plan_spec spec, float rate, const char *head)
{
    const struct vgg_hyper hyper = spec.hyper;
    const enum vgg_optimizer optimizer = spec.optimizer;
    struct harness_golden *golden = harness_golden_open("golden/trajectory.gold");
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg11", SIZE, SIZE, "block2_pool"), VGG_OK);
    cr_assert_eq(vgg_arch_head(&arch, head), VGG_OK);
    spec.arch = &arch;
    spec.batch = BATCH;
    spec.last = arch.count;
    spec.loss = true;
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++) {
        bool same_formula = hyper.weight_decay == 0.0f && !strstr(head, "dropout"); /* as with decay, which is 0 here */
        if (target[t].scalar && same_formula && !getenv("VGG16_TEST_ALL")) continue;
        /* These rules divide a gradient by its own size: where the exact one is 0, rounding alone decides. */
        bool scale_free =
            optimizer != VGG_OPTIMIZER_SGD && (optimizer == VGG_OPTIMIZER_ADAMW || hyper.weight_decay == 0.0f);
        if (target[t].winograd && scale_free) {
            if (strcmp(target[t].backend, "cpu") == 0) continue; /* "direct" is a target of its own */
            snprintf(target[t].conv, sizeof target[t].conv, "direct");
        }
        struct harness harness;
        harness_open(&harness, &target[t]);
        harness_plan(&harness, &spec);
        float weight[BATCH] = { 1, 1, 1, 1 }, label[BATCH];
        float *image = malloc(sizeof(float[BATCH][SIZE][SIZE][3]));
        double parameter = 0, update = 0;
        for (int s = 0; s < STEPS; s++) {
            harness_image(image, 1 + (uint32_t)s, BATCH, SIZE, SIZE);
            for (int i = 0; i < BATCH; i++)
                label[i] = (float)((3 * s + 2 * i) % CLASSES);
            harness_put(&harness, &harness.plan->input, image);
            harness_put(&harness, &harness.plan->targets, label);
            harness_put(&harness, &harness.plan->weights, weight);
            struct vgg_step step = {
                .seed = SEED, .step = (uint64_t)s, .loss_scale = 1.0f / BATCH, .learning_rate = rate
            };
            harness_plan_run(&harness, 0, harness.plan->forward + harness.plan->backward + harness.plan->update, &step);
            if (s != 0 && s != 2 && s != STEPS - 1) continue;
            parameter = fmax(parameter, check(&harness, &arch, golden, tag, s + 1));
            update = fmax(update, check_update(&harness, &arch, golden, tag, s + 1));
        }
        printf("%s: %s: parameters %.1e, updates %.1e\n", target[t].name, tag, parameter, update);
        free(image);
        harness_close(&harness);
    }
    harness_golden_close(golden);
}

static void trajectory(const char *tag, enum vgg_optimizer optimizer, bool nesterov, struct vgg_hyper hyper, float rate,
                       const char *head)
{
    trajectory_of(tag, (struct vgg_plan_spec) { .optimizer = optimizer, .nesterov = nesterov, .hyper = hyper }, rate,
                  head);
}

/* Both trajectories of one optimiser: without and with weight decay. */
static void both(const char *tag, enum vgg_optimizer optimizer, bool nesterov, struct vgg_hyper hyper, float rate)
{
    static const char HEAD[] = "flatten,dense:24:relu,dense:5:softmax";
    char decay[32];
    snprintf(decay, sizeof decay, "%s_decay", tag);
    trajectory(tag, optimizer, nesterov, hyper, rate, HEAD);
    hyper.weight_decay = 0.05f;
    trajectory(decay, optimizer, nesterov, hyper, rate, HEAD);
}

Test(trajectory, sgd)
{
    both("sgd", VGG_OPTIMIZER_SGD, false, (struct vgg_hyper) { 0 }, 0.01f);
}

Test(trajectory, momentum)
{
    both("momentum", VGG_OPTIMIZER_SGD, false, (struct vgg_hyper) { .momentum = 0.9f }, 0.01f);
}

Test(trajectory, nesterov)
{
    both("nesterov", VGG_OPTIMIZER_SGD, true, (struct vgg_hyper) { .momentum = 0.9f }, 0.005f);
}

Test(trajectory, rmsprop)
{
    both("rmsprop", VGG_OPTIMIZER_RMSPROP, false, (struct vgg_hyper) { .rho = 0.9f, .epsilon = 1e-7f }, 1e-3f);
}

Test(trajectory, adam)
{
    struct vgg_hyper hyper = { .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f };
    both("adam", VGG_OPTIMIZER_ADAM, false, hyper, 1e-3f);
}

Test(trajectory, adamw)
{
    struct vgg_hyper hyper = { .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f };
    both("adamw", VGG_OPTIMIZER_ADAMW, false, hyper, 1e-3f);
}

/* The script makes the masks with its own Philox generator. */
Test(trajectory, dropout)
{
    trajectory("sgd_dropout", VGG_OPTIMIZER_SGD, false, (struct vgg_hyper) { 0 }, 0.01f,
               "flatten,dense:24:relu,dropout:0.25,dense:5:softmax");
}

/* Smoothed labels, a limit of the gradients' norm that some steps exceed, a lower learning rate of the first block. */
Test(trajectory, tuned)
{
    static const char HEAD[] = "flatten,dense:24:relu,dense:5:softmax";
    struct vgg_plan_spec spec = { .optimizer = VGG_OPTIMIZER_SGD,
                                  .hyper = { .momentum = 0.9f, .weight_decay = 0.05f },
                                  .smoothing = 0.15f,
                                  .clip = 40,
                                  .lr_decay = 0.6f };
    trajectory_of("tuned", spec, 0.01f, HEAD);
    spec.optimizer = VGG_OPTIMIZER_ADAMW;
    spec.hyper = (struct vgg_hyper) { .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f, .weight_decay = 0.05f };
    trajectory_of("tuned_adamw", spec, 1e-3f, HEAD);
}
