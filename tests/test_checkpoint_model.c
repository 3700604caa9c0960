/* Checkpoints as models and weights: what one holds is what the training would have written after that epoch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data_files.h"

#include "core/format/safetensors.h"
#include "core/model/model.h"
#include "core/weights/checkpoint.h"
#include "tests/tiny_train.h"

TestSuite(checkpoint_model, .init = tiny_init, .fini = tiny_finish, .timeout = 120);

enum { EPOCHS = 4, STEPS = 3 };

static struct vgg_engine *engine;
static struct vgg_data *items, *held;
static char folder[128];
static struct vgg_model *seen[EPOCHS + 1];

static void open_all(void)
{
    capture_log();
    engine = tiny_engine();
    items = tiny_open(&tiny_items);
    held = tiny_open(&tiny_held);
    snprintf(folder, sizeof folder, "%s/kept", tiny_folder);
}

static void close_all(void)
{
    vgg_data_destroy(items);
    vgg_data_destroy(held);
    vgg_engine_destroy(engine);
}

/* Four convolutions, so that a range may begin inside of the base. */
static struct vgg_model *new_model(void)
{
    struct vgg_model *model;
    const struct vgg_model_options options = {
        .arch = "vgg11",
        .weights = "random",
        .last = "block3_pool",
        .head = "gap,dense:5:relu,dropout:0.3,dense:4:softmax",
        .height = TINY_SIZE,
        .width = TINY_SIZE,
        .seed = 6,
    };
    cr_assert_eq(vgg_model_create(&model, &options), VGG_OK);
    cr_assert_eq(vgg_model_set_class_names(model, tiny_model_names, TINY_CLASSES), VGG_OK);
    return model;
}

/* Also those in a file that another made. */
Test(checkpoint_model, class_names_can_be_shown)
{
    static const char *const names[TINY_CLASSES] = { "a\nb", "\x1B[2J", "caf\xE9", "caf\xC3\xA9" },
                             *const shown[TINY_CLASSES] = { "a\\nb", "\\x1B[2J", "caf\\xE9", "caf\xC3\xA9" };
    struct vgg_model *model = new_model();
    cr_assert_eq(vgg_model_set_class_names(model, names, TINY_CLASSES), VGG_OK);
    for (int i = 0; i < TINY_CLASSES; i++)
        cr_expect_str_eq(vgg_model_class_name(model, i), shown[i]);
    vgg_model_destroy(model);
}

static struct vgg_train_options new_options(const char *trainable)
{
    return (struct vgg_train_options) { .trainable = trainable,
                                        .augment = { .flip = true },
                                        .optimizer = VGG_OPTIMIZER_SGD,
                                        .learning_rate = 0.05f,
                                        .momentum = 0.6f,
                                        .epochs = EPOCHS,
                                        .steps_per_epoch = STEPS,
                                        .batch = 5,
                                        .images = { .resize = VGG_RESIZE_BILINEAR },
                                        .seed = 9 };
}

static void load_newest(void *user, const struct vgg_epoch *epoch)
{
    (void)user;
    cr_assert_eq(vgg_model_load(&seen[epoch->epoch], folder), VGG_OK, "%s", logged);
}

static void same_model(const struct vgg_model *got, const struct vgg_model *want)
{
    cr_assert_eq(got->arch.param_size, want->arch.param_size);
    for (int i = 0; i < want->arch.count; i++) {
        const struct vgg_layer *layer = &want->arch.layer[i];
        size_t kernel = layer->kernel.offset / sizeof(float), bias = layer->bias.offset / sizeof(float);
        cr_assert_str_eq(got->arch.layer[i].name, layer->name);
        if (layer->kernel.n == 0) continue;
        cr_assert_eq(memcmp(got->params + kernel, want->params + kernel, vgg_view_count(&layer->kernel) * 4), 0, "%s",
                     layer->name);
        cr_assert_eq(memcmp(got->params + bias, want->params + bias, vgg_view_count(&layer->bias) * 4), 0, "%s",
                     layer->name);
    }
    cr_assert_str_eq(got->head, want->head);
    cr_assert_eq(got->preprocess, want->preprocess);
    cr_assert_eq(got->resize, want->resize);
    cr_assert_eq(got->crop, want->crop);
    cr_assert_eq(got->shard, want->shard);
    cr_assert_eq(got->epoch, want->epoch, "epoch %d, not %d", got->epoch, want->epoch);
    for (int k = 0; k < TINY_CLASSES; k++)
        cr_assert_str_eq(vgg_model_class_name(got, k), vgg_model_class_name(want, k));
}

/* The checkpoint of each epoch is the model of a training of so many epochs. */
static void at_each_epoch(struct vgg_train_options o)
{
    open_all();
    struct vgg_model *model = new_model();
    o.checkpoint = folder;
    o.on_epoch = load_newest;
    cr_assert_eq(vgg_train(engine, model, items, held, &o), VGG_OK);
    same_model(seen[EPOCHS], model);
    vgg_model_destroy(model);
    o.checkpoint = NULL, o.on_epoch = NULL;
    for (int k = 1; k <= EPOCHS; k++) {
        model = new_model();
        o.epochs = k;
        cr_assert_eq(vgg_train(engine, model, items, held, &o), VGG_OK);
        same_model(seen[k], model);
        vgg_model_destroy(seen[k]);
        vgg_model_destroy(model);
    }
    close_all();
}

