/* How devices are named, on lists that this machine need not have; and what names open here. */
#include "tests/data_files.h"

#include "core/engine/device_name.h"
#include "core/engine/variant.h"

/* A workstation: names that contain each other, two that are the same, a UUID that begins with a digit. */
static const struct vgg_device_info list[] = {
    { .backend = "cpu", .name = "Intel(R) Xeon(R) Processor", .index = 0 },
    { .backend = "vulkan", .name = "GeForce RTX 3080 Ti", .uuid = "0123456789abcdef0123456789abcdef", .index = 1 },
    { .backend = "vulkan", .name = "GeForce RTX 3080", .uuid = "123456789abcdef0123456789abcdef0", .index = 2 },
    { .backend = "vulkan", .name = "Radeon (Intel bridge)", .uuid = "23456789abcdef0123456789abcdef01", .index = 3 },
    { .backend = "vulkan", .name = "Twin", .uuid = "3456789abcdef0123456789abcdef012", .index = 4 },
    { .backend = "vulkan", .name = "Twin", .uuid = "00000000000000000000000000000002", .index = 5 },
};
enum { COUNT = sizeof list / sizeof *list };

static enum vgg_status find(int *index, const char *text, const char *backend, size_t count)
{
    struct vgg_device_name name;
    const struct vgg_device_info *device;
    enum vgg_status status = vgg_device_name_parse(&name, text, backend);
    *index = -1;
    if (status != VGG_OK) return status;
    cr_assert_not_null(name.which, "%s", text);
    status = vgg_device_name_find(&device, &name, list, count);
    if (status == VGG_OK)
        *index = device->index;
    else
        cr_expect_null(device);
    return status;
}

Test(device, names_find_one)
{
    static const struct {
        const char *text, *backend;
        int index;
    } cases[] = {
        { "0", NULL, 0 },
        { "2", NULL, 2 },
        { "5", "auto", 5 },
        { "0", "cpu", 0 },
        { "0", "vulkan", 1 },
        { "4", "vulkan", 5 },
        { "vulkan:0", NULL, 1 },
        { "vulkan:3", NULL, 4 },
        { "vulkan:3", "vulkan", 4 },
        { "vulkan:00", NULL, 1 },
        { "xeon", NULL, 0 },
        { "XEON", "cpu", 0 },
        { "intel", "cpu", 0 },
        { "intel", "vulkan", 3 },
        { "vulkan:intel", NULL, 3 },
        { "3080 t", NULL, 1 },
        { "geforce rtx 3080", NULL, 2 }, /* whole, though also part of another */
        { "0123456789ABCDEF0123456789abcdef", NULL, 1 },
        { "vulkan:123456789abcdef0123456789abcdef0", NULL, 2 },
        { "01234567-89ab-CDEF-0123-456789abcdef", NULL, 1 },
        { "vulkan:23456789-abcd-ef01-2345-6789abcdef01", NULL, 3 },
        { "00000000000000000000000000000002", NULL, 5 }, /* digits, but no number */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int index;
        enum vgg_status status = find(&index, cases[i].text, cases[i].backend, COUNT);
        cr_expect_eq(status, VGG_OK, "%s: status %d", cases[i].text, status);
        cr_expect_eq(index, cases[i].index, "%s: device %d, not %d", cases[i].text, index, cases[i].index);
    }
}

static void refused(const char *text, const char *backend, size_t count, enum vgg_status status, const char *says)
{
    int index;
    EXPECT_FAILURE(find(&index, text, backend, count), status, says);
}

Test(device, names_that_find_none_or_several_tell_what_there_is)
{
    refused("6", NULL, COUNT, VGG_ERR_MISSING,
            "no device \"6\"; there are cpu (Intel(R) Xeon(R) Processor), vulkan:0 (GeForce RTX 3080 Ti), vulkan:1 (");
    refused("1", "cpu", COUNT, VGG_ERR_MISSING, "no device \"1\" on backend cpu; there is cpu (Intel(R) Xeon(R) P");
    refused("5", "vulkan", COUNT, VGG_ERR_MISSING, "no device \"5\" on backend vulkan; there are vulkan:0 (GeForce");
    refused("vulkan:5", NULL, COUNT, VGG_ERR_MISSING, "no device \"vulkan:5\"; there are vulkan:0 (GeForce");
    refused("vulkan:0", NULL, 1, VGG_ERR_MISSING, "no device \"vulkan:0\": backend vulkan finds none here");
    refused("-1", NULL, COUNT, VGG_ERR_MISSING, "no device \"-1\"");
    refused("99999999", NULL, COUNT, VGG_ERR_MISSING, "no device \"99999999\"");
    refused("01234567-89ab-cdef-0123-456789abcde", NULL, COUNT, VGG_ERR_MISSING, "no device \"0123");
    refused("01234567-89ab-cdef-0123-456789abcdef0", NULL, COUNT, VGG_ERR_MISSING, "no device \"0123");
    refused("0123456789abcdef0123456789abcde", NULL, COUNT, VGG_ERR_MISSING, "no device \"0123");
    refused("intel", NULL, COUNT, VGG_ERR_ARGUMENT,
            "device \"intel\" could be cpu (Intel(R) Xeon(R) Processor), vulkan:2 (Radeon (Intel bridge)); take one");
    refused("rtx", NULL, COUNT, VGG_ERR_ARGUMENT, "\"rtx\" could be vulkan:0 (GeForce RTX 3080 Ti), vulkan:1 (GeForce");
    refused("vulkan:twin", NULL, COUNT, VGG_ERR_ARGUMENT, "could be vulkan:3 (Twin), vulkan:4 (Twin); take one of");
}

