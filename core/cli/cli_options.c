#include "core/cli/cli_options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *cli_read_flag(const struct cli_option *option, const char *text, void *target)
{
    (void)option, (void)text;
    *(bool *)target = true;
    return NULL;
}

const char *cli_read_count(const struct cli_option *option, const char *text, void *target)
{
    (void)option, (void)text;
    ++*(int *)target;
    return NULL;
}

const char *cli_read_text(const struct cli_option *option, const char *text, void *target)
{
    (void)option;
    if (!*text) return "not empty";
    *(const char **)target = text;
    return NULL;
}

bool cli_number(const char *text, double *value)
{
    char *end;
    if (*text == '+' || *text == '-' || !*text) return false;          /* no option takes a number below 0 */
    if (strspn(text, "+-.0123456789eE") != strlen(text)) return false; /* no inf, nan, hexadecimal, spaces */
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

/* "a number from 0.01 to 1", for options without words of their own. */
static const char *from_to(const struct cli_option *option, const char *number)
{
    static char text[96];
    snprintf(text, sizeof text, "%s from %.10g to %.10g", number, option->min, option->max);
    return option->range ? option->range : text;
}

const char *cli_read_int(const struct cli_option *option, const char *text, void *target)
{
    double value;
    if (!cli_number(text, &value) || strpbrk(text, ".eE") || value < option->min || value > option->max)
        return from_to(option, "a whole number");
    *(int *)target = (int)value;
    return NULL;
}

const char *cli_read_u64(const struct cli_option *option, const char *text, void *target)
{
    (void)option;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno) return "a whole number from 0 to 18446744073709551615";
    *(uint64_t *)target = value;
    return NULL;
}

const char *cli_read_float(const struct cli_option *option, const char *text, void *target)
{
    double value;
    if (!cli_number(text, &value) || value < option->min || value > option->max) return from_to(option, "a number");
    *(float *)target = (float)value;
    return NULL;
}

/* Digits, perhaps with a point and more digits; K, M, G or T, perhaps with i; perhaps B. */
const char *cli_read_bytes(const struct cli_option *option, const char *text, void *target)
{
    (void)option;
    static const char rule[] = "a size of 1M or more, such as 512M or 2G", digits[] = "0123456789";
    static const char units[] = "KMGT";
    const char *end = text + strspn(text, digits);
    if (end == text) return rule;
    if (*end == '.') {
        size_t n = strspn(end + 1, digits);
        if (n == 0) return rule;
        end += n + 1;
    }
    double value = strtod(text, NULL); /* stops at `end`, or at an x that is refused below */
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        value = ldexp(value, 10 * (int)(unit - units + 1));
        end++;
        if (*end == 'i') end++;
    }
    if (*end == 'B' || *end == 'b') end++;
    if (*end || !(value >= 1 << 20) || value > 0x1p62) return rule;
    *(uint64_t *)target = (uint64_t)value;
    return NULL;
}

const char *cli_read_choice(const struct cli_option *option, const char *text, void *target)
{
    static char rule[128];
    size_t used = (size_t)snprintf(rule, sizeof rule, "one of");
    const char *word, *comma = " ";
    for (int i = 0; (word = cli_option_word(option, i)); i++) {
        if (!*word) continue;
        if (strcmp(word, text) == 0) {
            *(int *)target = i;
            return NULL;
        }
        if (used < sizeof rule) used += (size_t)snprintf(rule + used, sizeof rule - used, "%s%s", comma, word);
        comma = ", ";
    }
    return rule;
}

const char *cli_read_word(const struct cli_option *option, const char *text, void *target)
{
    int index;
    const char *rule = cli_read_choice(option, text, &index);
    if (!rule) *(const char **)target = text;
    return rule;
}

const char *cli_read_size(const struct cli_option *option, const char *text, void *target)
{
    (void)option;
    static const char rule[] = "one number or HEIGHTxWIDTH, each from 32 to 16384";
    int *size = target;
    char *end;
    if (*text < '0' || *text > '9') return rule;
    long height = strtol(text, &end, 10), width = height;
    if (*end == 'x' || *end == 'X') {
        if (end[1] < '0' || end[1] > '9') return rule;
        width = strtol(end + 1, &end, 10);
    }
    if (*end || height < 32 || height > 16384 || width < 32 || width > 16384) return rule;
    size[0] = (int)height, size[1] = (int)width;
    return NULL;
}

const struct cli_option cli_batch_option[] = {
    { .name = "batch",
      .value = "N",
      .help = "images at once (default 32, less where memory does not allow it)",
      .read = cli_read_int,
      .min = 1,
      .max = 65536 },
    { 0 },
};

