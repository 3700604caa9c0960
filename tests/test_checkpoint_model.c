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

/* What a copy of a checkpoint is changed by: metadata that is another or, NULL, not there; values that are left out. */
struct change {
    const char *key, *value;
    size_t fewer;
    enum vgg_status status;
    const char *said;
};

/* Opens a copy of the checkpoint with a change, beside the file of its frozen layers. */
static enum vgg_status open_changed(const struct change *change)
{
    char path[192];
    struct vgg_st *st;
    struct vgg_st_meta meta[32];
    struct vgg_st_tensor tensors[2];
    struct vgg_weights *weights;
    size_t pairs = 0, count;
    snprintf(path, sizeof path, "%s/checkpoint-000001-00000000.safetensors", folder);
    cr_assert_eq(vgg_st_open(&st, path), VGG_OK);
    for (size_t i = 0; vgg_st_meta_at(st, i, &meta[pairs]); i++) {
        bool here = change->key && strcmp(meta[pairs].key, change->key) == 0;
        if (here) meta[pairs].value = change->value;
        pairs += !here || change->value;
        cr_assert_lt(pairs, 32u);
    }
    count = vgg_st_count(st);
    cr_assert_eq(count, 2u);
    for (size_t i = 0; i < count; i++) {
        tensors[i] = *vgg_st_at(st, i);
        tensors[i].shape[0] -= change->fewer;
        tensors[i].size -= change->fewer * sizeof(float);
    }
    snprintf(path, sizeof path, "%s/changed.safetensors", folder);
    cr_assert_eq(vgg_st_write(path, tensors, count, meta, pairs), VGG_OK);
    vgg_st_close(st);
    capture_log();
    enum vgg_status status = vgg_weights_open(&weights, path);
    cr_assert_eq(!weights, status != VGG_OK);
    vgg_weights_close(weights);
    return status;
}

/* Writes the first tensor of the frozen layers as `as`, all others as they are, under the same name. */
static void write_base(const char *name, const struct vgg_st_tensor *as)
{
    char path[224], command[600];
    struct vgg_st *st;
    struct vgg_st_tensor tensors[8];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(vgg_st_open(&st, path), VGG_OK);
    size_t count = vgg_st_count(st), changed = 0;
    cr_assert(count == 4);
    for (size_t i = 0; i < count; i++) {
        tensors[i] = *vgg_st_at(st, i);
        if (strcmp(tensors[i].name, "block2_conv1/bias") == 0) tensors[i] = *as, changed++;
    }
    cr_assert_eq(changed, 1u);
    snprintf(command, sizeof command, "cp %s %s.whole", path, path);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(vgg_st_write(path, tensors, count, NULL, 0), VGG_OK);
    vgg_st_close(st);
}

Test(checkpoint_model, damaged_ones)
{
    static const struct change changes[] = {
        { "arch", NULL, 0, VGG_ERR_UNSUPPORTED, "is a checkpoint of an older version" },
        { "head", NULL, 0, VGG_ERR_UNSUPPORTED, "is a checkpoint of an older version" },
        { "last", NULL, 0, VGG_ERR_UNSUPPORTED, "is a checkpoint of an older version" },
        { "height", NULL, 0, VGG_ERR_UNSUPPORTED, "is a checkpoint of an older version" },
        { "width", NULL, 0, VGG_ERR_UNSUPPORTED, "is a checkpoint of an older version" },
        { "first", NULL, 0, VGG_ERR_UNSUPPORTED, "is a checkpoint of an older version" },
        { "arch", "resnet", 0, VGG_ERR_ARGUMENT, "resnet" },
        { "head", "gap,dens:4", 0, VGG_ERR_ARGUMENT, "dens:4" },
        { "first", "block9_conv1", 0, VGG_ERR_FORMAT, "\"block9_conv1\" names no layer of its network" },
        { "first", "block2_pool", 0, VGG_ERR_FORMAT, "\"block2_pool\" names no layer of its network" },
        { "first", "block2_conv1", 0, VGG_ERR_FORMAT, "values of block2_conv1 and above that its network has" },
        { "head", "gap,dense:6:relu,dense:4:softmax", 0, VGG_ERR_FORMAT, "values of block3_conv1 and above" },
        { NULL, NULL, 1, VGG_ERR_FORMAT, "does not hold the 886720 values of block3_conv1 and above" },
        { "base", NULL, 0, VGG_ERR_FORMAT, "names no file of its frozen layers" },
        { "base", "../kept/base.safetensors", 0, VGG_ERR_FORMAT, "names no file of its frozen layers" },
        { "base", "base-0123456789abcdef.safetensors", 0, VGG_ERR_MISSING, "which cannot be read in its folder" },
    };
    char base[VGG_CHECKPOINT_NAME] = "", command[600];
    struct vgg_train_options o = new_options("block3");
    open_all();
    struct vgg_model *model = new_model();
    o.checkpoint = folder, o.epochs = 1;
    cr_assert_eq(vgg_train(engine, model, items, NULL, &o), VGG_OK);
    cr_assert_eq(open_changed(&(struct change) { 0 }), VGG_OK);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        EXPECT_FAILURE(open_changed(&changes[i]), changes[i].status, changes[i].said);
    cr_assert_eq(bases(base), 1);
    static float bias[128];
    static uint16_t half[128];
    const struct vgg_st_tensor bad[] = {
        { "block2_conv1/bias", VGG_DTYPE_F32, 1, { 127 }, bias, 127 * sizeof *bias },
        { "block2_conv1/bias", VGG_DTYPE_F16, 1, { 128 }, half, sizeof half },
        { "block2_conv2/bias", VGG_DTYPE_F32, 1, { 128 }, bias, sizeof bias },
        { "block2_conv1/bias", VGG_DTYPE_F32, 1, { 128 }, bias, sizeof bias }, /* of the right kind */
    };
    bias[127] = 0.5f;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_base(base, &bad[i]);
        bool right = i == 3;
        EXPECT_FAILURE(open_changed(&(struct change) { 0 }), right ? VGG_ERR_MISSING : VGG_ERR_FORMAT,
                       right ? "whose values are others than when it was written" : "block2_conv1/bias in base-");
        snprintf(command, sizeof command, "cd %s && mv %s.whole %s", folder, base, base);
        cr_assert_eq(system(command), 0);
    }
    cr_assert_eq(open_changed(&(struct change) { 0 }), VGG_OK);
    /* A training that goes on writes it anew: one bias is enough. */
    write_base(base, &bad[3]);
    o.resume = true, o.epochs = 2;
    vgg_model_destroy(model);
    model = new_model();
    cr_assert_eq(vgg_train(engine, model, items, NULL, &o), VGG_OK);
    snprintf(command, sizeof command, "cd %s && cmp %s.whole %s", folder, base, base);
    cr_expect_eq(system(command), 0);
    cr_assert_eq(open_changed(&(struct change) { 0 }), VGG_OK);
    snprintf(command, sizeof command, "%s/%s", folder, base);
    cr_assert_eq(truncate(command, 999), 0);
    EXPECT_FAILURE(open_changed(&(struct change) { 0 }), VGG_ERR_MISSING, "which is not whole");
    vgg_model_destroy(model);
    close_all();
}
