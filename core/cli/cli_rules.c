#include "core/cli/cli_rules.h"

#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_output.h"
#include "core/cli/cli_train.h"

/* ---- what options say ---- */

static const char *given(const struct cli_facts *facts, const char *option)
{
    return cli_given(facts->cli, option);
}

/* Was the option typed with this value? */
static bool says(const struct cli_facts *facts, const char *option, const char *value)
{
    const char *text = given(facts, option);
    return text && strcmp(text, value) == 0;
}

/* What an option of the engine says, typed or in the environment. */
static bool asks(const char *word, const char *value)
{
    return word && strcmp(word, value) == 0;
}

/* A count, or `otherwise` where it was not typed. */
static long number(const struct cli_facts *facts, const char *option, long otherwise)
{
    const char *text = given(facts, option);
    return text ? strtol(text, NULL, 10) : otherwise;
}

/* ---- conditions ---- */

/* Is `word`, n characters, of the form NAME or NAME:WHICH? */
static bool is_of(const char *word, size_t n, const char *name)
{
    size_t m = strlen(name);
    return n >= m && strncmp(word, name, m) == 0 && (n == m || word[m] == ':');
}

const char *cli_backend_said(const char *device)
{
    if (device && is_of(device, strlen(device), "cpu")) return "cpu";
    return device && is_of(device, strlen(device), "vulkan") ? "vulkan" : NULL;
}

/* A word of `vgg16 bench --on` at `word`, n characters: perhaps a processor? Without `conv`, one that names no
 * convolution. */
static bool is_cpu(const char *word, size_t n, bool conv)
{
    if (is_of(word, n, "vulkan")) return false;
    if (!is_of(word, n, "cpu")) return true; /* all, or what must be looked up */
    const char *level = memchr(word, ':', n), *own = level;
    if (own) own = memchr(level + 1, ':', n - (size_t)(level + 1 - word));
    return conv || !own;
}

static bool on_has_cpu(const char *on, bool conv)
{
    for (size_t n; *on; on += n + (on[n] != '\0')) {
        n = strcspn(on, ",");
        if (is_cpu(on, n, conv)) return true;
    }
    return false;
}

static bool on_has_vulkan(const char *on)
{
    for (size_t n; *on; on += n + (on[n] != '\0')) {
        n = strcspn(on, ",");
        if (!is_of(on, n, "cpu")) return true; /* perhaps */
    }
    return false;
}

/* What --on says, with what has been found out about it; NULL: it was not typed. */
static const char *on_said(const struct cli_facts *facts)
{
    return facts->on ? facts->on : given(facts, "on");
}

/* The backend of the device, as far as it is known; NULL: any. */
static const char *backend_of(const struct cli_facts *facts)
{
    const struct vgg_engine_options *engine = &facts->cli->common.engine;
    const char *said = cli_backend_said(engine->device);
    return facts->backend ? facts->backend : said ? said : engine->backend;
}

static bool on_cpu(const struct cli_facts *facts)
{
    const char *on = on_said(facts);
    return on ? on_has_cpu(on, true) : !asks(backend_of(facts), "vulkan");
}

static bool on_gpu(const struct cli_facts *facts)
{
    return !asks(backend_of(facts), "cpu");
}

static bool on_vulkan(const struct cli_facts *facts)
{
    const char *on = on_said(facts);
    return on ? on_has_vulkan(on) : on_gpu(facts);
}

static bool on_cpu_of_any_conv(const struct cli_facts *facts)
{
    const char *on = on_said(facts);
    return on ? on_has_cpu(on, false) : on_cpu(facts);
}

static bool device_has_no_level(const struct cli_facts *facts)
{
    const char *device = facts->cli->common.engine.device;
    return !device || strncmp(device, "cpu:", 4) != 0;
}

static bool device_is_of_backend(const struct cli_facts *facts)
{
    const struct vgg_engine_options *engine = &facts->cli->common.engine;
    const char *said = cli_backend_said(engine->device);
    return !said || asks(engine->backend, "auto") || asks(engine->backend, said);
}

static bool winograd_there(const struct cli_facts *facts)
{
    const struct vgg_engine_options *engine = &facts->cli->common.engine;
    bool scalar = asks(engine->isa, "scalar") || asks(engine->device, "cpu:scalar");
    bool fp32 = !engine->precision || asks(engine->precision, "fp32");
    return fp32 && (given(facts, "on") || !scalar);
}

static bool trains(const struct cli_facts *facts)
{
    return number(facts, "epochs", 1) > 0;
}

static bool trains_or_reports(const struct cli_facts *facts)
{
    return trains(facts) || given(facts, "report");
}

