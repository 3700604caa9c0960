/* vgg16_bench.h: the public interface for those who measure and check: the self-test of every device, and benchmarks.
 * The conventions of vgg16.h hold. */
#ifndef VGG16_BENCH_H
#define VGG16_BENCH_H

#include "vgg16.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- selftest -------------------------------------------------------------------------------------------------- */

/* One operation on one device. */
struct vgg_selftest_result {
    const char *device; /* its name, and for a processor the level: "Intel(R) Xeon(R) Processor (avx2)" */
    const char *op;     /* "CONV", "POOL2_BWD", ... */
    const char *shape;  /* views as n x height x width x channels, and flags; as all three, until the call returns */
    double error;       /* largest error of the outputs in units of their scale; infinite for what is not finite */
    double bound;       /* the largest that is allowed */
    bool passed;        /* error <= bound, and nothing beside the outputs was written */
    size_t done, total; /* results so far, this one included, and the most that there may be */
};
/* Receives each result as soon as it is there, in the thread that called vgg_selftest. */
typedef void vgg_selftest_fn(void *user, const struct vgg_selftest_result *result);
/* Runs every operation, on every backend, device and ISA level found that `options` allows, against the plain C
 * reference. Of the options backend, device, isa, threads and precision count; NULL: everything found. fn may be NULL,
 * user is handed to it. VGG_ERR_NUMERIC when a result differs by more than its bound, after all of them; what
 * vgg_engine_create returns when a device cannot be opened. */
VGG_API enum vgg_status vgg_selftest(const struct vgg_engine_options *options, vgg_selftest_fn *fn, void *user);

/* ---- benchmark ------------------------------------------------------------------------------------------------- */

/* What is timed. FORWARD: upload of the images, the pass, download of the outputs, as for features and predictions.
 * BACKWARD: the gradients alone, the forward pass before them not counted. STEP: upload, forward, backward, update,
 * download of the losses. UPDATE names a stage of STEP layer by layer and cannot be asked for. */
enum vgg_bench_pass { VGG_BENCH_FORWARD, VGG_BENCH_BACKWARD, VGG_BENCH_STEP, VGG_BENCH_UPDATE, VGG_BENCH_PASS_COUNT };

/* Seconds of `runs` equal runs, the first ones that warm up left out; the quartiles are interpolated linearly. */
struct vgg_bench_time {
    int runs; /* at least 1; fewer than asked for when interrupted */
    double min, q1, median, q3, max;
};

/* One backend on one device; a processor counts once for each instruction set level. */
struct vgg_bench_device {
    /* As options->on names it: "cpu:avx2", "cpu:avx2:direct", "vulkan:0"; behind that ":bf16" or ":int8", for
     * a device that is measured in fp32 and in that. */
    char name[64];
    struct vgg_device_info info; /* of the opened device: its threads are those that were used */
    char isa[16], conv[16];      /* CPU: the level, and how convolutions are computed ("auto"); else "" */
    double peak;                 /* measured: fused multiply-adds, two operations each, a second */
    double bandwidth; /* measured: bytes a second of a sweep over memory, the better of an update and a fill */
};

/* One operation of the list. Operations are counted as the formula has them, so that a convolution that saves
 * multiplications (Winograd's) may exceed the roof. */
struct vgg_bench_layer {
    char name[32];             /* of the layer; "parameters" for the update */
    char op[24];               /* "CONV", "CONV_BWD_DATA", ... */
    enum vgg_bench_pass stage; /* FORWARD, BACKWARD or UPDATE */
    double flops;              /* operations of one run, a multiply-add counted as two */
    double bytes;              /* of one run, every tensor counted once as it is read or written */
    double roof;               /* operations a second: the lesser of peak and bandwidth * flops / bytes */
    struct vgg_bench_time time;
};

/* Reasons to distrust a result, as bits: the quartiles lie more than 10 % of the median apart; other processes used
 * more than 5 % of the processors meanwhile; a hypervisor took away more than 2 % of them. */
enum vgg_bench_noise { VGG_BENCH_NOISE_SPREAD = 1, VGG_BENCH_NOISE_LOAD = 2, VGG_BENCH_NOISE_STEAL = 4 };

