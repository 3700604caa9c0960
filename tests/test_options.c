/* Which options of a command go together: every pair, against a list of what each needs and excludes that knows nothing
 * of the program's own table. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/cli/cli_rules.h"
#include "tests/cli_run.h"

/* What may stand on a command line, with its value. It is taken by itself, unless `refused`; any of `flips` beside it
 * turns that round. A flip is an option's name, all words of another item, or its beginning and "*"; separated by "|".
 * @WORLD is what is known when all is open, $NAME=VALUE the environment; both are taken. */
struct item {
    const char *words;
    bool refused;
    const char *flips;
};

struct list {
    const struct item *item; /* ended by one without words */
};

#define VULKAN "--backend vulkan|--device vulkan:0|@vulkan|$VGG16_BACKEND=vulkan|$VGG16_DEVICE=vulkan:0"
#define SCALAR "--isa scalar|--device cpu:scalar|$VGG16_ISA=scalar|$VGG16_DEVICE=cpu:scalar"
#define CPU "--backend cpu|--device cpu:*|@cpu|$VGG16_BACKEND=cpu|$VGG16_DEVICE=cpu*"
#define OF_VULKAN "--backend cpu"
#define OF_CPU "--backend vulkan|--isa"

static const struct item worlds[] = {
    { .words = "@cpu" },
    { .words = "@vulkan" },
    { .words = "@images" },
    { .words = "@features" },
    { .words = "@features,images" }, /* the validation data's */
    { .words = "$VGG16_BACKEND=cpu" },
    { .words = "$VGG16_BACKEND=vulkan" },
    { .words = "$VGG16_DEVICE=cpu:avx2" },
    { .words = "$VGG16_DEVICE=cpu:scalar" },
    { .words = "$VGG16_DEVICE=vulkan:0" },
    { .words = "$VGG16_ISA=scalar" },
    { .words = "$VGG16_THREADS=2" },
    { .words = "$VGG16_PRECISION=fp32" },
    { 0 },
};

static const struct item say[] = {
    { .words = "--json" },
    { .words = "--quiet", .flips = "--verbose" },
    { .words = "--verbose" },
    { 0 },
};

static const struct item no_engine[] = {
    { "--backend auto", true, NULL },   { "--device cpu", true, NULL },
    { "--isa auto", true, NULL },       { "--conv auto", true, NULL },
    { "--precision fp32", true, NULL }, { "--threads 2", true, NULL },
    { "--memory 1G", true, NULL },      { 0 },
};

static const struct item no_seed[] = { { "--seed 0", true, NULL }, { 0 } };

static const struct item engine[] = {
    { .words = "--backend auto" },
    { .words = "--backend cpu" },
    { .words = "--backend vulkan" },
    { .words = "--device 0" },
    { .words = "--device cpu:avx2", .flips = OF_CPU },
    { .words = "--device cpu:scalar", .flips = OF_CPU },
    { .words = "--device vulkan:0", .flips = OF_VULKAN },
    { .words = "--isa auto", .flips = VULKAN },
    { .words = "--isa scalar", .flips = VULKAN },
    { .words = "--conv auto" },
    { .words = "--conv direct" },
    { .words = "--conv winograd", .flips = VULKAN "|" SCALAR "|--precision bf16|--precision fp16|--precision int8" },
    { .words = "--conv winograd2", .flips = VULKAN "|" SCALAR "|--precision bf16|--precision fp16|--precision int8" },
    { .words = "--conv winograd4", .flips = VULKAN "|" SCALAR "|--precision bf16|--precision fp16|--precision int8" },
    { .words = "--conv winograd6", .flips = VULKAN "|" SCALAR "|--precision bf16|--precision fp16|--precision int8" },
    { .words = "--precision fp32" },
    { .words = "--precision bf16", .flips = VULKAN },
    { .words = "--precision fp16", .flips = CPU },
    { .words = "--threads 2", .flips = VULKAN },
    { .words = "--memory 1G" },
    { 0 },
};

