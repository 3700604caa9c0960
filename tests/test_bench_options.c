/* What a benchmark may be asked for: each field of its options at its edges and beyond. */
#include "tests/data_files.h"

#include "core/vgg16_bench.h"

enum { FORWARD = 1 << VGG_BENCH_FORWARD, BACKWARD = 1 << VGG_BENCH_BACKWARD, STEP = 1 << VGG_BENCH_STEP };

/* The call with a change of the options of a benchmark that opens no device: what is refused is refused before. */
static void expect_options(enum vgg_status status, const char *says, struct vgg_bench_options options)
{
    struct vgg_bench *bench;
    options.on = "nosuch";
    EXPECT_FAILURE(vgg_bench_run(&bench, &options), status, says);
    cr_expect_null(bench);
}

#define OPTIONS(...) ((struct vgg_bench_options) { __VA_ARGS__ })
#define REFUSED(says, ...) expect_options(VGG_ERR_ARGUMENT, says, OPTIONS(__VA_ARGS__))
#define TAKEN(...) expect_options(VGG_ERR_MISSING, "no device \"nosuch\"", OPTIONS(__VA_ARGS__))

Test(bench_options, fields_at_their_edges_and_beyond)
{
    static const int zero[] = { 2, 0 }, negative[] = { -1 }, most[] = { 1, 65536 }, beyond[] = { 65537 },
                     many[1025] = { 0 };
    static const int smallest[][2] = { { 32, 16384 }, { 16384, 32 } }, flat[][2] = { { 32, 32 }, { 32, 31 } },
                     tall[][2] = { { 16385, 32 } }, none[][2] = { { 0, 0 } }, minus[][2] = { { 224, -224 } };
    char longer[256];
    memcpy(longer, "gap,dense:", 10), memset(longer + 10, '0', 240), strcpy(longer + 250, "3");
    cr_expect_str_eq(vgg_bench_pass_name(VGG_BENCH_UPDATE), "update");
    cr_expect_null(vgg_bench_pass_name(VGG_BENCH_PASS_COUNT));
    cr_expect_null(vgg_bench_pass_name((enum vgg_bench_pass)(-1)));
    TAKEN(.passes = 0);
    TAKEN(.passes = FORWARD | BACKWARD | STEP);
    REFUSED("passes 0x8: bits of forward", .passes = 8);
    REFUSED("passes 0x80000001", .passes = 0x80000001u);
    TAKEN(.batch = most, .batches = 2);
    TAKEN(.batch = NULL, .batches = 0);
    REFUSED("batch 65537: must be 1 to 65536 images", .batch = beyond, .batches = 1);
    REFUSED("batch 0: must be 1 to 65536 images", .batch = zero, .batches = 2);
    REFUSED("batch -1: must be", .batch = negative, .batches = 1);
    REFUSED("-1 batches: must be 1 to 1024", .batch = most, .batches = -1);
    REFUSED("1025 batches: must be 1 to 1024", .batch = many, .batches = 1025);
    REFUSED("1 batches: the list of them is NULL", .batches = 1);
    TAKEN(.size = smallest, .sizes = 2);
    REFUSED("input size 32x31: height and width must be from 32 to 16384", .size = flat, .sizes = 2);
    REFUSED("input size 16385x32: ", .size = tall, .sizes = 1);
    REFUSED("input size 0x0: ", .size = none, .sizes = 1);
    REFUSED("input size 224x-224: ", .size = minus, .sizes = 1);
    REFUSED("-2 sizes: must be 1 to 1024", .size = flat, .sizes = -2);
    REFUSED("3 sizes: the list of them is NULL", .sizes = 3);
    TAKEN(.repeats = 1);
    TAKEN(.repeats = 10000);
    REFUSED("-1 repeats: must be 1 to 10000", .repeats = -1);
    REFUSED("10001 repeats: must be 1 to 10000", .repeats = 10001);
    TAKEN(.optimizer = VGG_OPTIMIZER_ADAMW);
    REFUSED("optimizer 4: is none of enum vgg_optimizer", .optimizer = (enum vgg_optimizer)4);
    TAKEN(.engine.threads = 1024);
    REFUSED("threads 1025: must be 0", .engine.threads = 1025);
    REFUSED("threads -1: must be 0", .engine.threads = -1);
    REFUSED("architecture vgg12 is unknown", .arch = "vgg12");
    REFUSED("trainable block9: no such", .trainable = "block9", .passes = FORWARD);
    REFUSED("trainable : no such", .trainable = "");
    REFUSED("head gap,dense:000", .head = longer);
    REFUSED("head", .head = "gap,dense:0:softmax");
    REFUSED("head", .head = "");
}