/* One case: a pass at one batch and input size on one device. */
struct vgg_bench_result {
    int device; /* index in vgg_bench.device */
    enum vgg_bench_pass pass;
    int batch, height, width;                             /* images of one run; pixels of each */
    struct vgg_bench_time time;                           /* of one run, that is of all `batch` images */
    double first;                                         /* seconds of the first run: packing, shaders, memory */
    double flops, bytes;                                  /* of one run, as of the layers */
    uint64_t parameters, gradients, moments, activations; /* bytes on the device; parameters: with copies of kernels */
    double error, bound;  /* distance from the first device's outputs (FORWARD) or gradients, and what is allowed */
    double others, steal; /* shares of the processors, see enum vgg_bench_noise; NAN: unknown or too short to tell */
    unsigned noise;       /* enum vgg_bench_noise */
    double energy;        /* joules of the processor packages for one run (RAPL); NAN: not readable */
    struct vgg_bench_layer *layer; /* in the order in which they run */
    size_t layers;                 /* 0 unless asked for */
};

/* What was left out, and why, in words. */
struct vgg_bench_skip {
    char device[64]; /* as vgg_bench_device.name */
    char what[64];   /* "everything", or the case: "forward, batch 256 at 32x32" */
    char why[160];
};

/* A whole benchmark; all it points to is its own. */
struct vgg_bench {
    char version[16], date[24];              /* of the library; UTC, ISO 8601 */
    char machine[128];                       /* the processor's name */
    int processors;                          /* that the process may use */
    uint64_t memory, peak_resident;          /* bytes that it may use, and the most that it held */
    char arch[16], head[128], trainable[32]; /* as asked for */
    struct vgg_bench_device *device;         /* in the order asked for */
    size_t devices;
    struct vgg_bench_result *result; /* by size, then batch, then pass; the devices of a case together */
    size_t results;
    struct vgg_bench_skip *skip;
    size_t skips;
    bool interrupted; /* by `progress`: there may be less than was asked for */
};

/* Receives each case when it is done; `bench` holds it and all before it. Both may move with the next case. */
typedef void vgg_bench_fn(void *user, const struct vgg_bench *bench, const struct vgg_bench_result *result);

/* What to measure. Zero means the default; whatever else is out of its range is VGG_ERR_ARGUMENT before any device is
 * opened. All that it points to must stay until the call returns. */
struct vgg_bench_options {
    /* Devices, separated by commas, in the order of the results; each as vgg_device_find takes it. A processor counts
     * for every level found but scalar ("cpu"), or for one ("cpu:LEVEL", with its own way of convolutions
     * "cpu:LEVEL:CONV"); "vulkan" is every GPU, "all" everything found, scalar and Vulkan devices of CPU type too. One
     * that comes twice is measured once. NULL: cpu and vulkan as found and as `engine` allows. */
    const char *on;
    /* conv, threads (0 to 1024), memory and precision for all (with bf16 or int8 each device is measured in fp32
     * and in that side by side, forward alone, and its error is the distance from the first in fp32); backend, device
     * and isa narrow on = NULL, a level is then measured alone. */
    struct vgg_engine_options engine;
    const char *arch; /* "vgg11", "vgg13", "vgg16", "vgg19"; NULL: vgg16 */
    /* As struct vgg_model_options has it, at most 127 characters; NULL: "gap,dense:10:softmax". */
    const char *head;
    const char *trainable;        /* what BACKWARD and STEP train, as struct vgg_train_options has it; NULL: all */
    enum vgg_optimizer optimizer; /* of STEP; its learning rate is 0, so that every run does the same */
    unsigned passes;              /* 1 << pass for each of FORWARD, BACKWARD, STEP; 0: all three */
    const int *batch;             /* images of a run, each 1 to 65536 */
    int batches;                  /* how many of them, at most 1024; 0: one of 1 image */
    const int (*size)[2];         /* {height, width} in pixels, each 32 to 16384 */
    int sizes;                    /* how many of them, at most 1024; 0: one of 224 x 224 */
    int repeats;                  /* timed runs of each case, 1 to 10000; 0: 7 */
    bool layers;                  /* also layer by layer, in as many runs of its own */
    uint64_t seed;                /* of weights and images */
    vgg_bench_fn *on_result;      /* NULL: nobody listens */
    vgg_progress_fn *progress;    /* after each device's peaks ("devices") and each run ("runs"); NULL: never asked */
    void *user;                   /* handed to both */
};

/* Measures random weights on random images; options NULL: everything by default. A whole batch is one shard. Devices
 * take turns run by run, so that their ratios hold on a machine whose speed drifts, as far as memory allows. Before a
 * case is timed all devices must agree: outputs within a relative distance of 1e-3 (bf16: 0.05, int8: 0.2), gradients
 * within 5e-2 a tensor (root of the summed squares); else VGG_ERR_NUMERIC. A case that a device has no memory for is
 * noted in (*out)->skip. When `progress` asks to stop the call returns VGG_INTERRUPTED, and *out still holds what was
 * measured. VGG_ERR_ARGUMENT: an option is out of its range; VGG_ERR_MISSING: no such device; what vgg_engine_create
 * returns when one cannot be opened. */