static const struct item int8[] = { { .words = "--precision int8", .flips = VULKAN }, { 0 } };
static const struct item no_int8[] = { { "--precision int8", true, NULL }, { 0 } };

static const struct item images[] = {
    { .words = "--preprocess torch" },
    { .words = "--resize nearest" },
    { .words = "--crop none" },
    { .words = "--decode fast" },
    { .words = "--skip-bad", .flips = "@features" },
    { 0 },
};

static const struct item network[] = {
    { .words = "--weights w.h5" },
    { .words = "--weights random" },
    { .words = "--arch vgg11" },
    { .words = "--size 32" },
    { 0 },
};

static const struct item summary[] = {
    { .words = "--weights w.h5" },
    { .words = "--size 32" },
    { .words = "--top" },
    { .words = "--arch vgg16" },
    { .words = "--layer l" },
    { .words = "--trainable all" },
    { 0 },
};

#define FILES "--output f.npy*|--output f.h5|--output f.safetensors*|--output f.CSV"

static const struct item extract[] = {
    { .words = "--output f.safetensors --part 2/3", .flips = "--picture" },
    { .words = "--output f.safetensors --part 2/3 --resume", .flips = "--picture" },
    { "--part 2/3", true, "--output f.safetensors" },
    { "--resume", true, "--output f.safetensors --part 2/3" },
    { .words = "--output f.npy" },
    { .words = "--output f.npy --layer fc1" },
    { .words = "--output f.npy --layer block3_pool" },
    { .words = "--output f.h5" },
    { .words = "--output f.safetensors" },
    { .words = "--output f.CSV" },
    { "--output f.txt", true, NULL },
    { "--output f", true, NULL },
    { .words = "--layer block3_pool" },
    { .words = "--layer fc1" },
    { "--pooling none", true,
      "--output f.npy|--output f.npy --layer block3_pool|--output f.h5|--output f.safetensors*|"
      "--output f.CSV" },
    { "--pooling avg", true,
      "--output f.npy|--output f.npy --layer block3_pool|--output f.h5|--output f.safetensors*|"
      "--output f.CSV" },
    { "--batch 3", true, FILES },
    { .words = "--picture p.png" },
    { "--picture p.jpg", true, NULL },
    { "--channels 3", true, "--picture" },
    { "--colours viridis", true, "--picture" },
    { "--seed 0", true, "--weights random" },
    { 0 },
};

/* No epochs: nothing is trained; with a report the model may still be measured. */
#define IDLE "--epochs 0|--epochs 0 --report r.html|--epochs 0 --from m"

