/* The VGG tables: names, shapes and parameter counts as Keras and torchvision document them, heads, and bad requests.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/arch/arch.h"
#include "core/base/mem.h"

static int log_lines;

static void count_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    if (level == VGG_LOG_ERROR && *line) log_lines++;
}

static void quiet(void)
{
    log_lines = 0;
    vgg_log_set(count_line, NULL, VGG_LOG_ERROR);
}

static size_t parameters(const struct vgg_arch *arch, int first, int last)
{
    size_t count = 0;
    for (int i = first; i < last; i++)
        count += vgg_view_count(&arch->layer[i].kernel) + vgg_view_count(&arch->layer[i].bias);
    return count;
}

/* Sources: keras.applications.vgg16 and vgg19 (model summaries); torchvision.models.vgg (num_params of the weights). */
Test(arch, parameter_counts)
{
    static const struct {
        const char *name;
        size_t base, top;
    } want[] = { { "vgg11", 9220480, 132863336 },
                 { "vgg13", 9404992, 133047848 },
                 { "vgg16", 14714688, 138357544 },
                 { "vgg19", 20024384, 143667240 } };
    for (size_t i = 0; i < 4; i++) {
        struct vgg_arch arch;
        cr_assert_eq(vgg_arch_base(&arch, want[i].name, 224, 224, NULL), VGG_OK);
        cr_assert_str_eq(arch.name, want[i].name);
        cr_expect_eq(arch.base, arch.count);
        cr_expect_eq(parameters(&arch, 0, arch.count), want[i].base, "%s", want[i].name);
        cr_assert_eq(vgg_arch_head(&arch, "top"), VGG_OK);
        cr_expect_eq(parameters(&arch, 0, arch.count), want[i].top, "%s", want[i].name);
        cr_expect_eq(vgg_arch_classes(&arch), 1000);
        cr_expect_str_eq(arch.layer[arch.count - 3].name, "fc1");
        cr_expect_str_eq(arch.layer[arch.count - 1].name, "predictions");
    }
}

Test(arch, layers_of_vgg16)
{
    static const char *const want[] = { "block1_conv1", "block1_conv2", "block1_pool",  "block2_conv1", "block2_conv2",
                                        "block2_pool",  "block3_conv1", "block3_conv2", "block3_conv3", "block3_pool",
                                        "block4_conv1", "block4_conv2", "block4_conv3", "block4_pool",  "block5_conv1",
                                        "block5_conv2", "block5_conv3", "block5_pool" };
    static const int channels[] = { 64,  64,  64,  128, 128, 128, 256, 256, 256,
                                    256, 512, 512, 512, 512, 512, 512, 512, 512 };
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg16", 224, 224, NULL), VGG_OK);
    cr_assert_eq(arch.count, 18);
    int size = 224, cin = 3;
    for (int i = 0; i < arch.count; i++) {
        const struct vgg_layer *layer = &arch.layer[i];
        bool pool = strstr(want[i], "pool") != NULL;
        if (pool) size /= 2;
        cr_expect_str_eq(layer->name, want[i]);
        cr_expect_eq(layer->kind, pool ? VGG_LAYER_MAXPOOL : VGG_LAYER_CONV);
        cr_expect(layer->h == size && layer->w == size && layer->c == channels[i], "%s", want[i]);
        cr_expect_eq(vgg_arch_find(&arch, want[i]), i);
        if (!pool) {
            cr_expect(layer->kernel.n == 3 && layer->kernel.h == 3 && layer->kernel.w == cin, "%s", want[i]);
            cr_expect(layer->kernel.c == channels[i] && layer->bias.c == channels[i], "%s", want[i]);
            cr_expect_eq(layer->activation, VGG_RELU);
        }
        cin = channels[i];
    }
    cr_expect_eq(vgg_arch_find(&arch, "block3_conv4"), -1);
    cr_assert_eq(vgg_arch_base(&arch, "vgg19", 224, 224, NULL), VGG_OK);
    cr_expect_eq(arch.count, 21);
    cr_expect_eq(vgg_arch_find(&arch, "block3_conv4"), 9);
    cr_expect_eq(vgg_arch_find(&arch, "block5_conv4"), 19);
}