VGG_API enum vgg_status vgg_bench_run(struct vgg_bench **out, const struct vgg_bench_options *options);
VGG_API void vgg_bench_destroy(struct vgg_bench *bench);
/* "forward", "backward", "step", "update"; NULL for anything else. */
VGG_API const char *vgg_bench_pass_name(enum vgg_bench_pass pass);

/* ---- scaling over ranks ---------------------------------------------------------------------------------------- */

/* One case on one rank, which is the first with its part of the machine, and on all. */
struct vgg_bench_scaling_row {
    enum vgg_bench_pass pass; /* FORWARD or STEP */
    int batch, height, width; /* images of one run of all ranks together; pixels of each */
    int shard;                /* STEP: images of a shard; FORWARD: 1 */
    struct vgg_bench_time one, all;
    double efficiency;      /* one.median / (ranks * all.median) */
    double seconds, waited; /* of a run on all: spent on messages, and what of that no backward pass hid */
    double bytes;           /* sent by the first rank in a run */
    double model;           /* seconds of a run on all by the model in benchmarks/README.md */
};

struct vgg_bench_scaling {
    char version[16], date[24], machine[128]; /* as in struct vgg_bench */
    char arch[16], head[128], trainable[32];
    struct vgg_device_info info; /* of the first rank's device */
    int ranks;
    double alpha, beta; /* measured between the first rank and the last: seconds a message, bytes a second each way */
    struct vgg_bench_scaling_row *row; /* by size, then batch, then pass */
    size_t rows;
};

/* Measures forward passes and steps, as STEP is above but with the shards that training takes, on all ranks of
 * options->engine.ranks and on the first alone, in turns. Called by all ranks; what is measured is the first one's.
 * `on`, `layers`, a precision but fp32, BACKWARD and one rank alone are VGG_ERR_ARGUMENT. An interruption leaves
 * nothing. */
VGG_API enum vgg_status vgg_bench_scale(struct vgg_bench_scaling **out, const struct vgg_bench_options *options);
VGG_API void vgg_bench_scaling_destroy(struct vgg_bench_scaling *scaling);
/* As vgg_bench_json. */
VGG_API enum vgg_status vgg_bench_scaling_json(char **out, const struct vgg_bench_scaling *scaling);

/* A case, or a layer of one, in two benchmarks. */
struct vgg_bench_change {
    size_t old_result, new_result; /* indices in the result arrays */
    size_t layer;                  /* index in the new result's layers; SIZE_MAX: the whole case */
    double ratio;                  /* new median over old */
    double noise;                  /* what counts as nothing: 2 % and the quartile distances of both */
    int verdict;                   /* 1: slower, -1: faster, 0: within the noise */
};

struct vgg_bench_comparison {
    struct vgg_bench_change *change; /* cases first, each followed by its layers; equal names and shapes only */
    size_t changes;
    size_t slower, faster;     /* cases */
    size_t only_old, only_new; /* cases without a partner */
};
/* Sets cases side by side that agree in network, pass, batch, size and device (by both of its names); cases without a
 * partner are counted, and no error. VGG_ERR_MEMORY alone can happen. */
VGG_API enum vgg_status vgg_bench_compare(struct vgg_bench_comparison **out, const struct vgg_bench *old,
                                          const struct vgg_bench *now);
VGG_API void vgg_bench_comparison_destroy(struct vgg_bench_comparison *comparison);

/* JSON as benchmarks/README.md documents it, ended by '\0'; *out is released with free(). `comparison` and the
 * benchmark `old` that it was made with may be NULL, both or none. VGG_ERR_MEMORY alone can happen. */
VGG_API enum vgg_status vgg_bench_json(char **out, const struct vgg_bench *bench, const struct vgg_bench *old,
                                       const struct vgg_bench_comparison *comparison);
/* Writes a page with charts: bars of all devices, and for cases measured layer by layer a roofline and a heat map;
 * `old` and `comparison` as above. The file appears whole or not at all. VGG_ERR_IO when it cannot be written. */
VGG_API enum vgg_status vgg_bench_report(const struct vgg_bench *bench, const struct vgg_bench *old,
                                         const struct vgg_bench_comparison *comparison, const char *path);
/* Reads a file that holds such JSON; what a comparison says in it is passed over. VGG_ERR_IO when it cannot be read,
 * VGG_ERR_FORMAT, with the member that is missing or wrong, when it is not what vgg_bench_json writes. */
VGG_API enum vgg_status vgg_bench_load(struct vgg_bench **out, const char *path);

#ifdef __cplusplus
}
#endif
#endif