static const struct item train[] = {
    { .words = "--output m.safetensors" },
    { .words = "--output m" },
    { .words = "--output m.v2" },
    { .words = "--output m.Safetensors" },
    { "--output m.h5", true, NULL },
    { "--output m.hdf5", true, NULL },
    { "--output m.PTH", true, NULL },
    { "--output m.onnx", true, NULL },
    { "--output m.npy", true, NULL },
    { .words = "--from m", .flips = "--weights|--head|--layer" },
    { .words = "--head h" },
    { .words = "--layer block1_pool" },
    { .words = "--weights random" },
    { .words = "--arch vgg11" },
    { .words = "--size 32" },
    { .words = "--trainable head", .flips = "--epochs 0*" },
    { .words = "--validation v", .flips = "--epochs 0|--epochs 0 --from m|--validation-split" },
    { .words = "--validation v --keep best", .flips = "--epochs 0*|--validation-split" },
    { .words = "--validation v --schedule plateau:0.5,4", .flips = "--epochs 0*|--validation-split" },
    { .words = "--validation v --early-stop 4",
      .flips = "--epochs 0|--epochs 0 --from m|--epochs 0 --report r.html|--validation-split" },
    { .words = "--validation-split 0.2",
      .flips = "--epochs 0|--epochs 0 --from m|--epochs 0 --report r.html --validation v" },
    { .words = "--optimizer rmsprop", .flips = "--epochs 0*" },
    { .words = "--optimizer sgd", .flips = "--epochs 0*" },
    { .words = "--optimizer sgd --momentum 0.5", .flips = "--epochs 0*" },
    { .words = "--lr 0.1", .flips = "--epochs 0*" },
    { "--momentum 0", true, "--optimizer sgd" },
    { "--momentum 0.9", true, "--optimizer sgd" },
    { "--nesterov", true, "--optimizer sgd --momentum 0.5" },
    { .words = "--weight-decay 0", .flips = "--epochs 0*" },
    { .words = "--schedule constant", .flips = "--epochs 0*" },
    { .words = "--schedule cosine", .flips = "--epochs 0*" },
    { .words = "--schedule step:4:0.5", .flips = "--epochs 0*" },
    { .words = "--schedule step:5:0.5", .flips = "--epochs 0*|--epochs 5" },
    { .words = "--schedule step:29:0.5", .flips = "--epochs 0*|--epochs 5" },
    { "--schedule step:30:0.5", true, "--epochs 31" },
    { "--schedule plateau:0.5,4", true,
      "--validation v|--validation v --keep best|--validation v --early-stop 4|--validation-split" },
    { "--validation v --schedule plateau:0.5,30", true, "--epochs 31" },
    { .words = "--warmup 0.5", .flips = "--epochs 0*" },
    { .words = "--warmup 5", .flips = "--epochs 0*|--epochs 5" },
    { "--warmup 30", true, "--epochs 31" },
    { "--lr-decay 0.5", true, "--trainable block5|--trainable block5 --clip-norm 2" },
    { .words = "--trainable block5", .flips = "--epochs 0*" },
    { .words = "--trainable block5 --clip-norm 2", .flips = "--epochs 0*" },
    { .words = "--clip-norm 1", .flips = "--epochs 0*" },
    { .words = "--label-smoothing 0", .flips = "--epochs 0*" },
    { .words = "--label-smoothing 0.1", .flips = "--epochs 0*" },
    { .words = "--epochs 5" },
    { .words = "--epochs 31" },
    { .words = "--epochs 0" },
    { .words = "--epochs 0 --report r.html" },
    { .words = "--epochs 0 --report r.html --validation v" },
    { .words = "--epochs 0 --from m", .flips = "--weights|--head|--layer" },
    { .words = "--steps-per-epoch 3", .flips = "--epochs 0*" },
    { .words = "--batch 20", .flips = IDLE },
    { .words = "--shard 4", .flips = "--epochs 0*" },
    { .words = "--class-weight none", .flips = "--epochs 0*" },
    { .words = "--early-stop 4", .flips = "--epochs 0*" },
    { .words = "--early-stop 5", .flips = "--epochs 0*|--epochs 5" },
    { .words = "--early-stop 29", .flips = "--epochs 0*|--epochs 5" },
    { "--early-stop 30", true, "--epochs 31" },
    { .words = "--keep last", .flips = "--epochs 0*" },
    { "--keep best", true,
      "--validation v|--validation v --early-stop 4|--validation v --schedule plateau:0.5,4|--validation-split" },
    { "--monitor val_loss", true,
      "--validation v --keep best|--validation v --early-stop 4|--validation v --schedule plateau:0.5,4" },
    { "--monitor val_accuracy", true,
      "--validation v --keep best|--validation v --early-stop 4|--validation v --schedule plateau:0.5,4" },
    { .words = "--no-shuffle", .flips = "--epochs 0*" },
    { .words = "--checkpoint c", .flips = "--epochs 0*" },
    { .words = "--on-device-lost stop", .flips = "--epochs 0*|" CPU },
    { .words = "--on-device-lost cpu", .flips = "--epochs 0*|" CPU },
    { "--resume", true, "--checkpoint" },
    { "--overwrite", true, "--checkpoint" },
    { "--checkpoint-every 5", true, "--checkpoint c" },
    { "--checkpoint-every 10m", true, "--checkpoint c" },
    { .words = "--log h.csv", .flips = "--epochs 0*" },
    { .words = "--log h.jsonl", .flips = "--epochs 0*" },
    { .words = "--log h", .flips = "--epochs 0*" },
    { "--log h.json", true, NULL },
    { .words = "--tensorboard t", .flips = "--epochs 0*" },
    { .words = "--report r.html" },
    { .words = "--report r.HTM" },
    { .words = "--report r" },
    { "--report r.pdf", true, NULL },
    { .words = "--augment flip", .flips = "--epochs 0*|@features|@features,images" },
    { .words = "--preprocess torch" },
    { .words = "--resize nearest" },
    { .words = "--crop none" },
    { .words = "--decode fast" },
    { .words = "--skip-bad", .flips = IDLE "|@features" },
    { .words = "--backend auto", .flips = IDLE },
    { .words = "--backend cpu", .flips = IDLE },
    { .words = "--backend vulkan", .flips = IDLE },
    { .words = "--device 0", .flips = IDLE },
    { .words = "--device cpu:avx2", .flips = IDLE "|" OF_CPU },
    { .words = "--device cpu:scalar", .flips = IDLE "|" OF_CPU },
    { .words = "--device vulkan:0", .flips = IDLE "|" OF_VULKAN },
    { .words = "--isa auto", .flips = IDLE "|" VULKAN },
    { .words = "--isa scalar", .flips = IDLE "|" VULKAN },
    { .words = "--conv auto", .flips = IDLE },
    { .words = "--conv direct", .flips = IDLE },
    { .words = "--conv winograd", .flips = IDLE "|" VULKAN "|" SCALAR "|--precision fp16" },
    { .words = "--conv winograd2", .flips = IDLE "|" VULKAN "|" SCALAR "|--precision fp16" },
    { .words = "--conv winograd4", .flips = IDLE "|" VULKAN "|" SCALAR "|--precision fp16" },
    { .words = "--conv winograd6", .flips = IDLE "|" VULKAN "|" SCALAR "|--precision fp16" },
    { .words = "--precision fp32", .flips = IDLE },
    { "--precision bf16", true, NULL },
    { .words = "--precision fp16", .flips = IDLE "|" CPU },
    { "--precision int8", true, NULL },
    { .words = "--threads 2", .flips = IDLE "|" VULKAN },
    { .words = "--memory 1G", .flips = IDLE },
    { .words = "--seed 0", .flips = "--epochs 0 --from m" },
    { 0 },
};

