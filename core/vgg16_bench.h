/* vgg16_bench.h: the public interface for those who measure and check: the self-test of every device, and benchmarks.
 * The conventions of vgg16.h hold. */
#ifndef VGG16_BENCH_H
#define VGG16_BENCH_H

#include "vgg16.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- selftest -------------------------------------------------------------------------------------------------- */

struct vgg_selftest_result {
    const char *device, *op, *shape;
    double error, bound; /* largest error in units of the output's scale, and what is allowed */
    bool passed;
    size_t done, total; /* results so far, this one included, and the most that there may be */
};
typedef void vgg_selftest_fn(void *user, const struct vgg_selftest_result *result);
/* Runs every operation, on every backend, device and ISA level found that `options` allows, against the plain C
 * reference. VGG_ERR_NUMERIC when one differs by more than its bound. */
VGG_API enum vgg_status vgg_selftest(const struct vgg_engine_options *options, vgg_selftest_fn *fn, void *user);

/* ---- benchmark ------------------------------------------------------------------------------------------------- */

/* What is timed. FORWARD: upload of the images, the pass, download of the outputs, as for features and predictions.
 * BACKWARD: the gradients alone, the forward pass before them not counted. STEP: upload, forward, backward, update,
 * download of the losses. UPDATE names a stage of STEP layer by layer and cannot be asked for. */
enum vgg_bench_pass { VGG_BENCH_FORWARD, VGG_BENCH_BACKWARD, VGG_BENCH_STEP, VGG_BENCH_UPDATE, VGG_BENCH_PASS_COUNT };

/* Seconds of `runs` equal runs, the first ones that warm up left out. */
struct vgg_bench_time {
    int runs;
    double min, q1, median, q3, max;
};

/* One backend on one device; a processor counts once for each instruction set level. */
struct vgg_bench_device {
    char name[64]; /* as options->on names it: "cpu:avx2", "cpu:avx2:direct", "vulkan:0" */
    struct vgg_device_info info;
    char isa[16], conv[16]; /* CPU, else "" */
    double peak;            /* measured: fused multiply-adds, two operations each, a second */
    double bandwidth;       /* measured: bytes a second of a sweep over memory, the better of an update and a fill */
};

/* One operation of the list. Operations are counted as the formula has them, so that a convolution that saves
 * multiplications (Winograd's) may exceed the roof. */
struct vgg_bench_layer {
    char name[32];             /* of the layer; "parameters" for the update */
    char op[24];               /* "CONV", "CONV_BWD_DATA", ... */
    enum vgg_bench_pass stage; /* FORWARD, BACKWARD or UPDATE */
    double flops, bytes;       /* every tensor counted once as it is read or written */
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
    int batch, height, width;
    struct vgg_bench_time time;
    double first;                                         /* seconds of the first run: packing, shaders, memory */
    double flops, bytes;                                  /* of one run */
    uint64_t parameters, gradients, moments, activations; /* bytes of memory on the device */
    double error, bound;  /* distance from the first device's outputs (FORWARD) or gradients, and what is allowed */
    double others, steal; /* shares of the processors, see enum vgg_bench_noise; NAN: unknown or too short to tell */
    unsigned noise;       /* enum vgg_bench_noise */
    double energy;        /* joules of the processor packages for one run (RAPL); NAN: not readable */
    struct vgg_bench_layer *layer;
    size_t layers; /* 0 unless asked for */
};

struct vgg_bench_skip {
    char device[64], what[64], why[160];
};

struct vgg_bench {
    char version[16], date[24];     /* of the library; UTC, ISO 8601 */
    char machine[128];              /* the processor's name */
    int processors;                 /* that the process may use */
    uint64_t memory, peak_resident; /* bytes that it may use, and the most that it held */
    char arch[16], head[128], trainable[32];
    struct vgg_bench_device *device;
    size_t devices;
    struct vgg_bench_result *result;
    size_t results;
    struct vgg_bench_skip *skip; /* what was left out and why */
    size_t skips;
    bool interrupted;
};