static bool validates(const struct cli_facts *facts)
{
    return given(facts, "validation") || given(facts, "validation-split");
}

static bool computes(const struct cli_facts *facts)
{
    return trains(facts) || (given(facts, "report") && validates(facts));
}

static bool trains_randomly(const struct cli_facts *facts)
{
    return trains(facts) || !given(facts, "from") || given(facts, "validation-split");
}

static bool by_sgd(const struct cli_facts *facts)
{
    return says(facts, "optimizer", "sgd");
}

static bool with_momentum(const struct cli_facts *facts)
{
    const char *text = given(facts, "momentum");
    return text && strtod(text, NULL) > 0;
}

static bool with_checkpoint(const struct cli_facts *facts)
{
    return given(facts, "checkpoint");
}

enum { EPOCHS = 30 }; /* without --epochs */

/* What --schedule says; constant where it was not typed. */
static struct cli_schedule schedule_of(const struct cli_facts *facts)
{
    struct cli_schedule schedule = { .kind = VGG_SCHEDULE_CONSTANT };
    const char *text = given(facts, "schedule");
    if (text) cli_schedule_parse(&schedule, text);
    return schedule;
}

/* Does it come to a step? */
static bool schedule_acts(const struct cli_facts *facts)
{
    struct cli_schedule schedule = schedule_of(facts);
    bool waits = schedule.kind == VGG_SCHEDULE_STEP || schedule.kind == VGG_SCHEDULE_PLATEAU;
    return !waits || schedule.every < number(facts, "epochs", EPOCHS);
}

static bool plateau_is_seen(const struct cli_facts *facts)
{
    return schedule_of(facts).kind != VGG_SCHEDULE_PLATEAU || validates(facts);
}

static bool warmup_ends(const struct cli_facts *facts)
{
    const char *text = given(facts, "warmup");
    return !text || strtod(text, NULL) < (double)number(facts, "epochs", EPOCHS);
}

static bool base_trains(const struct cli_facts *facts)
{
    return given(facts, "trainable") && !says(facts, "trainable", "head");
}

static bool monitors(const struct cli_facts *facts)
{
    return validates(facts) && (says(facts, "keep", "best") || given(facts, "early-stop") ||
                                schedule_of(facts).kind == VGG_SCHEDULE_PLATEAU);
}

static bool may_stop_early(const struct cli_facts *facts)
{
    return number(facts, "early-stop", 1) < number(facts, "epochs", EPOCHS);
}

static bool with_output(const struct cli_facts *facts)
{
    return given(facts, "output");
}

static bool with_part(const struct cli_facts *facts)
{
    return given(facts, "part");
}

static bool output_is_tensors(const struct cli_facts *facts)
{
    const char *path = given(facts, "output");
    return path && cli_output_extension(path, ".safetensors");
}

static bool with_picture(const struct cli_facts *facts)
{
    return given(facts, "picture");
}

static bool layer_has_maps(const struct cli_facts *facts)
{
    const char *layer = given(facts, "layer");
    return !layer || strncmp(layer, "block", 5) == 0;
}

static bool weights_are_random(const struct cli_facts *facts)
{
    return says(facts, "weights", "random");
}

/* True where no output was typed. */
static bool output_ends(const struct cli_facts *facts, const char *const *suffixes)
{
    const char *path = given(facts, "output");
    return !path || cli_output_ends(path, suffixes);
}

static bool output_has_colours(const struct cli_facts *facts)
{
    return output_ends(facts, (const char *const[]) { ".png", ".html", NULL });
}

static bool output_is_page(const struct cli_facts *facts)
{
    return output_ends(facts, (const char *const[]) { ".html", NULL });
}

static bool out_is_safetensors(const struct cli_facts *facts)
{
    return cli_output_extension(facts->cli->args[1], ".safetensors");
}

static bool out_is_tensors(const struct cli_facts *facts)
{
    return cli_output_ends(facts->cli->args[1], (const char *const[]) { ".safetensors", ".pth", ".pt", NULL });
}

static bool out_is_not_torch(const struct cli_facts *facts)
{
    return !cli_output_ends(facts->cli->args[1], (const char *const[]) { ".pth", ".pt", ".onnx", NULL });
}

static bool makes_model(const struct cli_facts *facts)
{
    return given(facts, "head") || given(facts, "classes");
}

static bool infers_alone(const struct cli_facts *facts)
{
    const char *precision = facts->cli->common.engine.precision;
    return asks(precision, "bf16") || asks(precision, "int8");
}