Test(device, names_are_taken_apart)
{
    struct vgg_device_name name;
    cr_assert_eq(vgg_device_name_parse(&name, "cpu:avx2:direct", "auto"), VGG_OK);
    cr_expect_null(name.which);
    cr_expect_str_eq(name.backend, "cpu");
    cr_expect_str_eq(name.isa, "avx2");
    cr_expect_str_eq(name.conv, "direct");
    cr_assert_eq(vgg_device_name_parse(&name, "cpu", "cpu"), VGG_OK);
    cr_expect(!name.which && !name.isa[0] && !name.conv[0]);
    cr_assert_eq(vgg_device_name_parse(&name, "vulkan", NULL), VGG_OK);
    cr_expect(!name.which && strcmp(name.backend, "vulkan") == 0);
    cr_assert_eq(vgg_device_name_parse(&name, "cpus", NULL), VGG_OK); /* part of a name */
    cr_expect(name.which && !name.backend[0]);
    static const char *const wrong[] = { "", "cpu:", "cpu::direct", "cpu:avx2:", "vulkan:" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EXPECT_FAILURE(vgg_device_name_parse(&name, wrong[i], NULL), VGG_ERR_ARGUMENT, "must be a number, cpu, cpu:");
    EXPECT_FAILURE(vgg_device_name_parse(&name, "cpu", "vulkan"), VGG_ERR_ARGUMENT,
                   "device \"cpu\" is none of backend vulkan; give one of them");
    EXPECT_FAILURE(vgg_device_name_parse(&name, "vulkan:0", "cpu"), VGG_ERR_ARGUMENT, "is none of backend cpu");
}

static void open_fails(struct vgg_engine_options options, enum vgg_status status, const char *says)
{
    struct vgg_engine *engine;
    EXPECT_FAILURE(vgg_engine_create(&engine, &options), status, says);
    cr_expect_null(engine);
}

Test(device, names_open_what_they_say)
{
    static const char *const cpu[] = { "0", "cpu", "cpu:auto", "cpu:scalar" };
    struct vgg_device_info info, *best;
    size_t count;
    cr_assert_eq(vgg_device_list(&best, &count), VGG_OK); /* the CPU stands first */
    for (size_t i = 0; i < sizeof cpu / sizeof *cpu; i++) {
        struct vgg_engine *engine;
        cr_assert_eq(vgg_engine_create(&engine, &(struct vgg_engine_options) { .device = cpu[i] }), VGG_OK, "%s",
                     cpu[i]);
        cr_expect_str_eq(vgg_engine_device(engine)->backend, "cpu", "%s", cpu[i]);
        cr_expect_str_eq(vgg_engine_device(engine)->reason, "asked for");
        cr_expect_not(vgg_engine_device(engine)->chosen);
        const char *levels = vgg_engine_device(engine)->driver; /* those that are used */
        cr_expect_eq(strcmp(levels, "scalar") == 0, i == 3 || strcmp(best->driver, "scalar") == 0, "%s: %s", cpu[i],
                     levels);
        vgg_engine_destroy(engine);
        cr_assert_eq(vgg_device_find(&info, cpu[i], NULL), VGG_OK);
        cr_expect_eq(info.index, 0);
    }
    free(best);
    cr_assert_eq(vgg_device_find(&info, NULL, NULL), VGG_OK);
    cr_expect(info.chosen, "NULL is what auto takes");
    open_fails((struct vgg_engine_options) { .device = "cpu:mmx" }, VGG_ERR_ARGUMENT, "isa mmx: is not known");
    open_fails((struct vgg_engine_options) { .device = "cpu:scalar", .isa = "avx2" }, VGG_ERR_ARGUMENT,
               "device \"cpu:scalar\" and isa avx2: give one of them");
    open_fails((struct vgg_engine_options) { .device = "cpu:scalar:direct" }, VGG_ERR_ARGUMENT, "asked for by conv");
    open_fails((struct vgg_engine_options) { .device = "cpu", .backend = "gpu" }, VGG_ERR_ARGUMENT,
               "backend \"gpu\" is unknown");
    static const char *const backends[] = { "cpu", "vulkan" }; /* whether it finds a device or none */
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        open_fails(
            (struct vgg_engine_options) { .backend = backends[i], .conv = "winograd8" }, VGG_ERR_ARGUMENT,
            "conv \"winograd8\" is unknown; take one of auto, direct, winograd, winograd2, winograd4, winograd6");
    open_fails((struct vgg_engine_options) { .device = "" }, VGG_ERR_ARGUMENT, "must be a number");
    open_fails((struct vgg_engine_options) { .device = "nosuch" }, VGG_ERR_MISSING, "no device \"nosuch\"; there ");
}

/* The levels up to the one asked for, plain C first; one that is not here stands alone. */
Test(device, variants)
{
    struct vgg_variants all, some;
    cr_assert_eq(vgg_variants_init(&all, &(struct vgg_engine_options) { .backend = "cpu" }), VGG_OK);
    cr_expect_str_eq(all.isa, "auto");
    cr_assert_geq(all.count, 1u);
    for (size_t i = 0; i < all.count; i++) {
        const struct vgg_variant *variant = &all.item[i];
        cr_expect_eq(vgg_variant_is_plain(variant), i == 0);
        cr_expect_eq(variant->best, i + 1 == all.count);
        cr_expect_eq(vgg_variant_is_plain(variant), strcmp(variant->isa, "scalar") == 0);
        char device[32];
        snprintf(device, sizeof device, "cpu:%s", variant->isa);
        cr_assert_eq(vgg_variants_init(&some, &(struct vgg_engine_options) { .device = device }), VGG_OK);
        cr_assert_eq(some.count, i + 1, "%s: %zu variants", device, some.count);
        cr_expect_str_eq(some.item[i].isa, variant->isa);
        cr_expect(some.item[i].best);
        cr_expect_str_eq(some.isa, variant->isa);
        struct vgg_backend *backend;
        cr_assert_eq(vgg_variant_open(&backend, variant, &(struct vgg_engine_options) { .threads = 3 }), VGG_OK);
        cr_expect_eq(backend->device.threads, 3);
        vgg_backend_close(backend);
        vgg_variants_finish(&some);
    }
    vgg_variants_finish(&all);
    cr_assert_eq(vgg_variants_init(&some, &(struct vgg_engine_options) { .backend = "cpu", .isa = "mmx" }), VGG_OK);
    cr_assert_eq(some.count, 1u);
    cr_expect(some.item[0].best && !vgg_variant_is_plain(&some.item[0]));
    struct vgg_backend *backend;
    EXPECT_FAILURE(vgg_variant_open(&backend, some.item, &(struct vgg_engine_options) { 0 }), VGG_ERR_ARGUMENT,
                   "isa mmx: is not known");
    vgg_variants_finish(&some);
    EXPECT_FAILURE(vgg_variants_init(&some, &(struct vgg_engine_options) { .device = "nosuch" }), VGG_ERR_MISSING,
                   "no device \"nosuch\"");
    cr_expect_eq(some.count, 0u);
}

/* Without a name only those that compute in the precision; a named one stays, and opening it tells. */
Test(device, variants_by_precision)
{
    struct vgg_variants some;
    static const char *const precisions[] = { NULL, "fp32", "bf16", "int8", "fp16" };
    bool vulkan = false;
    for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
        cr_assert_eq(vgg_variants_init(&some, &(struct vgg_engine_options) { .precision = precisions[p] }), VGG_OK);
        for (size_t i = 0; i < some.count; i++) {
            bool cpu = strcmp(some.item[i].device->backend, "cpu") == 0;
            if (p < 2) vulkan |= !cpu;
            if (p == 2 || p == 3) cr_expect(cpu, "%s: %s", precisions[p], some.item[i].device->backend);
            if (p == 4 && vulkan) cr_expect(!cpu, "%s", precisions[p]);
        }
        vgg_variants_finish(&some);
    }
    const struct vgg_engine_options named = { .device = "cpu", .precision = "fp16" };
    cr_assert_eq(vgg_variants_init(&some, &named), VGG_OK);
    cr_expect_geq(some.count, 1u);
    vgg_variants_finish(&some);
}