Test(checkpoint_model, of_a_head)
{
    at_each_epoch(new_options("head"));
}

Test(checkpoint_model, of_the_last_block)
{
    at_each_epoch(new_options("block3"));
}

Test(checkpoint_model, of_part_of_the_head)
{
    at_each_epoch(new_options("dense_2"));
}

Test(checkpoint_model, of_the_whole_network)
{
    at_each_epoch(new_options("all"));
}

/* Epochs become better and worse; the checkpoint keeps both, and is the model of the best. */
Test(checkpoint_model, of_the_best_epoch)
{
    struct vgg_train_options o = new_options("block3");
    o.keep = VGG_KEEP_BEST;
    o.monitor = VGG_MONITOR_VAL_ACCURACY;
    o.learning_rate = 0.3f;
    at_each_epoch(o);
}

/* ---- the folder ---- */

static int bases(char name[VGG_CHECKPOINT_NAME])
{
    char command[192];
    int count = 0;
    snprintf(command, sizeof command, "cd %s && ls | grep ^base-", folder);
    FILE *list = popen(command, "r");
    cr_assert(list);
    while (fgets(name, VGG_CHECKPOINT_NAME, list))
        count++;
    pclose(list);
    name[strcspn(name, "\n")] = '\0';
    return count;
}

/* One file of frozen layers for all checkpoints, which another training replaces and one of all layers removes. */
Test(checkpoint_model, the_frozen_layers_are_kept_once)
{
    char first[VGG_CHECKPOINT_NAME] = "", second[VGG_CHECKPOINT_NAME] = "";
    open_all();
    struct vgg_train_options o = new_options("block3");
    o.checkpoint = folder, o.epochs = 3;
    struct vgg_model *model = new_model();
    cr_assert_eq(vgg_train(engine, model, items, NULL, &o), VGG_OK);
    cr_assert_eq(bases(first), 1);
    cr_assert(vgg_checkpoint_is_base(first), "%s", first);
    vgg_model_destroy(model);
    /* What goes on from it leaves it there. */
    o.resume = true, o.epochs = 4;
    model = new_model();
    cr_assert_eq(vgg_train(engine, model, items, NULL, &o), VGG_OK);
    cr_assert_eq(bases(second), 1);
    cr_assert_str_eq(first, second);
    o.resume = false, o.overwrite = true, o.epochs = 1, o.trainable = "dense_2";
    cr_assert_eq(vgg_train(engine, model, items, NULL, &o), VGG_OK);
    cr_assert_eq(bases(second), 1);
    cr_assert_neq(strcmp(first, second), 0);
    o.trainable = "all";
    cr_assert_eq(vgg_train(engine, model, items, NULL, &o), VGG_OK);
    cr_assert_eq(bases(second), 0);
    vgg_model_destroy(model);
    close_all();
}

/* Names of one form alone are its own. */
Test(checkpoint_model, names_of_bases)
{
    char name[VGG_CHECKPOINT_NAME];
    vgg_checkpoint_base_name(name, "0123456789abcdef0123456789abcdef");
    cr_expect_str_eq(name, "base-0123456789abcdef.safetensors");
    cr_expect(vgg_checkpoint_is_base(name));
    cr_expect_not(vgg_checkpoint_is_base("base-0123456789abcdeF.safetensors"));
    cr_expect_not(vgg_checkpoint_is_base("base-0123456789abcdef0.safetensors"));
    cr_expect_not(vgg_checkpoint_is_base("base-0123456789abcdef.safetensors.tmp.1"));
    cr_expect_not(vgg_checkpoint_is_base("base.safetensors"));
}

/* ---- weights ---- */

/* As weights it has every layer, with Keras' names and shapes. */
Test(checkpoint_model, as_weights)
{
    static const char *const names[] = { "block1_conv1", "block2_conv1", "block3_conv1",
                                         "block3_conv2", "dense_1",      "dense_2" };
    struct vgg_weights *weights;
    struct vgg_train_options o = new_options("block3");
    open_all();
    struct vgg_model *model = new_model();
    o.checkpoint = folder, o.epochs = 1;
    cr_assert_eq(vgg_train(engine, model, items, NULL, &o), VGG_OK);
    cr_assert_eq(vgg_weights_open(&weights, folder), VGG_OK);
    cr_assert(strstr(logged, "checkpoint-000001-00000000.safetensors: is taken, the newest"), "%s", logged);
    cr_assert_eq(vgg_weights_count(weights), 6);
    for (int i = 0; i < 6; i++)
        cr_assert_str_eq(vgg_weights_layer(weights, (size_t)i), names[i]);
    int rank, shape[4];
    cr_assert(vgg_weights_shape(weights, "block3_conv1", &rank, shape));
    cr_assert(rank == 4 && shape[0] == 3 && shape[1] == 3 && shape[2] == 128 && shape[3] == 256);
    cr_assert(vgg_weights_shape(weights, "dense_1", &rank, shape));
    cr_assert(rank == 2 && shape[0] == 256 && shape[1] == 5);
    cr_assert_null(vgg_weights_meta(weights, "settings"));
    cr_assert_str_eq(vgg_weights_meta(weights, "arch"), "vgg11");
    vgg_weights_close(weights);
    vgg_model_destroy(model);
    close_all();
}