static bool pass_trains(const struct cli_facts *facts)
{
    const char *pass = given(facts, "pass");
    return pass ? strstr(pass, "backward") || strstr(pass, "step") : !infers_alone(facts);
}

/* bf16 and int8 have no gradients. */
static bool pass_is_there(const struct cli_facts *facts)
{
    return !infers_alone(facts) || says(facts, "pass", "forward");
}

static bool data_is_images(const struct cli_facts *facts)
{
    return facts->data != CLI_CONTENT_FEATURES;
}

static bool any_images(const struct cli_facts *facts)
{
    return facts->data != CLI_CONTENT_FEATURES || facts->validation == CLI_CONTENT_IMAGES;
}

/* ---- the table ---- */

static const char one[] = "give one of them";

/* The first row that does not hold is told. Without a condition a row never holds. */
const struct cli_rule cli_rules[] = {
    { "devices summary pull merge convert", "backend device isa conv precision threads memory",
      .words = "nothing is computed on a device" },
    { "devices summary pull merge evaluate predict explain convert", "seed", .words = "nothing is random" },
    { "quantize", "precision", .words = "it is int8 that is prepared" },
    { "quantize", "conv", .value = "winograd*",
      .words = "int8 has a form of its own; leave --conv out for it, or give direct" },
    { "selftest", "conv memory seed", .words = "every operation is tested by itself, on fixed numbers" },

    { "*", "verbose", .without = "quiet", .words = one },
    { "train", "weights", .without = "from", .words = one },
    { "quantize", "weights", .without = "model", .words = one },
    { "quantize", "arch size layer preprocess", .without = "model",
      .words = "the model has its own; give one of them" },
    { "train", "overwrite", .without = "resume", .words = one },
    { "train", "head", .without = "from", .words = "give one of them; a new head needs --weights MODEL" },
    { "train", "layer", .without = "from", .words = "the model has its own; give one of them" },
    { "train", "validation-split", .without = "validation", .words = one },
    { "bench", "backend device isa", .without = "on", .words = "--on names devices and levels; give one of them" },

    { "*", "backend", .value = "", .holds = device_is_of_backend, .words = "not what --device says; give one of them" },
    { "*", "isa", .holds = device_has_no_level, .words = "--device names a level; give one of them" },

    { "bench", "conv", .holds = on_cpu_of_any_conv,
      .words = "only on the CPU, where --on names no convolution of its own" },
    { "*", "conv", .value = "winograd*", .holds = on_cpu, .words = "only on the CPU; Vulkan knows auto and direct" },
    { "*", "conv", .value = "winograd*", .holds = winograd_there,
      .words = "only with --precision fp32 and an --isa above scalar" },
    { "train", "precision", .value = "bf16", .words = "training needs fp32 or fp16" },
    { "extract evaluate predict explain bench selftest", "precision", .value = "bf16", .holds = on_cpu,
      .words = "only on the CPU; Vulkan computes in fp32 or fp16" },
    { "extract train evaluate predict explain bench selftest", "precision", .value = "fp16", .holds = on_vulkan,
      .words = "only with Vulkan; the CPU computes in fp32, bf16 or int8" },
    { "train", "precision", .value = "int8", .words = "training needs fp32 or fp16" },
    { "explain", "precision", .value = "int8", .words = "gradients need fp32" },
    { "extract evaluate predict bench selftest", "precision", .value = "int8", .holds = on_cpu,
      .words = "only on the CPU" },
    { "bench", "pass", .holds = pass_is_there, .words = "only forward with --precision bf16 or int8" },
    { "*", "isa threads", .holds = on_cpu, .words = "only on the CPU" },
    { "train", "on-device-lost", .holds = on_gpu, .words = "only on a GPU" },

    { "train", "output", .value = "", .suffixes = (const char *const[]) { ".safetensors", NULL }, .or_unknown = true,
      .words = "the model is written as safetensors; name it X.safetensors, then `vgg16 convert` makes .h5" },
    { "train evaluate bench", "report", .value = "", .suffixes = (const char *const[]) { ".html", ".htm", NULL },
      .or_unknown = true, .words = "the report is a page; name it X.html" },
    { "train", "log", .value = "", .suffixes = (const char *const[]) { ".csv", ".jsonl", ".txt", NULL },
      .or_unknown = true, .words = "the history is .csv or .jsonl" },
    { "train",
      "trainable optimizer lr weight-decay schedule warmup lr-decay clip-norm label-smoothing steps-per-epoch shard "
      "class-weight keep no-shuffle checkpoint "
      "on-device-lost log tensorboard augment",
      .holds = trains, .words = "only with --epochs above 0" },
    { "train", "validation validation-split", .holds = trains_or_reports,
      .words = "only with --epochs above 0 or --report" },
    { "train", "batch skip-bad backend device isa conv precision threads memory", .holds = computes,
      .words = "only with --epochs above 0, or with --report and validation data" },
    { "train", "seed", .holds = trains_randomly,
      .words = "nothing is random with --from and --epochs 0, without --validation-split" },
    { "train", "momentum", .holds = by_sgd, .words = "only with --optimizer sgd" },
    { "train", "nesterov", .holds = with_momentum, .words = "only with --momentum above 0" },
    { "train", "resume overwrite checkpoint-every", .holds = with_checkpoint, .words = "only with --checkpoint DIR" },
    { "train", "schedule", .value = "", .holds = plateau_is_seen,
      .words = "only with --validation or --validation-split" },
    { "train", "schedule", .value = "", .holds = schedule_acts,
      .words = "EVERY or PATIENCE must be below the number of --epochs" },
    { "train", "warmup", .value = "", .holds = warmup_ends, .words = "must be below the number of --epochs" },
    { "train", "lr-decay", .holds = base_trains, .words = "only with a --trainable below the head" },
    { "train", "early-stop", .holds = may_stop_early, .words = "only with --epochs above N" },
    { "train", "keep", .value = "best", .holds = validates, .words = "only with --validation or --validation-split" },
    { "train", "monitor", .holds = monitors,
      .words = "only with validation data and --keep best, --early-stop or --schedule plateau" },
    { "train", "augment", .holds = data_is_images, .words = "only on images; DATA holds features" },

    { "extract", "output", .value = "",
      .suffixes = (const char *const[]) { ".npy", ".h5", ".safetensors", ".csv", NULL },
      .words = "the extension must be .npy, .h5, .safetensors or .csv" },
    { "extract", "picture", .value = "", .suffixes = (const char *const[]) { ".png", NULL },
      .words = "the extension must be .png" },
    { "extract", "part", .without = "picture", .words = "a part has no picture; give one of them" },
    { "extract", "part", .holds = output_is_tensors,
      .words = "only with an --output that ends in .safetensors; `vgg16 merge` makes the other kinds of the parts" },
    { "extract", "resume", .holds = with_part, .words = "only with --part I/N" },
    { "extract", "pooling batch", .holds = with_output, .words = "only with --output FILE" },
    { "extract", "pooling", .holds = layer_has_maps, .words = "only of a --layer of the base; others are vectors" },
    { "extract", "channels colours", .holds = with_picture, .words = "only with --picture F.png" },
    { "extract", "seed", .holds = weights_are_random, .words = "only with --weights random" },

    { "evaluate", "output", .value = "", .suffixes = (const char *const[]) { ".csv", ".txt", NULL }, .or_unknown = true,
      .words = "the table is CSV; name it X.csv" },

    { "explain", "output", .value = "", .suffixes = (const char *const[]) { ".png", ".html", ".npy", NULL },
      .words = "the extension must be .png, .html or .npy" },
    { "explain", "map", .value = "", .suffixes = (const char *const[]) { ".npy", NULL },
      .words = "the extension must be .npy" },
    { "explain", "map", .holds = output_has_colours,
      .words = "only with an --output in .png or .html; .npy has the maps already" },
    { "explain", "colours alpha", .holds = output_has_colours, .words = "only with an --output in .png or .html" },
    { "explain", "top", .holds = output_is_page, .words = "only with an --output in .html" },

    { "quantize", "output", .value = "", .suffixes = (const char *const[]) { ".safetensors", NULL }, .or_unknown = true,
      .words = "the weights are written as safetensors; name it X.safetensors" },
    { "quantize", "backend device", .value = "vulkan*", .words = "int8 is computed on the CPU" },
    { "quantize", "seed", .holds = weights_are_random, .words = "only with --weights random" },

    { "convert", "layout", .value = "torchvision", .holds = out_is_safetensors,
      .words = "needs an OUT that ends in .safetensors" },
    { "convert", "layout", .value = "keras", .holds = out_is_not_torch,
      .words = "needs an OUT that ends in .safetensors or .h5" },
    { "convert", "dtype", .value = "f16", .holds = out_is_tensors,
      .words = "needs an OUT that ends in .safetensors or .pth" },
    { "convert", "size preprocess", .holds = makes_model, .words = "only with --head or --classes" },

    { "bench", "trainable", .holds = pass_trains, .words = "only with backward or step in --pass" },

    { "train evaluate predict extract explain quantize", "skip-bad", .holds = any_images,
      .words = "only on images; features have none that could be bad" },
    { 0 },
};