const struct cli_option cli_image_options[] = {
    { .name = "preprocess",
      .value = "HOW",
      .help = "caffe: BGR minus the mean; torch: scaled to mean 0 and deviation 1; rescale: divided by 255; none: 0 to "
              "255 (default: what the weights want)",
      .read = cli_read_choice,
      .names = VGG_NAMES_PREPROCESS,
      .offset = offsetof(struct vgg_image_options, preprocess) },
    { .name = "resize",
      .value = "HOW",
      .help = "nearest, bilinear or lanczos (default: what the model was trained with, else nearest)",
      .read = cli_read_choice,
      .names = VGG_NAMES_RESIZE,
      .offset = offsetof(struct vgg_image_options, resize) },
    { .name = "crop",
      .value = "HOW",
      .help =
          "none stretches the image to the input size; center scales its shorter side to 256/224 of it and cuts the "
          "middle out (default: what the model was trained with, else none)",
      .read = cli_read_choice,
      .names = VGG_NAMES_CROP,
      .offset = offsetof(struct vgg_image_options, crop) },
    { .name = "decode",
      .value = "HOW",
      .help =
          "exact gives all pixels of a JPEG; fast decodes it at 1/2, 1/4 or 1/8 of its size, as long as that is not "
          "below what it is resized to (default: what the model was trained with or the features were made with, else "
          "exact)",
      .read = cli_read_choice,
      .names = VGG_NAMES_DECODE,
      .offset = offsetof(struct vgg_image_options, decode) },
    { .name = "skip-bad",
      .help = "count, list and skip images that cannot be read, instead of stopping",
      .read = cli_read_flag,
      .offset = offsetof(struct vgg_image_options, skip_bad) },
    { 0 },
};

/* One word of --augment: name, most, least (0: above 0, which would change nothing), and where it goes (shift goes to
 * both axes). */
struct change {
    const char *name;
    size_t offset, also;
    float max, min;
};

static const struct change changes[] = {
    { "rotate", offsetof(struct vgg_augment_options, rotate), 0, 180.0f, 0 },
    { "shift", offsetof(struct vgg_augment_options, shift_height), offsetof(struct vgg_augment_options, shift_width),
      1.0f, 0 },
    { "shift-height", offsetof(struct vgg_augment_options, shift_height), 0, 1.0f, 0 },
    { "shift-width", offsetof(struct vgg_augment_options, shift_width), 0, 1.0f, 0 },
    { "shear", offsetof(struct vgg_augment_options, shear), 0, 89.0f, 0 },
    { "zoom", offsetof(struct vgg_augment_options, zoom), 0, 0.99f, 0 },
    { "crop", offsetof(struct vgg_augment_options, crop), 0, 1.0f, 0.01f },
    { "brightness", offsetof(struct vgg_augment_options, brightness), 0, 1.0f, 0 },
    { "contrast", offsetof(struct vgg_augment_options, contrast), 0, 1.0f, 0 },
    { "saturation", offsetof(struct vgg_augment_options, saturation), 0, 1.0f, 0 },
};

static const char *const mirrors[] = { "flip", "vflip" };

static const char *augment_part(int i)
{
    const int mirrored = sizeof mirrors / sizeof *mirrors, changed = sizeof changes / sizeof *changes;
    if (i < mirrored) return mirrors[i];
    return i - mirrored < changed ? changes[i - mirrored].name : NULL;
}

static unsigned field(size_t offset)
{
    return 1u << offset / sizeof(float);
}

/* `set`: a bit for each field that was named, so that none is twice. */
static bool read_change(const char *word, char *target, unsigned *set)
{
    size_t n = strcspn(word, "=");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct change *change = &changes[i];
        double value;
        if (strlen(change->name) != n || strncmp(word, change->name, n) != 0 || word[n] != '=') continue;
        if (!cli_number(word + n + 1, &value) || !((float)value > 0)) return false;
        if ((float)value < change->min || value > (double)change->max) return false;
        unsigned fields = field(change->offset) | (change->also ? field(change->also) : 0);
        if (*set & fields) return false;
        *set |= fields;
        *(float *)(void *)(target + change->offset) = (float)value;
        if (change->also) *(float *)(void *)(target + change->also) = (float)value;
        return true;
    }
    return false;
}

static const char *read_augment(const struct cli_option *option, const char *text, void *target)
{
    static const char rule[] = "a list of rotate=0..180, shift=0..1, shift-height=0..1, shift-width=0..1, "
                               "shear=0..89, zoom=0..0.99, crop=0.01..1, brightness=0..1, contrast=0..1, "
                               "saturation=0..1, each above 0, flip and vflip, separated by commas, each once";
    (void)option;
    struct vgg_augment_options augment = { 0 };
    unsigned set = 0;
    char word[64];
    do {
        size_t n = strcspn(text, ",");
        if (n == 0 || n >= sizeof word) return rule;
        memcpy(word, text, n);
        word[n] = '\0';
        if (strcmp(word, mirrors[0]) == 0 && !augment.flip) {
            augment.flip = true;
        } else if (strcmp(word, mirrors[1]) == 0 && !augment.vflip) {
            augment.vflip = true;
        } else if (!read_change(word, (char *)&augment, &set)) {
            return rule;
        }
        text += n;
    } while (*text++ == ',');
    *(struct vgg_augment_options *)target = augment;
    return NULL;
}