/* Every name that a network has leads back to its place; what is like one does not. */
Test(arch, names_lead_back)
{
    static const char *const strange[] = { "",
                                           "block",
                                           "block1_pool",
                                           "block0_conv1",
                                           "block6_conv1",
                                           "block1_conv0",
                                           "block1_conv5",
                                           "block1_conv1_1",
                                           "block1_conv1 ",
                                           " block1_conv1",
                                           "block 1_conv1",
                                           "block01_conv1",
                                           "block+1_conv1",
                                           "BLOCK1_conv1",
                                           "fc1" };
    char name[VGG_NAME_SIZE];
    int block, conv;
    for (int id = VGG_ARCH_11; id < VGG_ARCH_END; id++) {
        struct vgg_arch arch;
        int at = 0;
        cr_assert_eq(vgg_arch_id(vgg_name(VGG_NAMES_ARCH, id)), (enum vgg_arch_id)id);
        cr_assert_eq(vgg_arch_base(&arch, vgg_name(VGG_NAMES_ARCH, id), 32, 32, NULL), VGG_OK);
        for (int b = 1; b <= VGG_ARCH_BLOCKS; b++) {
            for (int c = 1; c <= vgg_arch_convs((enum vgg_arch_id)id, b); c++) {
                vgg_arch_conv_name(name, b, c);
                cr_expect_str_eq(name, arch.layer[at++].name);
                cr_expect(vgg_arch_conv_place(&block, &conv, name) && block == b && conv == c, "%s", name);
            }
            vgg_arch_pool_name(name, b);
            cr_expect_str_eq(name, arch.layer[at++].name);
        }
        cr_expect_eq(at, arch.count);
    }
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        cr_expect_not(vgg_arch_conv_place(&block, &conv, strange[i]), "%s", strange[i]);
    static const char *const unknown[] = { NULL, "", "default", "vgg", "vgg12", "VGG16", "vgg16 " };
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        cr_expect_eq(vgg_arch_id(unknown[i]), VGG_ARCH_NONE, "%s", unknown[i] ? unknown[i] : "NULL");
    cr_expect_str_eq(vgg_name(VGG_NAMES_ARCH, VGG_ARCH_11), "vgg11");
    cr_expect_str_eq(vgg_name(VGG_NAMES_ARCH, VGG_ARCH_19), "vgg19");
    cr_expect_null(vgg_name(VGG_NAMES_ARCH, VGG_ARCH_END));
    cr_expect_str_eq(vgg_name(VGG_NAMES_TOP, 1), "fc2");
    cr_expect_null(vgg_name(VGG_NAMES_TOP, VGG_TOP_LAYERS));
}

/* Parameters stand in layer order, aligned, without overlap. */
Test(arch, parameters_do_not_overlap)
{
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg13", 64, 64, NULL), VGG_OK);
    cr_assert_eq(vgg_arch_head(&arch, "flatten,dense:7:relu,dense:1:sigmoid"), VGG_OK);
    size_t end = 0;
    for (int i = 0; i < arch.count; i++) {
        const struct vgg_view *view[] = { &arch.layer[i].kernel, &arch.layer[i].bias };
        for (int k = 0; k < 2; k++) {
            if (view[k]->n == 0) continue;
            cr_expect_eq(view[k]->arena, VGG_ARENA_PARAM);
            cr_expect_eq(view[k]->offset % VGG_VIEW_ALIGN, 0u);
            cr_expect_geq(view[k]->offset, end);
            end = view[k]->offset + vgg_view_size(view[k]);
        }
    }
    cr_expect_leq(end, arch.param_size);
    cr_expect_leq(arch.param_size, end + VGG_VIEW_ALIGN);
}