static const struct item evaluate[] = {
    { .words = "--model m" },
    { .words = "--output p.csv" },
    { .words = "--output p" },
    { .words = "--output p.txt" },
    { "--output p.json", true, NULL },
    { .words = "--report r.html" },
    { "--report r.csv", true, NULL },
    { .words = "--batch 32" },
    { .words = "--top 3" },
    { .words = "--threshold 0.3" },
    { 0 },
};

static const struct item predict[] = {
    { .words = "--model m" },
    { .words = "--top 5" },
    { .words = "--batch 32" },
    { 0 },
};

static const struct item explain[] = {
    { .words = "--model m" },
    { .words = "--output e.png" },
    { .words = "--output e.html" },
    { .words = "--output e.npy" },
    { "--output e.jpg", true, NULL },
    { .words = "--map h.npy", .flips = "--output e.npy" },
    { "--map h.csv", true, NULL },
    { .words = "--class 1" },
    { .words = "--layer l" },
    { .words = "--colours inferno", .flips = "--output e.npy" },
    { .words = "--alpha 0.7", .flips = "--output e.npy" },
    { .words = "--top 5", .flips = "--output e.npy|--output e.png" },
    { 0 },
};

static const struct item to_h5[] = {
    { .words = "--layout auto" }, { .words = "--layout keras" }, { "--layout torchvision", true, NULL },
    { .words = "--dtype f32" },   { "--dtype f16", true, NULL }, { 0 },
};

