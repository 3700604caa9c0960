/* vk_rec.h: lists of dispatches: recorded once, submitted many times, in pieces of bounded work. */
#ifndef VK_REC_H
#define VK_REC_H

#include "shaders/common/params.h"
#include "vk/vk_mem.h"
#include "vk/vk_pipe.h"

/* A range of a buffer that a dispatch uses. */
struct vk_bind {
    struct vk_buf *buf; /* NULL: the binding is not used */
    size_t offset, size;
    bool write;
};

/* One dispatch, or a fill with zeros of bind[0] (pipeline NULL). */
struct vk_call {
    VkPipeline pipeline;
    struct vk_bind bind[VK_BINDINGS];
    union {
        uint32_t base[VK_BINDINGS]; /* set by vk_rec_add: where each range begins in its binding, in words */
        unsigned char bytes[VK_PUSH_SIZE];
    } push;
    uint32_t groups[3];
    bool texels;  /* each bind[] is shown as a texel buffer too; classes with lanes only */
    double flops; /* predicted work */
    size_t op;    /* index of its operation, for times */
};

enum { VK_ARENA_SCRATCH = VGG_ARENA_COUNT };

struct vk_kept;

/* Lists that become command buffers. */
struct vk_rec {
    struct vk_rec *next;
    uint64_t key;
    struct vk_buf *arena[VGG_ARENA_COUNT + 1]; /* the last: scratch, for views made while lowering */
    struct vk_call *calls;                     /* only until emitted */
    size_t call_count, call_room, op;
    VkDescriptorPool sets;
    VkBufferView *views; /* VK_TEXELS for each call with texels */
    size_t view_count;
    VkCommandBuffer *cmds;
    uint32_t cmd_count;
    VkQueryPool queries; /* two for each operation when timed, else two for the whole */
    bool timed;
    size_t ops;
    double flops;
    double cut_rate, rate; /* operations per second: by which it was cut into pieces; measured last, 0 before */
    struct vk_buf *params; /* struct vk_step */
    float beta[VK_ADAM_SLOTS][2];
    uint32_t slots;
    bool repeated;          /* the list has a key: it is run again and again */
    struct vk_bind *writes; /* in buffers with bytes to spare */
    size_t write_count;
    struct vk_kept **kept; /* that it reads, once each */
    size_t kept_count;
    uint64_t ticket; /* last submission */
};

struct vk_rec *vk_rec_find(struct vk *vk, uint64_t key);
void vk_rec_destroy(struct vk *vk, struct vk_rec *rec);
/* The same for one that is not in vk->recs. */
void vk_rec_free(struct vk *vk, struct vk_rec *rec);
/* Destroys recordings that use `buf`; and, buf == NULL, unkeyed ones that are done. */
void vk_rec_drop(struct vk *vk, const struct vk_buf *buf);

/* For lowering: adds a dispatch. `push` begins with base[], which is filled in here. */
enum vgg_status vk_rec_add(struct vk *vk, struct vk_rec *rec, const struct vk_call *call, const void *push,
                           size_t push_size);
/* For lowering: the place of an Adam update's corrections in struct vk_step. */
enum vgg_status vk_rec_slot(struct vk_rec *rec, const struct vgg_hyper *hyper, uint32_t *slot);

/* Waits for the last run and learns the device's speed from it. *stale: a GPU is so much slower or faster than the
 * pieces were cut for that they should be cut anew: submissions would be too long for a watchdog, or many for nothing.
 */
enum vgg_status vk_rec_settle(struct vk *vk, struct vk_rec *rec, bool *stale);
/* The last run must have been settled. */
enum vgg_status vk_rec_submit(struct vk *vk, struct vk_rec *rec, const struct vgg_step *step, uint64_t *ticket);
/* After waiting for a timed recording: seconds of each operation. */
enum vgg_status vk_rec_times(struct vk *vk, struct vk_rec *rec, double *seconds);

#endif