/* Pools drop an odd last row or column, as Keras' "valid" pooling does. */
Test(arch, sizes_floor)
{
    static const struct {
        int h, w, out_h, out_w;
    } want[] = { { 224, 224, 7, 7 }, { 150, 150, 4, 4 }, { 97, 131, 3, 4 },
                 { 32, 32, 1, 1 },   { 63, 33, 1, 1 },   { 33, 1000, 1, 31 } };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct vgg_arch arch;
        int h, w, c;
        cr_assert_eq(vgg_arch_base(&arch, "vgg16", want[i].h, want[i].w, NULL), VGG_OK);
        vgg_arch_shape(&arch, arch.count - 1, &h, &w, &c);
        cr_expect(h == want[i].out_h && w == want[i].out_w && c == 512, "%dx%d gives %dx%dx%d", want[i].h, want[i].w, h,
                  w, c);
        vgg_arch_shape(&arch, -1, &h, &w, &c);
        cr_expect(h == want[i].h && w == want[i].w && c == 3);
    }
}

/* Deep Learning with Python, 1st edition, notebook 5.3. */
Test(arch, head_of_the_cats_and_dogs_example)
{
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg16", 150, 150, NULL), VGG_OK);
    cr_assert_eq(vgg_arch_head(&arch, "flatten,dense:256:relu,dense:1:sigmoid"), VGG_OK);
    cr_expect_eq(parameters(&arch, 0, arch.count), 16812353u);
    cr_expect_eq(arch.count - arch.base, 3);
    cr_expect_eq(arch.layer[arch.base].c, 8192);
    cr_expect_str_eq(arch.layer[arch.base].name, "flatten");
    cr_expect_str_eq(arch.layer[arch.base + 1].name, "dense_1");
    cr_expect_str_eq(arch.layer[arch.base + 2].name, "dense_2");
    cr_expect_eq(vgg_arch_classes(&arch), 2);
    cr_expect_eq(vgg_arch_trainable(&arch, "head"), arch.base);
    cr_expect_eq(vgg_arch_trainable(&arch, "all"), 0);
    cr_expect_eq(vgg_arch_trainable(&arch, "block5"), vgg_arch_find(&arch, "block5_conv1"));
    cr_expect_eq(vgg_arch_trainable(&arch, "block4_conv2"), vgg_arch_find(&arch, "block4_conv2"));
    cr_expect_eq(vgg_arch_trainable(&arch, "block6"), -1);
    cr_expect_eq(vgg_arch_trainable(&arch, "block"), -1);
    cr_expect_eq(vgg_arch_trainable(&arch, ""), -1);
}

Test(arch, heads)
{
    struct vgg_arch base, arch;
    cr_assert_eq(vgg_arch_base(&base, "vgg16", 150, 100, NULL), VGG_OK);
    arch = base;
    cr_assert_eq(vgg_arch_head(&arch, "gap,dropout:0.5,dense:10:relu,dropout:0.25,dense:4:softmax"), VGG_OK);
    cr_expect_eq(arch.layer[base.count].kind, VGG_LAYER_AVGPOOL);
    cr_expect_eq(arch.layer[base.count].c, 512);
    cr_expect_eq(arch.layer[base.count + 1].rate, 0.5f);
    cr_expect_eq(arch.layer[base.count + 3].rate, 0.25f);
    cr_expect_eq(arch.layer[base.count + 4].activation, VGG_SOFTMAX);
    cr_expect_eq(parameters(&arch, base.count, arch.count), (512u + 1) * 10 + (10u + 1) * 4);
    cr_expect_eq(vgg_arch_classes(&arch), 4);
    arch = base;
    cr_assert_eq(vgg_arch_head(&arch, "gmp,dense:3"), VGG_OK);
    cr_expect_eq(arch.layer[base.count].kind, VGG_LAYER_GMAXPOOL);
    cr_expect_eq(arch.layer[base.count + 1].activation, VGG_LINEAR);
    cr_expect_eq(vgg_arch_classes(&arch), 0);
}

