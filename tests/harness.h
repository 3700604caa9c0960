/* harness.h: what the tests share that run operations on every backend found: devices to loop over, arenas with guard
 * bands, the formulas that make weights and images (the same as in reference/golden_formula.py), golden files. Every
 * function fails the running test when something goes wrong. */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include "core/op/backend.h"
#include "core/plan/plan.h"

/* One way of running operations: a device, and for the CPU the highest ISA level allowed. */
struct harness_target {
    char name[160]; /* for messages */
    char backend[16], device[16], isa[16], conv[16];
    bool scalar;   /* the plain C reference: slow */
    bool winograd; /* sums whose exact value is 0 may come out as rounding errors of the tensor's scale */
};

enum { HARNESS_MAX_TARGETS = 16, HARNESS_MAX_VIEWS = 64 };

/* Every device of every backend, as vgg_backend_devices lists them; the CPU three times, as "scalar", "direct" and
 * "auto". VGG16_TEST_BACKEND in the environment leaves out all backends but that one. */
size_t harness_targets(struct harness_target target[HARNESS_MAX_TARGETS]);

/* An opened backend and its arenas. */
struct harness {
    const char *name; /* of the target */
    struct vgg_backend *backend;
    struct vgg_buf *arena[VGG_ARENA_COUNT];
    size_t size[VGG_ARENA_COUNT]; /* bytes */
    struct vgg_view view[HARNESS_MAX_VIEWS];
    size_t views;
    struct vgg_plan *plan; /* of harness_plan */
};

void harness_open(struct harness *harness, const struct harness_target *target);
void harness_close(struct harness *harness);

/* Operation tests: reserve views, each between guard bands, then create the arenas filled with a poison (a NaN), then
 * put, run, get. harness_run checks each operation, and that all guard bands are untouched. */
struct vgg_view harness_view(struct harness *harness, enum vgg_arena arena, int n, int h, int w, int c);
struct vgg_view harness_view_u8(struct harness *harness, int n, int h, int w, int c);
void harness_allocate(struct harness *harness);
void harness_run(struct harness *harness, const struct vgg_op *op, size_t count, const struct vgg_step *step);

/* Network tests: builds the plan and creates zeroed arenas for it; the parameters of all layers follow the formula. */
void harness_plan(struct harness *harness, const struct vgg_plan_spec *spec);
/* Runs operations [first, first + count) of the plan. */
void harness_plan_run(struct harness *harness, size_t first, size_t count, const struct vgg_step *step);
/* The gradient of the parameters that `param` views. */
struct vgg_view harness_grad(const struct harness *harness, const struct vgg_view *param);

/* Copies a whole view to or from the device. */
void harness_put(struct harness *harness, const struct vgg_view *view, const void *data);
void harness_get(struct harness *harness, const struct vgg_view *view, void *data);
/* A copy of a view by malloc; the second form widens it to double. */
float *harness_fetch(struct harness *harness, const struct vgg_view *view);
double *harness_fetch_double(struct harness *harness, const struct vgg_view *view);

/* ---- formulas -------------------------------------------------------------------------------------------------- */

enum { HARNESS_STREAM_IMAGE = 1000, HARNESS_STREAM_SAMPLE = 2000, HARNESS_STREAM_GROUP = 3000 }; /* streams */

/* Number `index` of a stream, in [-1, 1): a 32-bit mixer. Source of its constants: Chris Wellons, hash-prospector,
 * lowbias32. */
double harness_uniform(uint32_t stream, uint32_t index);
/* values[i] = scale * uniform(stream, i), rounded once. */
void harness_fill(float *values, size_t count, uint32_t stream, double scale);
/* Batch number `index` of n images h x w x 3: ramps with noise. */
void harness_image(float *values, uint32_t index, int n, int h, int w);

/* ---- golden files ---------------------------------------------------------------------------------------------- */

/* Named arrays of doubles as golden_formula.py writes them. Path relative to the tests' folder. */
struct harness_golden;
struct harness_golden *harness_golden_open(const char *path);
void harness_golden_close(struct harness_golden *golden);
const double *harness_golden_find(const struct harness_golden *golden, const char *name, size_t *count);

/* A summary (golden_formula.py, summary) holds so many elements of its array. Their values, and where they stand. */
enum { HARNESS_SAMPLES = 192 };
const double *harness_golden_samples(const struct harness_golden *golden, const char *name, size_t at[HARNESS_SAMPLES]);

/* Compares `count` values with the summary stored as `name`: samples and largest magnitude
 * within `bound` of the array's scale, sum of squares within 2 * bound relative, weighted sums within bound * scale *
 * sqrt(terms). Returns the largest error of a sample in units of the scale. */
double harness_compare(const struct harness_golden *golden, const char *name, const float *values, size_t count,
                       double bound, const char *target);

#endif
