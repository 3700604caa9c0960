/* Layers' names, without files: taking tensors' names apart, order, renaming, architectures, what is missing. */
#include "core/weights/names.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

static struct vgg_weights *make_weights(enum vgg_weights_naming naming)
{
    struct vgg_weights *weights = calloc(1, sizeof *weights);
    cr_assert_not_null(weights);
    weights->path = vgg_mem_strdup("x");
    weights->naming = naming;
    return weights;
}

/* A kernel (in, out), or (3, 3, in, out) of a convolution. */
static void add_kernel(struct vgg_weights *weights, const char *layer, int rank, uint64_t in, uint64_t out)
{
    char name[] = "k";
    struct vgg_weights_tensor tensor = { .name = name, .rank = rank, .shape = { 3, 3, in, out } };
    if (rank == 2) tensor.shape[0] = in, tensor.shape[1] = out;
    cr_assert_eq(vgg_weights_add(weights, layer, false, &tensor), VGG_OK);
}

/* The layers' names with blanks between. */
static const char *listed(const struct vgg_weights *weights)
{
    static char text[2048];
    *text = '\0';
    for (size_t i = 0; i < weights->count; i++) {
        if (i) strcat(text, " ");
        strcat(text, weights->entry[i].name);
    }
    return text;
}

Test(weights_names, tensors_taken_apart)
{
    static const struct {
        const char *tensor, *layer;
        bool bias, old;
    } cases[] = {
        { "block1_conv1/kernel:0", "block1_conv1", false, false },
        { "block1_conv1/bias", "block1_conv1", true, false },
        { "vgg16/block1_conv1/bias:0", "block1_conv1", true, false },
        { "a/b/dense_3/kernel", "dense_3", false, false },
        { "block1_conv1_2/kernel:0", "block1_conv1", false, false },
        { "fc1_1/bias_1:0", "fc1", true, false },
        { "dense_7/kernel_12", "dense_7", false, false },
        { "kernel", "", false, false },
        { "bias_3:0", "", true, false },
        { "block2_conv1_W_1:0", "block2_conv1", false, true },
        { "block2_conv1_b", "block2_conv1", true, true },
        { "model/dense_2_b_1:12", "dense_2", true, true },
        { "x_W", "x", false, true },
        { "_W", NULL, false, false },
        { "_W_1", NULL, false, false },
        { "block1_conv1/gamma:0", NULL, false, false },
        { "block1_conv1/kernel:a", NULL, false, false },
        { "block1_conv1/kernels", NULL, false, false },
        { "block1_conv1/kernel_", NULL, false, false },
        { "kernel/x", NULL, false, false },
        { "x_w", NULL, false, false },
        { "", NULL, false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char layer[VGG_WEIGHTS_NAME];
        bool bias = !cases[i].bias, old = !cases[i].old;
        memset(layer, 'z', sizeof layer);
        bool found = vgg_weights_names_split(cases[i].tensor, layer, &bias, &old);
        cr_assert_eq(found, cases[i].layer != NULL, "%s", cases[i].tensor);
        if (!found) continue;
        cr_expect_str_eq(layer, cases[i].layer, "%s: %.20s", cases[i].tensor, layer);
        cr_expect(bias == cases[i].bias && old == cases[i].old, "%s", cases[i].tensor);
    }
}

/* Names that do not fit are cut or refused, and nothing beyond is written. */
Test(weights_names, long_names)
{
    char tensor[2 * VGG_WEIGHTS_NAME + 64];
    struct {
        char layer[VGG_WEIGHTS_NAME], guard[8];
    } room;
    bool bias, old;
    for (int n = VGG_WEIGHTS_NAME - 2; n < 2 * VGG_WEIGHTS_NAME + 20; n++) {
        for (int kind = 0; kind < 2; kind++) {
            memset(&room, 'z', sizeof room);
            memset(tensor, 'a', sizeof tensor);
            strcpy(tensor + n, kind ? "_W" : "/bias");
            bool whole = strlen(tensor) < 2 * VGG_WEIGHTS_NAME && (!kind || n < VGG_WEIGHTS_NAME);
            cr_expect_eq(vgg_weights_names_split(tensor, room.layer, &bias, &old), whole, "%d of kind %d", n, kind);
            if (whole) cr_expect_eq((int)strlen(room.layer), n < VGG_WEIGHTS_NAME ? n : VGG_WEIGHTS_NAME - 1);
            cr_expect_eq(memcmp(room.guard, "zzzzzzzz", 8), 0);
        }
    }
}

Test(weights_names, batch_normalisation)
{
    static const char *const are[] = { "bn/gamma:0", "gamma", "a/b/moving_mean", "x/running_mean_1" };
    static const char *const not [] = { "bn/beta", "gam", "x/kernel", "gamma/kernel", "", "moving_variance" };
    for (size_t i = 0; i < sizeof are / sizeof *are; i++)
        cr_expect(vgg_weights_names_norm(are[i]), "%s", are[i]);
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        cr_expect_not(vgg_weights_names_norm(not [i]), "%s", not [i]);
}

Test(weights_names, order_by_numbers)
{
    static const char *const sorted[] = { "",          "10",      "11a",   "a",         "a1b2",     "a1b10",
                                          "a2",        "a10",     "a10b",  "conv2d",    "conv2d_1", "conv2d_2",
                                          "conv2d_10", "conv10d", "dense", "dense_01x", "dense_2",  "\xC3\xA9" };
    int n = sizeof sorted / sizeof *sorted;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            int order = vgg_weights_names_order(sorted[i], sorted[j]);
            cr_expect_eq((order > 0) - (order < 0), (i > j) - (i < j), "%s and %s: %d", sorted[i], sorted[j], order);
        }
    }
}

