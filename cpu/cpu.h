/* cpu.h: what the files of this room share: the backend's state, its buffers, scratch memory and packed weights. */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "core/op/backend.h"
#include "cpu/cpu_kernels.h"

/* Memory that grows and never shrinks, so that the steady state allocates nothing. */
struct cpu_room {
    void *data;
    size_t size;
};

/* Parallel loops: `#pragma omp parallel for num_threads(cpu->threads) schedule(static)` over pieces that depend on the
 * shape only, never on the number of threads. */
struct cpu {
    struct vgg_backend base;
    enum cpu_isa isa;
    enum vgg_conv conv;
    int threads;
    size_t l1; /* bytes of a core's first-level data cache */
    struct cpu_kernels kernels;
    uint64_t generation; /* last one given out */
    struct cpu_room scratch;
    struct cpu_pack *pack; /* packed weights */
    size_t pack_count;
    struct cpu_room passing; /* for weights packed for one operation alone */
    unsigned *fp_saved;      /* floating-point control word of each thread while a list runs */
};

/* A range of bytes and when it was last written. */
struct cpu_span {
    size_t begin, end;
    uint64_t generation;
};

enum { CPU_SPANS = 8 };

struct cpu_buf {
    struct vgg_buf base;
    char *data;          /* aligned to 64 bytes or to a huge page */
    uint64_t generation; /* of creation */
    bool settled;        /* by vgg_buf_settle */
    int spans;
    struct cpu_span span[CPU_SPANS];
};

/* ---- cpu_mem.c ---- */

/* `size` bytes (may be 0) at a multiple of 64, in huge pages where that pays, zeroed by all threads so that pages lie
 * near them. NULL when memory is out. Released by vgg_mem_free. */
void *cpu_mem_aligned(const struct cpu *cpu, size_t size);
/* *out: `size` bytes at a multiple of 64 with undefined content, valid until the next call for this room. */
enum vgg_status cpu_room_get(struct cpu *cpu, struct cpu_room *room, void **out, size_t size);
/* The same of the room that every operation may use; one call an operation. */
enum vgg_status cpu_scratch(struct cpu *cpu, void **out, size_t size);
/* Notes a write to a range of a buffer. */
void cpu_buf_touch(struct cpu *cpu, struct cpu_buf *buf, size_t offset, size_t size);
/* Generation of the last write that may have met the range. Never too old; too new after many ranges were written. */
uint64_t cpu_buf_generation(const struct cpu_buf *buf, size_t offset, size_t size);

/* ---- cpu_pack.c: copies of weights in a kernel's own layout, kept while the weights stay as they are ---- */

/* *out: `size` bytes at a multiple of 64 for the packed form number `form` of the weights `args->w`. *valid: they hold
 * what was packed from the very same weights; else the caller packs now. One call makes no other's memory invalid
 * within an operation, unless args->passing: then all share one memory, and what was kept of this form is given back.
 * Forms are small numbers that the kernels choose, one a layout. */
enum vgg_status cpu_pack_get(struct cpu *cpu, const struct cpu_args *args, int form, size_t size, void **out,
                             bool *valid);
/* Gives back the memory of the weights, `size` bytes, if they are packed: from then on they are there in that one form
 * alone, which stays valid until all of them are written anew. */
void cpu_pack_only(struct cpu *cpu, const float *w, size_t size);
/* Do these bytes meet weights that are there in packed form alone? `written`: the bytes will be written; weights that
 * lie in them as a whole are then there again, and do not count. */
bool cpu_pack_hides(struct cpu *cpu, const void *data, size_t size, bool written);
/* Drops what was packed from weights in these bytes; NULL and 0: everything. */
void cpu_pack_drop(struct cpu *cpu, const void *data, size_t size);

/* The depth of a product whose panels of weights take half of this processor's first-level cache, from the depth for a
 * cache of 32 KiB: a multiple of 32. */
static inline int cpu_k_block(const struct cpu *cpu, int depth)
{
    int scaled = (int)((size_t)depth * cpu->l1 / (32 << 10)) / 32 * 32;
    return scaled > 32 ? scaled : 32;
}

/* ---- cpu_float.c ---- */

/* Sets flush-to-zero and denormals-are-zero in every thread of the team, and the control words back as they were. */
void cpu_float_enter(struct cpu *cpu);
void cpu_float_leave(struct cpu *cpu);

/* ---- cpu_ops.c ---- */

/* Runs a list in order. seconds: NULL or one number an operation. */
enum vgg_status cpu_ops_run(struct cpu *cpu, const struct vgg_list *list, const struct vgg_step *step, double *seconds);

/* The operations that are loops over kernels (cpu_pool.c, cpu_pointwise.c, cpu_update.c). */
typedef void cpu_loop_fn(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                         const struct vgg_step *step);
cpu_loop_fn cpu_pool2_run, cpu_pool2_bwd_run, cpu_avgpool_run, cpu_avgpool_bwd_run, cpu_gmaxpool_run,
    cpu_gmaxpool_bwd_run;
cpu_loop_fn cpu_zero_run, cpu_add_run, cpu_dropout_run, cpu_dropout_bwd_run, cpu_softmax_run, cpu_sigmoid_run,
    cpu_softmax_xent_run, cpu_sigmoid_xent_run;
cpu_loop_fn cpu_unscale_run, cpu_update_run, cpu_fma_run;
/* Sums of squares in double, piece by piece: one fixed order for any number of threads. Fails for want of memory. */
cpu_op_fn cpu_clip_run;

#endif