/* Receives each case when it is done; `bench` holds it and all before it. */
typedef void vgg_bench_fn(void *user, const struct vgg_bench *bench, const struct vgg_bench_result *result);

struct vgg_bench_options {
    /* What to measure, separated by commas: "cpu" (every level found but scalar), "cpu:LEVEL" or "cpu:LEVEL:CONV",
     * "vulkan" (every GPU), "vulkan:WHICH" (number among the Vulkan devices, part of a name, or UUID; may be of CPU
     * type), "all" (everything found, scalar and CPU-type Vulkan devices too); NULL: cpu and vulkan as found and as
     * `engine` allows. */
    const char *on;
    struct vgg_engine_options engine; /* conv, threads and memory for all; backend, device and isa narrow on = NULL */
    const char *arch;                 /* NULL: vgg16 */
    const char *head;                 /* NULL: "gap,dense:10:softmax" */
    const char *trainable;            /* NULL: all */
    enum vgg_optimizer optimizer;
    unsigned passes; /* 1 << pass for each; 0: FORWARD, BACKWARD and STEP */
    const int *batch;
    int batches; /* 0: 1 */
    const int (*size)[2];
    int sizes;   /* height, width; 0: 224 x 224 */
    int repeats; /* timed runs; 0: 7 */
    bool layers; /* also layer by layer, in as many runs of its own */
    uint64_t seed;
    vgg_bench_fn *on_result;
    vgg_progress_fn *progress;
    void *user; /* handed to both */
};

/* Measures random weights on random images. Devices take turns run by run, so that their ratios hold on a machine whose
 * speed drifts, as far as memory allows. Before a case is timed all devices must agree: outputs within a relative
 * distance of 1e-3, gradients within 5e-2 a tensor (root of the summed squares); else VGG_ERR_NUMERIC. When `progress`
 * asks to stop the call returns VGG_INTERRUPTED, and *out still holds what was measured. */
VGG_API enum vgg_status vgg_bench_run(struct vgg_bench **out, const struct vgg_bench_options *options);
VGG_API void vgg_bench_destroy(struct vgg_bench *bench);
VGG_API const char *vgg_bench_pass_name(enum vgg_bench_pass pass); /* "forward" */

/* What became slower or faster. */
struct vgg_bench_change {
    size_t old_result, new_result; /* indices */
    size_t layer;                  /* index in the new result's layers; SIZE_MAX: the whole case */
    double ratio;                  /* new seconds over old */
    double noise;                  /* what counts as nothing: 2 % and the quartile distances of both */
    int verdict;                   /* 1: slower, -1: faster, 0: within the noise */
};

struct vgg_bench_comparison {
    struct vgg_bench_change *change; /* cases first, each followed by its layers; equal names and shapes only */
    size_t changes;
    size_t slower, faster;     /* cases */
    size_t only_old, only_new; /* cases without a partner */
};
VGG_API enum vgg_status vgg_bench_compare(struct vgg_bench_comparison **out, const struct vgg_bench *old,
                                          const struct vgg_bench *now);
VGG_API void vgg_bench_comparison_destroy(struct vgg_bench_comparison *comparison);

/* JSON as benchmarks/README.md documents it. *out by malloc. `comparison` and the benchmark `old` that it was made with
 * may be NULL. */
VGG_API enum vgg_status vgg_bench_json(char **out, const struct vgg_bench *bench, const struct vgg_bench *old,
                                       const struct vgg_bench_comparison *comparison);
/* Writes a page with charts: bars of all devices, and for cases measured layer by layer a roofline and a heat map. */
VGG_API enum vgg_status vgg_bench_report(const struct vgg_bench *bench, const struct vgg_bench *old,
                                         const struct vgg_bench_comparison *comparison, const char *path);
/* Reads a file that holds such JSON. */
VGG_API enum vgg_status vgg_bench_load(struct vgg_bench **out, const char *path);

#ifdef __cplusplus
}
#endif
#endif