/* ---- settling ---- */

/* Numbered convolutions are those of the network that has so many. */
Test(weights_names, numbered_convolutions)
{
    static const struct {
        int count;
        const char *arch, *first, *last;
    } cases[] = {
        { 8, "vgg11", "block1_conv1", "block5_conv2" },  { 10, "vgg13", "block1_conv1", "block5_conv2" },
        { 13, "vgg16", "block1_conv1", "block5_conv3" }, { 16, "vgg19", "block1_conv1", "block5_conv4" },
        { 12, "vgg16", "block1_conv1", "block5_conv2" }, { 14, NULL, NULL, NULL },
        { 1, NULL, "block1_conv1", "block1_conv1" },     { 17, NULL, "conv2d", "conv2d_16" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int first = 0; first < 2; first++) { /* numbers from 0, or going on from another model in the session */
            if (!cases[i].first) continue;
            struct vgg_weights *weights = make_weights(VGG_NAMING_KERAS_3);
            for (int k = cases[i].count; k-- > 0;) { /* not in their order */
                char name[32];
                int number = first ? k + 95 : k;
                snprintf(name, sizeof name, number ? "conv2d_%d" : "conv2d", number);
                add_kernel(weights, name, 4, (uint64_t)k + 3, (uint64_t)k + 4);
            }
            bool renamed = strncmp(cases[i].first, "block", 5) == 0;
            cr_assert_eq(vgg_weights_names_settle(weights), VGG_OK);
            cr_expect_eq(weights->automatic, renamed);
            size_t last = weights->count - 1;
            if (renamed || !first) cr_expect_str_eq(weights->entry[0].name, cases[i].first);
            if (renamed || !first)
                cr_expect_str_eq(weights->entry[last].name, cases[i].last, "%d: %s", cases[i].count, listed(weights));
            for (size_t k = 0; k <= last; k++)
                cr_expect_eq(weights->entry[k].kernel.shape[2], k + 3, "%d convolutions, %zu", cases[i].count, k);
            if (cases[i].arch) cr_expect_str_eq(weights->arch, cases[i].arch);
            if (!cases[i].arch) cr_expect_null(weights->arch);
            vgg_weights_close(weights);
        }
    }
}

