/* What option values the program reads, and what it takes for nonsense. "~" stands for a space. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/cli/cli_train.h"
#include "tests/cli_run.h"

static enum vgg_status parse(struct cli_run *run, const char *line, const char *option, const char *value)
{
    char text[768];
    snprintf(text, sizeof text, "%s --%s=%s", line, option, value);
    return cli_run_parse(run, text);
}

/* Is each of the values, separated by spaces, taken, or none of them? */
static void expect(enum vgg_status status, const char *line, const char *option, const char *values)
{
    char text[768];
    cr_assert(strlen(values) < sizeof text);
    snprintf(text, sizeof text, "%s", values);
    for (char *rest = text, *value; (value = strtok_r(rest, " ", &rest));) {
        struct cli_run run;
        cr_expect(parse(&run, line, option, value) == status, "vgg16 %s --%s='%s' %s", line, option, value,
                  status == VGG_OK ? "is refused" : "is taken");
        cli_run_finish(&run);
    }
}

Test(option_values, bytes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        { "1M", 1 << 20 },         { "1048576", 1 << 20 },     { "1048577B", (1 << 20) + 1 }, { "512M", 512ull << 20 },
        { "512MB", 512ull << 20 }, { "512MiB", 512ull << 20 }, { "3000K", 3000ull << 10 },    { "2g", 2ull << 30 },
        { "1.5G", 3ull << 29 },    { "0.25T", 1ull << 38 },    { "03Ti", 3ull << 40 },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct cli_run run;
        cr_expect(parse(&run, "bench", "memory", good[i].text) == VGG_OK, "%s", good[i].text);
        cr_expect(run.cli.common.engine.memory == good[i].bytes, "%s: %llu", good[i].text,
                  (unsigned long long)run.cli.common.engine.memory);
        cli_run_finish(&run);
    }
    expect(VGG_ERR_ARGUMENT, "bench", "memory",
           "512~ ~512 512~M 0x10M 0x100000 1.5.2G 5GiBB 5GBB 5GBi 5Gii 5iB 5GM 1e9 1E9 1.e9 +5G -5G 5.G .5G . 5.BG "
           "1,5G M GiB "
           "1023K 1048575 0 0.9M 99999999999T 1e30 inf nan 1P 5G~ 5\tG 512\n");
}

Test(option_values, whole_numbers)
{
    expect(VGG_OK, "train d", "epochs", "0 1 007 1000000");
    expect(VGG_ERR_ARGUMENT, "train d", "epochs",
           "+1 -0 -1 1. 1.0 1e3 0x1 ~1 1~ 1x 1,0 1000001 99999999999999999999 x");
    expect(VGG_OK, "train d", "seed", "0 1 18446744073709551615");
    expect(VGG_ERR_ARGUMENT, "train d", "seed", "+1 -1 1. 1e3 0x1 ~1 1~ 1x 18446744073709551616 x");
    expect(VGG_ERR_ARGUMENT, "predict d", "top", "0 +1 1e1 1.5");
}

Test(option_values, numbers)
{
    expect(VGG_OK, "train d", "lr", "1e-3 1E-3 0.001 .001 3 1e+1");
    expect(VGG_ERR_ARGUMENT, "train d", "lr",
           "1e-3x +1e-3 -1 0 1e 1e- 1e1e1 1.2.3 0x1p-3 ~1 1~ inf nan 1e999 1,5 . e1 --1");
    expect(VGG_ERR_ARGUMENT, "train d", "weight-decay", "-0 +0 -1 1- 1e-3-");
}

Test(option_values, sizes)
{
    expect(VGG_OK, "train d", "size", "32 150x200 150X200 16384");
    expect(VGG_ERR_ARGUMENT, "train d", "size",
           "150x x150 +150 150x+200 150x-200 ~150 150~ 150x~200 150xx200 150x200x3 31 16385 1e2 150.0 0x96 "
           "99999999999999999999");
}

Test(option_values, checkpoints_by_steps_and_by_time)
{
    static const struct {
        const char *text;
        struct cli_every every;
    } good[] = { { "1", { 1, 0 } },          { "1000000000", { 1000000000, 0 } },
                 { "007", { 7, 0 } },        { "1s", { 0, 1 } },
                 { "90s", { 0, 90 } },       { "10m", { 0, 600 } },
                 { "1.5h", { 0, 5400 } },    { "0.5m", { 0, 30 } },
                 { "1000h", { 0, 3600000 } } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct cli_run run;
        cr_expect(parse(&run, "train d --checkpoint c", "checkpoint-every", good[i].text) == VGG_OK, "%s",
                  good[i].text);
        const struct cli_every *every = &((const struct cli_train *)run.options)->checkpoint_every;
        cr_expect(every->steps == good[i].every.steps && every->seconds == good[i].every.seconds, "%s", good[i].text);
        cli_run_finish(&run);
    }
    expect(VGG_ERR_ARGUMENT, "train d --checkpoint c", "checkpoint-every",
           "0 0s 0.9s 0.01m -1 +1 +1m 1. 1.5 1e3 1000000001 1001h m h 1ms 1mm 1d 1M ~1 1~ 1~m 0x1s "
           "11111111111111111111111111111111111111 infs x");
    expect(VGG_OK, "extract d -o f.safetensors", "part", "1/1 3/8 08/0008 1000000/1000000");
    expect(
        VGG_ERR_ARGUMENT, "extract d -o f.safetensors", "part",
        "0/1 2/1 1 1/ /1 1/0 -1/2 +1/2 1/+2 1/-2 1/2/3 1/2x 1x/2 ~1/2 1/~2 1.0/2 1/1000001 1/99999999999999999999 x");
}

