/* op_case.h: one list of operations to try, with inputs, for the self-test, the tests and the benchmarks of every
 * backend. All of it is deterministic; nothing here knows a backend. */
#ifndef CORE_SELFTEST_OP_CASE_H
#define CORE_SELFTEST_OP_CASE_H

#include "core/op/backend.h"

/* One operation on its own arenas: parameters, gradients, moments and the rest lie where a network has them, with
 * guard bands of 256 bytes or more around every view. */
struct vgg_op_case {
    struct vgg_op op;
    struct vgg_step step;
    size_t arena_size[VGG_ARENA_COUNT]; /* bytes; 0: not used */
    bool large;                         /* a layer of VGG16 rather than a small or odd shape */
    size_t infinite;                    /* the number, from 1, of the value of dw that is; 0: none */
    bool direct;                        /* a quantised convolution without clips */
    bool wild;                          /* NaN, infinities and denormals are among the inputs */
    char text[256];                     /* vgg_op_print and what it leaves out */
};

struct vgg_op_case_list {
    struct vgg_op_case *item;
    size_t count, capacity;
};

/* Every kind with every flag and optional view, on shapes of 1, odd sizes, sizes around those of vectors and tiles, and
 * VGG16's. */
enum vgg_status vgg_op_case_list_init(struct vgg_op_case_list *list);
/* Appends some of the small cases of each kind, VGG_OP_ZERO aside, as wild ones. */
enum vgg_status vgg_op_case_list_wild(struct vgg_op_case_list *list);
/* Appends the cases with views of VGG_F16, before the wild ones are: as many of a case's views as may be, and of small
 * ones with VGG_OP_RELU and kernels' gradients fewer, each in its turn. */
enum vgg_status vgg_op_case_list_halves(struct vgg_op_case_list *list);
void vgg_op_case_list_finish(struct vgg_op_case_list *list);

/* For those who make cases: a view at the end of its arena, with a guard band before and after it; and the case's end
 * in the list, its text being what vgg_op_print says, and the note. */
struct vgg_view vgg_op_case_place(struct vgg_op_case *test, enum vgg_arena arena, enum vgg_type type, int n, int h,
                                  int w, int c);
enum vgg_status vgg_op_case_list_add(struct vgg_op_case_list *list, struct vgg_op_case *test, const char *note);

/* The memory of one case: a host copy of each arena, NULL where the size is 0. */
struct vgg_op_case_memory {
    unsigned char *arena[VGG_ARENA_COUNT];
};

/* Allocates the arenas and fills them: inputs (with zeros of both signs and extremes planted as the kind bears them)
 * deterministically, outputs with poison (NaN), the rest with a pattern. */
enum vgg_status vgg_op_case_memory_init(struct vgg_op_case_memory *memory, const struct vgg_op_case *test);
void vgg_op_case_memory_finish(struct vgg_op_case_memory *memory);

/* Runs the case once on `backend`, which reads `memory` and writes its result over it. seconds: NULL, or what the
 * operation took. */
enum vgg_status vgg_op_case_run(struct vgg_backend *backend, const struct vgg_op_case *test,
                                struct vgg_op_case_memory *memory, double *seconds);

/* The same as precision fp16 has it: the factors of convolutions and dense layers, forward and backward, are rounded
 * to fp16 before `backend` (of fp32) gets them: to nearest even, clamped to +-65504 where finite, but dy from 65520 on
 * infinite. In `memory` they stay as they were. Views of VGG_F16 go there and come back as op.h says it of them. */
enum vgg_status vgg_op_case_run_half(struct vgg_backend *backend, const struct vgg_op_case *test,
                                     struct vgg_op_case_memory *memory);

struct vgg_op_case_error {
    const char *what; /* the view that is worst, or "bytes outside of the outputs" */
    /* error: |got - expected| over the larger of |expected| and a share of the view's largest |expected| that the kind
     * states; for `arg` the share of elements that differ; infinite for poison, NaN and overwritten guards. */
    double error, bound;
};

/* Compares what `got` holds after a run with what the reference left in `expected`. True when within the bound. Of a
 * wild case: what is NaN must be NaN; what is infinite must be that infinity or NaN; what is finite must be within the
 * bound. Winograd's tiles may make NaN of any pixel that shares one with an infinity or a NaN, and anything of an
 * infinity, which a pool may take; where there is a NaN the place of a maximum is left open. */
bool vgg_op_case_check(const struct vgg_op_case *test, const struct vgg_op_case_memory *expected,
                       const struct vgg_op_case_memory *got, struct vgg_op_case_error *error);

/* Same bits everywhere? */
bool vgg_op_case_same(const struct vgg_op_case *test, const struct vgg_op_case_memory *a,
                      const struct vgg_op_case_memory *b);

#endif
