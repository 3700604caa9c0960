/* backend.h: the seam between core and whatever can run a list of operations. */
#ifndef CORE_OP_BACKEND_H
#define CORE_OP_BACKEND_H

#include "core/op/op.h"

struct vgg_backend_vtable;

/* Which algorithm 3x3 convolutions use: the expected fastest, the direct one, Winograd's with the best tile or with a
 * given one; where an algorithm does not apply, the direct one serves. As VGG_NAMES_CONV counts them. */
enum vgg_conv {
    VGG_CONV_AUTO,
    VGG_CONV_DIRECT,
    VGG_CONV_WINOGRAD,
    VGG_CONV_WINOGRAD2,
    VGG_CONV_WINOGRAD4,
    VGG_CONV_WINOGRAD6
};

/* Of the operands of forward convolutions and dense layers, as VGG_NAMES_PRECISION counts them. */
enum vgg_precision { VGG_PRECISION_FP32, VGG_PRECISION_BF16, VGG_PRECISION_FP16, VGG_PRECISION_INT8 };

/* First member of every backend's own struct. */
struct vgg_backend {
    const struct vgg_backend_vtable *vtable;
    struct vgg_device_info device; /* filled by open */
    uint64_t key;                  /* last key given to a list */
    enum vgg_precision precision;  /* as opened */
    bool halves;                   /* takes views of VGG_F16 */
};

/* First member of every backend's own buffer. */
struct vgg_buf {
    struct vgg_backend *backend;
    size_t size;        /* bytes */
    size_t spare, kept; /* bytes that copies of its kernels may take (vgg_buf_spare), and that they take */
};

/* A list ready to run on buffers of one backend. A backend may record it once under `key` and replay it: the same key
 * always means the same operations on the same buffers. Operations behave as if run in order. */
struct vgg_list {
    const struct vgg_op *op;
    size_t count;
    struct vgg_buf *arena[VGG_ARENA_COUNT]; /* NULL where no operation needs it */
    uint64_t key;                           /* from vgg_backend_key; 0: runs once, do not keep */
};

struct vgg_backend_options {
    int device;                   /* index in this backend's own list; -1: its first choice */
    const char *isa;              /* CPU: highest level allowed; NULL or "auto": all */
    enum vgg_conv conv;           /* Vulkan: DIRECT, or all others as AUTO */
    int threads;                  /* CPU: 0 = every processor this process may use */
    enum vgg_precision precision; /* one that the dispatcher knows this backend for */
};

/* A submit may return before the work is done and gives a ticket (0 = already done). upload has copied its source when
 * it returns; download waits for all work that may write the buffer. buf_destroy is legal while work is under way. Once
 * a device is lost every call returns VGG_ERR_DEVICE_LOST. One thread at a time per backend. Backends may assume that
 * their arguments passed the checks of the wrappers below. */
struct vgg_backend_vtable {
    const char *name;
    /* Lists the devices of this backend without opening any; count 0 when there is none, which is no error.
     * `index` and `chosen` are left to the dispatcher. *out by malloc. */
    enum vgg_status (*devices)(struct vgg_device_info **out, size_t *count);
    enum vgg_status (*open)(struct vgg_backend **out, const struct vgg_backend_options *options);
    void (*close)(struct vgg_backend *backend);
    enum vgg_status (*buf_create)(struct vgg_backend *backend, struct vgg_buf **out, size_t size); /* zero-filled */
    void (*buf_destroy)(struct vgg_buf *buf);
    /* NULL: does nothing. See vgg_buf_settle. */
    void (*settle)(struct vgg_buf *buf);
    enum vgg_status (*upload)(struct vgg_buf *buf, size_t offset, const void *data, size_t size);
    enum vgg_status (*download)(struct vgg_buf *buf, size_t offset, void *data, size_t size);
    bool (*supports)(struct vgg_backend *backend, const struct vgg_op *op);
    /* seconds: NULL, or room for list->count times, one an operation; the call then waits for the work. */
    enum vgg_status (*submit)(struct vgg_backend *backend, const struct vgg_list *list, const struct vgg_step *step,
                              double *seconds, uint64_t *ticket);
    enum vgg_status (*wait)(struct vgg_backend *backend, uint64_t ticket);
};

void vgg_backend_close(struct vgg_backend *backend);

/* A new key for a list of this backend. */
uint64_t vgg_backend_key(struct vgg_backend *backend);

/* Checked forms of the vtable's functions: ranges, ownership, every operation's shape, what the backend supports. */
enum vgg_status vgg_buf_create(struct vgg_backend *backend, struct vgg_buf **out, size_t size);
void vgg_buf_destroy(struct vgg_buf *buf);
/* Promises that convolutions alone will read the kernels in the buffer, forward, each in maps of one size, and that no
 * operation writes to it. A backend that computes with copies in a layout of its own may then give the kernels' memory
 * back: what was uploaded cannot be downloaded any more (VGG_ERR_ARGUMENT), and an upload must meet a kernel as a
 * whole. */
void vgg_buf_settle(struct vgg_buf *buf);
/* Lets a backend that would compute the same from kernels again and again keep it, in at most `size` bytes: no result
 * depends on it. It gives them up where a buffer is wanted that memory does not suffice for. A buffer has none to spare
 * at first. The CPU backend packs kernels with or without. */
void vgg_buf_spare(struct vgg_buf *buf, size_t size);
enum vgg_status vgg_buf_upload(struct vgg_buf *buf, size_t offset, const void *data, size_t size);
enum vgg_status vgg_buf_download(struct vgg_buf *buf, size_t offset, void *data, size_t size);
enum vgg_status vgg_backend_submit(struct vgg_backend *backend, const struct vgg_list *list,
                                   const struct vgg_step *step, double *seconds, uint64_t *ticket);
enum vgg_status vgg_backend_wait(struct vgg_backend *backend, uint64_t ticket);
/* submit and wait. */
enum vgg_status vgg_backend_run(struct vgg_backend *backend, const struct vgg_list *list, const struct vgg_step *step);

#endif