const struct cli_option cli_augment_options[] = {
    { .name = "augment",
      .value = "LIST",
      .help =
          "random changes of training images, as in rotate=40,shift=0.2,shear=0.2,zoom=0.2,flip: degrees, "
          "fractions of height and width, degrees, fraction, left-right; vflip: upside down; crop=0.08: a part of at "
          "least that area, stretched to the input; brightness=0.2,contrast=0.2,saturation=0.2: colours times "
          "0.8 to 1.2, last of all (default: none)",
      .read = read_augment,
      .part = augment_part },
    { 0 },
};

static const char *const backend_names[] = { "auto", "cpu", "vulkan", NULL };
static const char *const isa_names[] = { "auto", "scalar", "avx2", "avx512", "neon", NULL };

const struct cli_option cli_common_options[] = {
    { .name = "backend",
      .value = "NAME",
      .help = "auto, cpu or vulkan (default: VGG16_BACKEND, else auto)",
      .read = cli_read_word,
      .choices = backend_names,
      .offset = offsetof(struct cli_common, engine.backend) },
    { .name = "device",
      .value = "WHICH",
      .help = "number that `vgg16 devices` shows (with --backend, among the devices of that backend), cpu, cpu:LEVEL, "
              "vulkan:N (of the Vulkan devices), part of one name, or UUID (default: VGG16_DEVICE, else the best)",
      .read = cli_read_text,
      .offset = offsetof(struct cli_common, engine.device) },
    { .name = "isa",
      .value = "LEVEL",
      .help = "highest CPU instruction set: auto, scalar, avx2, avx512 or neon (default: VGG16_ISA, else auto)",
      .read = cli_read_word,
      .choices = isa_names,
      .offset = offsetof(struct cli_common, engine.isa) },
    { .name = "conv",
      .value = "HOW",
      .help =
          "3x3 convolutions: direct; winograd, or winograd2, winograd4, winograd6 by the side of its tiles; or auto, "
          "the faster one for each layer (default auto)",
      .read = cli_read_word,
      .names = VGG_NAMES_CONV,
      .offset = offsetof(struct cli_common, engine.conv) },
    { .name = "precision",
      .value = "TYPE",
      .help =
          "operands of convolutions and dense layers: fp32, bf16, fp16 or int8; bf16 and int8 are for forward passes "
          "on "
          "CPUs, bf16 with AVX512_BF16 or --isa scalar, int8 with scales from `vgg16 quantize`; fp16 needs Vulkan and "
          "trains too, in mixed precision with a scaled loss (default: VGG16_PRECISION, else fp32)",
      .read = cli_read_word,
      .names = VGG_NAMES_PRECISION,
      .offset = offsetof(struct cli_common, engine.precision) },
    { .name = "threads",
      .value = "N",
      .help = "CPU threads (default: VGG16_THREADS, else OMP_NUM_THREADS, else all processors that a container leaves)",
      .read = cli_read_int,
      .min = 1,
      .max = 1024,
      .offset = offsetof(struct cli_common, engine.threads) },
    { .name = "memory",
      .value = "SIZE",
      .help = "limit for the network's memory, such as 512M or 2G; it never changes a bit: forward passes are split, a "
              "training step computes again what it has no room to keep, and one that does not fit then is refused "
              "(default: what the device has and a container leaves)",
      .read = cli_read_bytes,
      .offset = offsetof(struct cli_common, engine.memory) },
    { .name = "seed",
      .value = "N",
      .help = "of everything random (default 0)",
      .read = cli_read_u64,
      .offset = offsetof(struct cli_common, seed) },
    { .name = "json",
      .help = "results as one JSON object on stdout",
      .read = cli_read_flag,
      .offset = offsetof(struct cli_common, json) },
    { .name = "quiet",
      .letter = 'q',
      .help = "no progress and no notes; errors and results remain",
      .read = cli_read_flag,
      .offset = offsetof(struct cli_common, quiet) },
    { .name = "verbose",
      .letter = 'v',
      .help = "say what is chosen and why, and where the time goes; twice: everything",
      .read = cli_read_count,
      .offset = offsetof(struct cli_common, verbose) },
    { .name = "help",
      .letter = 'h',
      .help = "this text",
      .read = cli_read_flag,
      .offset = offsetof(struct cli_common, help) },
    { .name = "version",
      .help = "the version of the program",
      .read = cli_read_flag,
      .offset = offsetof(struct cli_common, version) },
    { 0 },
};