static const struct item to_safetensors[] = {
    { .words = "--layout auto" }, { .words = "--layout keras" }, { .words = "--layout torchvision" },
    { .words = "--dtype f32" },   { .words = "--dtype f16" },    { 0 },
};

static const struct item to_pth[] = {
    { .words = "--layout auto" }, { "--layout keras", true, NULL }, { "--layout torchvision", true, NULL },
    { .words = "--dtype f32" },   { .words = "--dtype f16" },       { 0 },
};

static const struct item to_onnx[] = {
    { .words = "--layout auto" }, { "--layout keras", true, NULL }, { "--layout torchvision", true, NULL },
    { .words = "--dtype f32" },   { "--dtype f16", true, NULL },    { 0 },
};

static const struct item import[] = {
    { .words = "--head gap,dense:2:softmax" },
    { .words = "--classes a,b" },
    { "--size 32", true, "--head gap,dense:2:softmax|--classes" },
    { "--preprocess rescale", true, "--head gap,dense:2:softmax|--classes" },
    { 0 },
};

static const struct item bench[] = {
    { .words = "--on all", .flips = "--backend|--device|--isa" },
    { .words = "--on cpu", .flips = "--backend|--device|--isa" },
    { .words = "--on vulkan:cpu", .flips = "--backend|--device|--isa" },
    { .words = "--on cpu:avx2,vulkan", .flips = "--backend|--device|--isa" },
    { .words = "--on vulkan:0,cpu:avx2:direct", .flips = "--backend|--device|--isa" },
    { .words = "--on vulkan,0,Xeon", .flips = "--backend|--device|--isa" }, /* it must be looked up what these are */
    { .words = "--pass forward" },
    { .words = "--pass backward" },
    { .words = "--pass forward,step" },
    { .words = "--batch 1" },
    { .words = "--size 224" },
    { .words = "--layers" },
    { .words = "--repeats 7" },
    { .words = "--report r.html" },
    { "--report r.json", true, NULL },
    { .words = "--compare o.json" },
    { .words = "--arch vgg16" },
    { .words = "--head h" },
    { .words = "--trainable all", .flips = "--pass forward|--precision bf16|--precision int8" },
    { .words = "--backend auto" },
    { .words = "--backend cpu" },
    { .words = "--backend vulkan" },
    { .words = "--device 0" },
    { .words = "--device cpu:avx2", .flips = OF_CPU },
    { .words = "--device cpu:scalar", .flips = OF_CPU },
    { .words = "--device vulkan:0", .flips = OF_VULKAN },
    { .words = "--isa scalar", .flips = VULKAN },
    { .words = "--conv direct", .flips = VULKAN "|--on vulkan:cpu|--on vulkan:0,cpu:avx2:direct" },
    { .words = "--conv winograd",
      .flips = VULKAN
      "|" SCALAR "|--on vulkan:cpu|--on vulkan:0,cpu:avx2:direct|--precision bf16|--precision fp16|--precision int8" },
    { .words = "--conv winograd2",
      .flips = VULKAN
      "|" SCALAR "|--on vulkan:cpu|--on vulkan:0,cpu:avx2:direct|--precision bf16|--precision fp16|--precision int8" },
    { .words = "--conv winograd4",
      .flips = VULKAN
      "|" SCALAR "|--on vulkan:cpu|--on vulkan:0,cpu:avx2:direct|--precision bf16|--precision fp16|--precision int8" },
    { .words = "--conv winograd6",
      .flips = VULKAN
      "|" SCALAR "|--on vulkan:cpu|--on vulkan:0,cpu:avx2:direct|--precision bf16|--precision fp16|--precision int8" },
    { .words = "--precision fp32" },
    { .words = "--precision bf16", .flips = VULKAN "|--on vulkan:cpu|--pass backward|--pass forward,step" },
    { .words = "--precision fp16", .flips = CPU "|--on cpu" },
    { .words = "--precision int8", .flips = VULKAN "|--on vulkan:cpu|--pass backward|--pass forward,step" },
    { .words = "--threads 2", .flips = VULKAN "|--on vulkan:cpu" },
    { .words = "--memory 1G" },
    { .words = "--seed 0" },
    { 0 },
};