Test(arch, last_layer)
{
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg19", 150, 150, "block3_pool"), VGG_OK);
    cr_expect_eq(arch.count, 11);
    cr_expect(arch.layer[10].h == 18 && arch.layer[10].c == 256);
    cr_assert_eq(vgg_arch_base(&arch, "vgg19", 150, 150, "block3_conv2"), VGG_OK);
    cr_expect_str_eq(arch.layer[arch.count - 1].name, "block3_conv2");
    quiet();
    cr_expect_eq(vgg_arch_base(&arch, "vgg16", 150, 150, "block3_conv4"), VGG_ERR_ARGUMENT);
    cr_expect_eq(log_lines, 1);
}

/* Each is refused with one line. */
Test(arch, bad_requests)
{
    static const char *const head[] = { "",
                                        ",",
                                        "flatten,",
                                        "dense:2:softmax",
                                        "flatten,flatten",
                                        "flatten,dense",
                                        "flatten,dense:0",
                                        "flatten,dense:-3",
                                        "flatten,dense:3x",
                                        "flatten,dense:99999999999999999999",
                                        "flatten,dense:3:tanh",
                                        "flatten,dense:3:relu:4",
                                        "flatten,dense:1:relu:4:5",
                                        "flatten,dropout",
                                        "flatten,dropout:1",
                                        "flatten,dropout:-0.1",
                                        "flatten,dropout:nan",
                                        "dropout:0.5",
                                        "flatten:2",
                                        "flatten,dense:2:sigmoid",
                                        "flatten,dense:1:softmax",
                                        "flatten,dense:2:softmax,dense:2:softmax",
                                        "flatten,conv:3",
                                        "gap,gap",
                                        "flatten,densedensedensedensedensedensedensedense:1" };
    struct vgg_arch base, arch;
    quiet();
    cr_assert_eq(vgg_arch_base(&base, "vgg11", 64, 64, NULL), VGG_OK);
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) {
        arch = base;
        log_lines = 0;
        cr_expect_eq(vgg_arch_head(&arch, head[i]), VGG_ERR_ARGUMENT, "head \"%s\"", head[i]);
        cr_expect_eq(log_lines, 1, "head \"%s\": %d lines", head[i], log_lines);
    }
    char longest[1024] = "flatten";
    for (int i = 0; i < 80; i++)
        strcat(longest, ",dense:2");
    arch = base;
    cr_expect_eq(vgg_arch_head(&arch, longest), VGG_ERR_ARGUMENT, "80 layers");

    static const struct {
        const char *name;
        int h, w;
    } shape[] = { { "vgg12", 224, 224 }, { "", 224, 224 },     { "vgg16", 31, 224 },         { "vgg16", 224, 31 },
                  { "vgg16", 0, 0 },     { "vgg16", -32, 32 }, { "vgg16", 1 << 20, 1 << 20 } };
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        log_lines = 0;
        cr_expect_eq(vgg_arch_base(&arch, shape[i].name, shape[i].h, shape[i].w, NULL), VGG_ERR_ARGUMENT, "%s %dx%d",
                     shape[i].name, shape[i].h, shape[i].w);
        cr_expect_eq(log_lines, 1);
    }
}

Test(arch, sizes_beyond_int_are_refused)
{
    struct vgg_arch arch;
    static const char *const heads[] = { "flatten,dense:2:softmax", "top" };
    for (int i = 0; i < 2; i++) { /* 8192 x 8192 x 64 is 2^32 */
        cr_assert_eq(vgg_arch_base(&arch, "vgg16", 16384, 16384, "block1_pool"), VGG_OK);
        cr_expect_eq(vgg_arch_head(&arch, heads[i]), VGG_ERR_ARGUMENT);
    }
    cr_assert_eq(vgg_arch_base(&arch, "vgg16", 16384, 16384, "block2_pool"), VGG_OK);
    cr_expect_eq(vgg_arch_head(&arch, heads[0]), VGG_ERR_ARGUMENT);
    cr_assert_eq(vgg_arch_base(&arch, "vgg16", 16384, 16384, "block3_pool"), VGG_OK);
    cr_expect_eq(vgg_arch_head(&arch, "flatten,dense:2:softmax"), VGG_OK);
    cr_expect_eq(arch.layer[arch.count - 1].kernel.w, 2048 * 2048 * 256);
}