Test(option_values, schedules)
{
    expect(VGG_OK, "train d --validation v", "schedule", "plateau:0.1,3 plateau:1e-1,29 plateau:.5,1");
    expect(
        VGG_ERR_ARGUMENT, "train d --validation v", "schedule",
        "plateau:0.1,0 plateau:0.1,+3 plateau:+.1,3 plateau:1,3 plateau:0,3 plateau:0.1 plateau:0.1,3, plateau:0.1,~3");
    expect(VGG_OK, "train d", "schedule", "constant cosine step:3:0.5 step:3:1e-1");
    expect(
        VGG_ERR_ARGUMENT, "train d", "schedule",
        "step step: step:3 step:+3:0.5 step:3:+0.5 step:3.0:0.5 step:3:0.5x step:3:0.5:1 step:0:0.5 step:3:0 step:3:1 "
        "step:3:1.1 "
        "step:~3:0.5 step:3:~0.5 Cosine cosine~");
}

Test(option_values, changes)
{
    expect(VGG_OK, "train d", "augment",
           "flip vflip crop=0.08 crop=1,vflip,brightness=0.01,contrast=1,saturation=.3 rotate=40 "
           "rotate=40,shift=0.2,shear=0.2,zoom=0.2,flip shift-height=0.1,shift-width=0.2");
    expect(VGG_ERR_ARGUMENT, "train d", "augment",
           "rotate=1,rotate=2 rotate=1,zoom=0.1,rotate=1 flip,flip flip,rotate=1,flip shift=0.1,shift=0.1 "
           "shift=0.1,shift-height=0.2 shift-width=0.1,shift=0.2 shear=1,shear=1 zoom=0.1,flip,zoom=0.1 rotate=+1 "
           "rotate=1x "
           "crop=0 crop=0.001 crop=1.1 vflip,vflip crop=1,crop=1 brightness=1.1 contrast=-1 saturation=2 vflip=1 "
           "rotate=0 shift=0 shift-width=0.0 shear=0 zoom=0 crop=0 contrast=0 flip,brightness=0e0 saturation=1e-50 "
           "rotate=~1 rotate=1~ rotate=0x1 rotate=-0 flip, ,flip flip,,zoom=0.1 rotate rotate= flip=1 Flip");
    struct cli_run run;
    cr_assert(parse(&run, "train d", "augment", "rotate=1,shift=0.25,shear=2,zoom=0.5") == VGG_OK);
    const struct vgg_augment_options *a = &((struct cli_train *)run.options)->augment;
    cr_expect(a->rotate == 1 && a->shift_height == 0.25f && a->shift_width == 0.25f && a->shear == 2 &&
              a->zoom == 0.5f);
    cr_expect(!a->flip && !a->vflip && a->crop == 0 && a->brightness == 0 && a->contrast == 0 && a->saturation == 0);
    cli_run_finish(&run);
}

Test(option_values, lists)
{
    expect(VGG_OK, "bench", "batch", "1 1,8 8,1,64");
    expect(VGG_ERR_ARGUMENT, "bench", "batch", "1,1 1,8,1 1, ,1 1,,8 +1 1,+8 1,~8 1;8 1e1 0");
    expect(VGG_OK, "bench", "size", "224,150x200 32x33,33x32");
    expect(VGG_ERR_ARGUMENT, "bench", "size", "224,224 224,32,224x224 150x200,150x200 224, ,224 224,+150 224x");
    expect(VGG_OK, "bench", "pass", "forward step,backward");
    expect(VGG_ERR_ARGUMENT, "bench", "pass",
           "forward,forward step,forward,step forward, ,step forward,,step Forward update");
    expect(VGG_OK, "bench", "on", "all cpu cpu,vulkan cpu:avx2,cpu:avx2:direct vulkan:0,vulkan:00");
    expect(VGG_ERR_ARGUMENT, "bench", "on", "cpu,cpu cpu,vulkan,cpu vulkan:0,vulkan:0 cpu, ,cpu cpu,,vulkan ,");
}

Test(option_values, words)
{
    expect(VGG_ERR_ARGUMENT, "train d", "optimizer", "SGD sgd~ ~sgd sg lion");
    expect(VGG_ERR_ARGUMENT, "extract d", "conv", "Auto auto~ winograd3 winograd8 winograd46 winograd4~ fast");
    expect(VGG_OK, "extract d", "conv", "auto direct winograd winograd2 winograd4 winograd6");
    expect(VGG_ERR_ARGUMENT, "extract d", "preprocess", "default Torch torch~");
    struct cli_run run;
    cr_expect(cli_run_parse(&run, "train d --output=") == VGG_ERR_ARGUMENT);
    cli_run_finish(&run);
}