static const struct item quantize[] = {
    { .words = "--output q.safetensors" },
    { .words = "--output q" },
    { "--output q.h5", true, NULL },
    { .words = "--model m",
      .flips = "--weights w.h5|--weights random|--arch vgg11|--size 32|--layer block3_pool|--preprocess torch" },
    { .words = "--images 64" },
    { .words = "--layer block3_pool" },
    { .words = "--backend auto" },
    { .words = "--backend cpu" },
    { "--backend vulkan", true, NULL },
    { .words = "--device 0" },
    { .words = "--device cpu:avx2", .flips = OF_CPU },
    { "--device vulkan:0", true, NULL },
    { .words = "--isa scalar", .flips = VULKAN },
    { .words = "--threads 2", .flips = VULKAN },
    { .words = "--memory 1G" },
    { .words = "--conv direct" },
    { "--conv winograd", true, NULL },
    { "--conv winograd2", true, NULL },
    { "--precision int8", true, NULL },
    { "--seed 0", true, "--weights random" },
    { 0 },
};

static const struct item selftest[] = {
    { .words = "--backend auto" },
    { .words = "--backend cpu" },
    { .words = "--backend vulkan" },
    { .words = "--device 0" },
    { .words = "--device cpu:avx2", .flips = OF_CPU },
    { .words = "--device cpu:scalar", .flips = OF_CPU },
    { .words = "--device vulkan:0", .flips = OF_VULKAN },
    { .words = "--isa scalar", .flips = VULKAN },
    { .words = "--precision fp32" },
    { .words = "--precision bf16", .flips = VULKAN },
    { .words = "--precision fp16", .flips = CPU },
    { .words = "--precision int8", .flips = VULKAN },
    { .words = "--threads 2", .flips = VULKAN },
    { "--conv auto", true, NULL },
    { "--memory 1G", true, NULL },
    { "--seed 0", true, NULL },
    { 0 },
};

static const struct {
    const char *line; /* command and arguments */
    const struct item *list[6];
} lines[] = {
    { "devices", { no_engine, no_seed, say } },
    { "summary", { summary, no_engine, no_seed, say } },
    { "pull vgg16", { no_engine, no_seed, say } },
    { "extract d", { extract, network, images, engine, int8, say } },
    { "merge f.npy p", { no_engine, no_seed, say } },
    { "train d", { train, say } },
    { "evaluate d", { evaluate, images, engine, int8, no_seed, say } },
    { "predict d", { predict, images, engine, int8, no_seed, say } },
    { "explain d", { explain, images, engine, no_int8, no_seed, say } },
    { "quantize d", { quantize, network, images, say } },
    { "convert a b.h5", { to_h5, import, no_engine, no_seed, say } },
    { "convert a b.safetensors", { to_safetensors, import, no_engine, no_seed, say } },
    { "convert a b.pth", { to_pth, import, no_engine, no_seed, say } },
    { "convert a b.onnx", { to_onnx, import, no_engine, no_seed, say } },
    { "bench", { bench, say } },
    { "selftest", { selftest, say } },
};
enum { LINES = sizeof lines / sizeof *lines, MOST = 160 };