static int depth;

/* Asks the library for what fails, and so logs. */
static void call_back(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level, (void)line;
    struct vgg_arch arch;
    if (++depth < 3) vgg_arch_base(&arch, "vgg99", 32, 32, NULL);
}

Test(arch, a_log_listener_may_call_the_library, .timeout = 10)
{
    struct vgg_arch arch;
    vgg_log_set(call_back, NULL, VGG_LOG_ERROR);
    cr_expect_eq(vgg_arch_base(&arch, "vgg98", 32, 32, NULL), VGG_ERR_ARGUMENT);
    cr_expect_eq(depth, 3);
    cr_expect_eq(vgg_arch_base(&arch, "vgg98", 32, 32, NULL), VGG_ERR_ARGUMENT);
    cr_expect_eq(depth, 4);
}

static int inside, lines;

/* Takes its time, and sees whether another thread is here, too. */
static void count_alone(void *user, enum vgg_log_level level, const char *line)
{
    (void)level, (void)line;
    if (inside++) ++*(int *)user;
    usleep(300);
    lines++;
    inside--;
}

static void *fail_often(void *user)
{
    struct vgg_arch arch;
    (void)user;
    for (int i = 0; i < 50; i++)
        vgg_arch_base(&arch, "vgg98", 32, 32, NULL);
    return NULL;
}

Test(arch, a_log_listener_is_called_by_one_thread_at_a_time, .timeout = 30)
{
    pthread_t threads[4];
    int together = 0;
    vgg_log_set(count_alone, &together, VGG_LOG_ERROR);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, fail_often, NULL), 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_expect_eq(together, 0);
    cr_expect_eq(lines, 200);
}

Test(mem, round_up)
{
    static const size_t cases[][3] = { { 0, 64, 0 },    { 1, 64, 64 },   { 63, 64, 64 },  { 64, 64, 64 },
                                       { 65, 64, 128 }, { 100, 7, 105 }, { 105, 7, 105 }, { 5, 1, 5 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(vgg_mem_round_up(cases[i][0], cases[i][1]), cases[i][2], "%zu to %zu", cases[i][0], cases[i][1]);
}

Test(nearest, slips_of_the_fingers)
{
    static const struct {
        const char *text, *name;
        size_t distance;
    } cases[] = {
        { "block5_pool", "block5_pool", 0 },
        { "block5_pol", "block5_pool", 1 },
        { "block5_poool", "block5_pool", 1 },
        { "block5_paol", "block5_pool", 1 },
        { "blcok5_pool", "block5_pool", 1 },
        { "lbock5_poo", "block5_pool", 2 },
        { "block5_ploo", "block5_pool", 2 },
        { "bl", NULL, 0 },
        { "", NULL, 0 },
        { "block5pool_x", "block5_pool", 3 },
        { "something else", NULL, 0 },
        { "dens", "dense", 1 },
        { "den", NULL, 0 },
        { "a name of more than 32 letters is none", NULL, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_nearest nearest = { .text = cases[i].text };
        vgg_nearest_try(&nearest, "dense");
        vgg_nearest_try(&nearest, "block4_pool_of_a_name_that_is_far_too_long");
        vgg_nearest_try(&nearest, "block5_pool");
        cr_assert_str_eq(nearest.name ? nearest.name : "-", cases[i].name ? cases[i].name : "-", "%s", cases[i].text);
        if (nearest.name) cr_assert_eq(nearest.distance, cases[i].distance, "%s: %zu", cases[i].text, nearest.distance);
    }
    struct vgg_nearest first = { .text = "ab" };
    vgg_nearest_try(&first, "ax");
    vgg_nearest_try(&first, "xb"); /* as near: the first stays */
    cr_assert_str_eq(first.name, "ax");
}