/* What keeps convolutions from being renamed. */
Test(weights_names, convolutions_that_stay)
{
    static const struct {
        const char *name[3];
        int in[3]; /* 0: a dense layer */
        const char *after;
    } cases[] = {
        { { "conv2d", "conv2d_1", "conv2d_2" }, { 3, 4, 5 }, "block1_conv1 block1_conv2 block2_conv1" },
        { { "conv2d_0", "conv2d_1", "conv2d_2" }, { 3, 4, 5 }, "block1_conv1 block1_conv2 block2_conv1" },
        { { "conv2d", "conv2d_1", "conv2d_2" }, { 3, 5, 6 }, "conv2d conv2d_1 conv2d_2" }, /* they do not chain */
        { { "conv2d", "conv2d_1", "conv2d_2" }, { 3, 4, 6 }, "conv2d conv2d_1 conv2d_2" },
        { { "conv2d", "conv2d_1", "conv2d_x" }, { 3, 4, 5 }, "conv2d conv2d_1 conv2d_x" },
        { { "conv2d", "conv2d_1", "conv2dx" }, { 3, 4, 5 }, "conv2d conv2d_1 conv2dx" },
        { { "conv2d", "conv2d_1", "conv2d_" }, { 3, 4, 5 }, "conv2d conv2d_ conv2d_1" },
        { { "conv2d", "conv2d_1", "conv2d_2a" }, { 3, 4, 5 }, "conv2d conv2d_1 conv2d_2a" },
        { { "conv2d", "conv2d_1", "conv2d_99999" }, { 3, 4, 5 }, "block1_conv1 block1_conv2 block2_conv1" },
        { { "conv2d", "conv2d_1", "conv2d_100000" }, { 3, 4, 5 }, "conv2d conv2d_1 conv2d_100000" },
        { { "conv2d", "conv2d_1", "fc1" }, { 3, 4, 0 }, "fc1 conv2d conv2d_1" }, /* one has a name of the network */
        { { "block3_conv1", "conv2d", "conv2d_1" }, { 3, 3, 4 }, "block3_conv1 conv2d conv2d_1" },
        { { "conv2d", "dense_4", "other" }, { 3, 0, 0 }, "block1_conv1 dense_4 other" },
        { { "dense_4", "other", "x" }, { 0, 0, 0 }, "dense_4 other x" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_weights *weights = make_weights(VGG_NAMING_KERAS);
        for (int k = 0; k < 3; k++) {
            int in = cases[i].in[k];
            add_kernel(weights, cases[i].name[k], in ? 4 : 2, in ? (uint64_t)in : 7, in ? (uint64_t)in + 1 : 5);
        }
        cr_assert_eq(vgg_weights_names_settle(weights), VGG_OK);
        cr_expect_str_eq(listed(weights), cases[i].after, "%zu: %s", i, listed(weights));
        vgg_weights_close(weights);
    }
}

/* Dense layers that count from 0: the top of ImageNet, or a head's. */
Test(weights_names, numbered_dense_layers)
{
    static const struct {
        bool conv;
        const char *name[4];
        int out[4];
        const char *after;
    } cases[] = {
        { true, { "dense", "dense_1", "dense_2" }, { 4096, 4096, 10 }, "fc1 fc2 predictions" },
        { false, { "dense", "dense_1", "dense_2" }, { 4096, 4096, 10 }, "dense_1 dense_2 dense_3" },
        { true, { "dense", "dense_1", "dense_2" }, { 4096, 4095, 10 }, "dense_1 dense_2 dense_3" },
        { true, { "dense", "dense_1", "dense_2" }, { 256, 4096, 10 }, "dense_1 dense_2 dense_3" },
        { true, { "dense", "dense_1" }, { 4096, 4096 }, "dense_1 dense_2" },
        { true,
          { "dense", "dense_1", "dense_2", "dense_3" },
          { 4096, 4096, 10, 2 },
          "dense_1 dense_2 dense_3 dense_4" },
        { true, { "dense", "dense_1", "dense_3" }, { 4096, 4096, 10 }, "fc1 fc2 dense_4" },
        { true, { "dense_1", "dense_2", "dense_3" }, { 4096, 4096, 10 }, "dense_1 dense_2 dense_3" },
        { true, { "dense", "dense_12", "other" }, { 8, 4, 2 }, "dense_1 dense_13 other" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_weights *weights = make_weights(VGG_NAMING_KERAS);
        char wanted[256];
        if (cases[i].conv) add_kernel(weights, "conv2d", 4, 3, 64);
        for (int k = 0; k < 4 && cases[i].name[k]; k++)
            add_kernel(weights, cases[i].name[k], 2, 7, (uint64_t)cases[i].out[k]);
        cr_assert_eq(vgg_weights_names_settle(weights), VGG_OK);
        snprintf(wanted, sizeof wanted, "%s%s", cases[i].conv ? "block1_conv1 " : "", cases[i].after);
        cr_expect_str_eq(listed(weights), wanted, "%zu: %s", i, listed(weights));
        vgg_weights_close(weights);
    }
}

/* A network's order, whatever the file's; what is no layer of a network comes behind, as it came. */
Test(weights_names, network_order)
{
    static const char *const names[] = { "z",   "predictions",  "block2_conv1", "a", "fc2", "block10_conv1",
                                         "fc1", "block1_conv2", "block1_conv1" };
    struct vgg_weights *weights = make_weights(VGG_NAMING_TORCHVISION);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add_kernel(weights, names[i], 2, 4, 4);
    cr_assert_eq(vgg_weights_names_settle(weights), VGG_OK);
    cr_expect_str_eq(listed(weights), "block1_conv1 block1_conv2 block2_conv1 fc1 fc2 predictions z a block10_conv1",
                     "%s", listed(weights));
    vgg_weights_close(weights);
}

/* Which network it is, by its deepest block that is known to be whole. */
Test(weights_names, architecture)
{
    static const struct {
        int convs[5]; /* of each block */
        const char *key, *word, *arch;
    } cases[] = {
        { { 1 }, NULL, NULL, NULL },
        { { 2 }, NULL, NULL, NULL },
        { { 1, 1 }, NULL, NULL, "vgg11" },
        { { 1, 2 }, NULL, NULL, "vgg11" },
        { { 1, 1, 2, 2, 2 }, NULL, NULL, "vgg11" },
        { { 1, 0, 2 }, NULL, NULL, NULL },
        { { 2, 1 }, NULL, NULL, NULL },
        { { 2, 2, 2 }, NULL, NULL, NULL },
        { { 2, 2, 3 }, NULL, NULL, NULL },
        { { 2, 2, 4 }, NULL, NULL, "vgg19" },
        { { 0, 0, 0, 4 }, NULL, NULL, "vgg19" },
        { { 0, 4 }, NULL, NULL, NULL },
        { { 2, 2, 2, 1 }, NULL, NULL, "vgg13" },
        { { 2, 2, 3, 1 }, NULL, NULL, "vgg16" },
        { { 2, 2, 0, 3 }, NULL, NULL, NULL },
        { { 2, 2, 2, 2, 2 }, NULL, NULL, "vgg13" },
        { { 2, 2, 3, 3, 3 }, NULL, NULL, "vgg16" },
        { { 0, 0, 0, 0, 1 }, NULL, NULL, "vgg13" },
        { { 0, 0, 0, 0, 3 }, NULL, NULL, "vgg16" },
        { { 2, 2, 4, 4, 4 }, NULL, NULL, "vgg19" },
        { { 2, 2, 3, 3, 3 }, "arch", "vgg19", "vgg19" },
        { { 2, 2, 3, 3, 3 }, "architecture", "vgg11", "vgg11" },
        { { 2, 2, 3, 3, 3 }, "arch", "resnet", "vgg16" },
        { { 0 }, "arch", "vgg13", "vgg13" },
        { { 0 }, NULL, NULL, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_weights *weights = make_weights(VGG_NAMING_KERAS);
        for (int block = 0; block < 5; block++) {
            for (int k = 0; k < cases[i].convs[block]; k++) {
                char name[VGG_WEIGHTS_NAME];
                snprintf(name, sizeof name, "block%d_conv%d", block + 1, k + 1);
                add_kernel(weights, name, 4, 3, 3);
            }
        }
        if (cases[i].key) cr_assert_eq(vgg_weights_add_meta(weights, cases[i].key, cases[i].word), VGG_OK);
        cr_assert_eq(vgg_weights_names_settle(weights), VGG_OK);
        if (cases[i].arch) cr_expect_str_eq(weights->arch ? weights->arch : "none", cases[i].arch, "%zu", i);
        if (!cases[i].arch) cr_expect_null(weights->arch, "%zu: %s", i, weights->arch);
        vgg_weights_close(weights);
    }
}

/* ---- what is missing ---- */

Test(weights_names, missing)
{
    static const struct {
        enum vgg_weights_naming naming;
        const char *numbers;
        bool automatic;
        const char *layer;
        bool bias;
        const char *name;
    } cases[] = {
        { VGG_NAMING_KERAS, NULL, false, "fc1", false, "fc1/kernel" },
        { VGG_NAMING_KERAS_H5, NULL, false, "fc1", true, "fc1/bias:0" },
        { VGG_NAMING_KERAS_OLD, NULL, false, "fc1", false, "fc1_W_1:0" },
        { VGG_NAMING_KERAS_OLD, NULL, false, "fc1", true, "fc1_b_1:0" },
        { VGG_NAMING_KERAS_3, NULL, false, "fc1", true, "layers/fc1/vars/1" },
        { VGG_NAMING_KERAS_3, NULL, false, "block1_conv1", false, "layers/block1_conv1/vars/0" },
        { VGG_NAMING_KERAS_3, NULL, true, "block1_conv1", false, "layers/conv2d/vars/0" },
        { VGG_NAMING_KERAS_3, NULL, true, "block1_conv2", true, "layers/conv2d_1/vars/1" },
        { VGG_NAMING_KERAS_3, NULL, true, "block5_conv3", false, "layers/conv2d_12/vars/0" },
        { VGG_NAMING_KERAS_3, NULL, true, "fc2", false, "layers/fc2/vars/0" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "block1_conv1", false, "features.0.weight" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "block1_conv2", true, "features.2.bias" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "block2_conv1", false, "features.5.weight" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "block5_conv3", false, "features.28.weight" },
        { VGG_NAMING_TORCHVISION, "vgg11", false, "block5_conv2", false, "features.18.weight" },
        { VGG_NAMING_TORCHVISION, "vgg19", false, "block5_conv4", false, "features.34.weight" },
        { VGG_NAMING_TORCHVISION, "vgg11", false, "block1_conv2", false, "weight of layer block1_conv2" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "fc1", false, "classifier.0.weight" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "predictions", true, "classifier.6.bias" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "dense_1", false, "classifier.0.weight" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "dense_12", false, "classifier.33.weight" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "dense_999", false, "classifier.2994.weight" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "dense_1000", false, "weight of layer dense_1000" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "dense_1x", false, "weight of layer dense_1x" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "dense_x", false, "weight of layer dense_x" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "dense_0", false, "weight of layer dense_0" },
        { VGG_NAMING_TORCHVISION, "vgg16", false, "other", true, "bias of layer other" },
        { VGG_NAMING_TIMM, "vgg16", false, "fc1", false, "pre_logits.fc1.weight" },
        { VGG_NAMING_TIMM, "vgg16", false, "fc2", true, "pre_logits.fc2.bias" },
        { VGG_NAMING_TIMM, "vgg16", false, "predictions", false, "head.fc.weight" },
        { VGG_NAMING_TIMM, "vgg16", false, "dense_2", false, "classifier.3.weight" },
        { VGG_NAMING_TIMM, "vgg16", false, "block1_conv1", false, "features.0.weight" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[VGG_WEIGHTS_NAME];
        struct vgg_weights weights = { .naming = cases[i].naming,
                                       .numbers = cases[i].numbers,
                                       .automatic = cases[i].automatic };
        vgg_weights_names_missing(&weights, cases[i].layer, cases[i].bias, name);
        cr_expect_str_eq(name, cases[i].name, "%zu: %s, not %s", i, name, cases[i].name);
    }
}

Test(weights_names, architectures_and_convolutions)
{
    static const char *const order[] = { "vgg16", "vgg19", "vgg13", "vgg11" };
    static const int counts[] = { 13, 16, 10, 8 };
    char name[VGG_WEIGHTS_NAME];
    int number;
    cr_expect_null(vgg_weights_names_arch(-1));
    cr_expect_null(vgg_weights_names_arch(4));
    for (int i = 0; i < 4; i++) {
        cr_expect_str_eq(vgg_weights_names_arch(i), order[i]);
        cr_expect(vgg_weights_names_conv(order[i], counts[i] - 1, name, &number));
        cr_expect_not(vgg_weights_names_conv(order[i], counts[i], name, &number));
    }
    cr_expect_not(vgg_weights_names_conv("vgg12", 0, name, &number));
    cr_expect(vgg_weights_names_known("block5_conv4") && vgg_weights_names_known("fc2"));
    cr_expect(!vgg_weights_names_known("block6_conv1") && !vgg_weights_names_known("dense_1"));
}