/* All items of a line, the worlds included. */
static int collect(const struct item *all[MOST], int line)
{
    int n = 0;
    for (int i = 0; i < 6 && lines[line].list[i]; i++) {
        for (const struct item *item = lines[line].list[i]; item->words; item++)
            all[n++] = item;
    }
    for (const struct item *item = worlds; item->words; item++)
        all[n++] = item;
    return n;
}

static bool is_world(const struct item *item)
{
    return item->words[0] != '-';
}

/* Does one of `flips` name `other`? */
static bool flips(const char *flips, const char *other)
{
    for (size_t n; flips && *flips; flips += n + (flips[n] == '|')) {
        n = strcspn(flips, "|");
        bool begins = strncmp(flips, other, n) == 0, whole = begins && other[n] == '\0';
        bool name = !memchr(flips, ' ', n) && begins && other[n] == ' ';
        bool start = flips[n - 1] == '*' && strncmp(flips, other, n - 1) == 0;
        if (whole || name || start) return true;
    }
    return false;
}

/* Do both say something of one option? The last would win then. */
static bool overlap(const char *a, const char *b)
{
    for (const char *at = a; (at = strstr(at, "--")); at += 2) {
        size_t n = strcspn(at, " ");
        for (const char *to = b; (to = strstr(to, "--")); to += 2) {
            if (strcspn(to, " ") == n && strncmp(at, to, n) == 0) return true;
        }
    }
    return false;
}

static void open_world(struct cli_facts *facts, const char *words)
{
    if (strcmp(words, "@cpu") == 0 || strcmp(words, "@vulkan") == 0) facts->backend = words + 1;
    if (strcmp(words, "@images") == 0) facts->data = CLI_CONTENT_IMAGES;
    if (strncmp(words, "@features", 9) == 0) facts->data = CLI_CONTENT_FEATURES;
    if (strcmp(words, "@features,images") == 0) facts->validation = CLI_CONTENT_IMAGES;
}

/* What the program says to the line with both items. */
static enum vgg_status judge(const char *line, const struct item *a, const struct item *b)
{
    char text[400], name[64] = "";
    const struct item *items[] = { a, b };
    struct cli_facts facts = { 0 };
    size_t used = (size_t)snprintf(text, sizeof text, "%s", line);
    for (int i = 0; i < 2 && items[i]; i++) {
        const char *words = items[i]->words, *value = strchr(words, '=');
        if (*words == '$') {
            snprintf(name, sizeof name, "%.*s", (int)(value - words - 1), words + 1);
            setenv(name, value + 1, 1);
        } else if (*words == '@') {
            open_world(&facts, words);
        } else {
            used += (size_t)snprintf(text + used, sizeof text - used, " %s", words);
        }
    }
    struct cli_run run;
    enum vgg_status status = cli_run_parse(&run, text);
    facts.cli = &run.cli;
    if (status == VGG_OK) status = cli_rules_check(&run.cli, &facts);
    cli_run_finish(&run);
    if (*name) unsetenv(name);
    return status;
}

static bool wanted(const struct item *item, const struct item *other)
{
    return item->refused != (other && flips(item->flips, other->words));
}

Test(options, every_pair)
{
    const struct item *all[MOST];
    int pairs = 0, wrong = 0;
    for (int line = 0; line < LINES; line++) {
        int n = collect(all, line);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j <= n; j++) { /* in both orders, and alone */
                const struct item *other = j < n ? all[j] : NULL;
                if (j == i || (other && is_world(all[i]) && is_world(other))) continue;
                if (other && overlap(all[i]->words, other->words)) continue;
                bool refused = wanted(all[i], other) || (other && wanted(other, all[i]));
                enum vgg_status status = judge(lines[line].line, all[i], other);
                pairs++;
                if (status == (refused ? VGG_ERR_ARGUMENT : VGG_OK)) continue;
                if (wrong++ < 20) {
                    fprintf(stderr, "vgg16 %s %s %s: %s\n", lines[line].line, all[i]->words, other ? other->words : "",
                            refused ? "is taken" : "is refused");
                }
            }
        }
    }
    cr_assert(pairs > 15000, "%d pairs only", pairs);
    cr_assert(wrong == 0, "%d of %d pairs are judged wrongly", wrong, pairs);
}

static void expect_items(int line, const struct cli_option *option)
{
    const struct item *all[MOST];
    int n = collect(all, line);
    for (; option->name; option++) {
        char words[64];
        snprintf(words, sizeof words, "--%s", option->name);
        bool found = strcmp(option->name, "help") == 0 || strcmp(option->name, "version") == 0;
        for (int i = 0; i < n; i++)
            found = found || overlap(all[i]->words, words);
        cr_expect(found, "%s: %s is in no pair", lines[line].line, words);
    }
}

Test(options, every_option_is_in_the_pairs)
{
    for (int line = 0; line < LINES; line++) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(lines[line].line, " "), lines[line].line);
        const struct cli_command *command = cli_command_find(name);
        cr_assert(command, "%s", name);
        for (const struct cli_group *group = command->groups; group->option; group++)
            expect_items(line, group->option);
        expect_items(line, cli_common_options);
    }
    for (size_t i = 0; cli_commands[i]; i++) {
        bool found = false;
        for (int line = 0; line < LINES; line++)
            found = found || strncmp(lines[line].line, cli_commands[i]->name, strlen(cli_commands[i]->name)) == 0;
        cr_expect(found, "%s", cli_commands[i]->name);
    }
}

/* Names in the table that no command has would judge nothing. */
Test(options, the_table_names_what_there_is)
{
    for (const struct cli_rule *rule = cli_rules; rule->commands; rule++) {
        char commands[256], options[256];
        snprintf(commands, sizeof commands, "%s", strcmp(rule->commands, "*") ? rule->commands : "extract");
        for (char *rest = commands, *name; (name = strtok_r(rest, " ", &rest));) {
            const struct cli_command *command = cli_command_find(name);
            cr_assert(command, "%s", name);
            snprintf(options, sizeof options, "%s", rule->options);
            for (char *more = options, *option; (option = strtok_r(more, " ", &more));) {
                const struct cli_option *found = cli_option_find(command, option, strlen(option), 0).option;
                cr_expect(found && strcmp(found->name, option) == 0, "%s --%s", name, option);
            }
        }
    }
}

Test(options, help_is_never_refused)
{
    const struct item *all[MOST];
    for (int line = 0; line < LINES; line++) {
        int n = collect(all, line);
        for (int i = 0; i < n; i++) {
            char text[400];
            if (is_world(all[i])) continue;
            snprintf(text, sizeof text, "%s %s --help", lines[line].line, all[i]->words);
            struct cli_run run;
            cr_expect(cli_run_parse(&run, text) == VGG_OK, "%s", text);
            cli_run_finish(&run);
        }
    }
}

Test(options, the_last_value_is_judged)
{
    static const struct {
        const char *line;
        enum vgg_status status;
    } cases[] = {
        { "train d --optimizer adam --momentum 0.9 --optimizer sgd", VGG_OK },
        { "train d --optimizer sgd --momentum 0.9 --optimizer adam", VGG_ERR_ARGUMENT },
        { "train d -o m.h5 -o m.safetensors", VGG_OK },
        { "train d -o m.safetensors -o m.h5", VGG_ERR_ARGUMENT },
        { "--backend vulkan extract d --backend cpu --isa scalar", VGG_OK },
        { "--backend cpu extract d --backend vulkan --isa scalar", VGG_ERR_ARGUMENT },
        { "train d --opt sgd --mom=0.9", VGG_OK },
        { "convert a b.safetensors --d f16", VGG_OK }, /* device cannot act there: one option is left */
        { "predict d --pre torch", VGG_ERR_ARGUMENT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect(judge(cases[i].line, NULL, NULL) == cases[i].status, "%s", cases[i].line);
}
