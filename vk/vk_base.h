/* vk_base.h: one opened device, what every file of this room works on. */
#ifndef VK_BASE_H
#define VK_BASE_H

#include "core/op/backend.h"
#include "vk/vk_gpu.h"

struct vk_block;
struct vk_buf;
struct vk_kept;
struct vk_pipe;
struct vk_rec;

/* Sizes that stay the same on every device, and limits that environment variables may narrow for tests:
 * VGG16_VK_RANGE (bytes in one binding), VGG16_VK_ALLOCATION (bytes given at once), VGG16_VK_SPLIT (parts of every
 * split sum), VGG16_VK_TILE (index in vk_tile.c), VGG16_VK_STAGING=1 (no direct mapping even where memory is shared),
 * VGG16_VK_GROUPS (workgroups in each dimension of a dispatch),
 * VGG16_VK_CLASS=discrete or =integrated (a device of CPU type is one of that class in every choice: tiles, splits,
 * shaders, scratch, staging, the first guess of its rate). */
struct vk_limits {
    size_t range;         /* bytes that one binding may cover */
    size_t align;         /* of a binding's offset */
    size_t scratch;       /* bytes of partial sums and maps within one operation; at most `range` */
    uint32_t groups;      /* per dimension of a dispatch */
    uint32_t invocations; /* threads in a workgroup */
    uint32_t shared;      /* bytes of shared memory of a workgroup */
    int split;            /* forced number of parts of split sums, 0: free */
    int tile;             /* forced tile, -1: free */
    bool staging;
};

struct vk {
    struct vgg_backend base;
    struct vk_lib lib;
    struct vk_gpu gpu;
    struct vk_limits limits;
    VkDevice device;
    VkQueue queue;
    VkCommandPool pool;
    bool lost;
    bool direct;      /* no convolution by Winograd's algorithm */
    bool half;        /* the operands of convolutions and dense layers are rounded to fp16; sums stay fp32 */
    bool matrix;      /* and matrix cores take them, where a shader of shaders/matrix suits */
    bool matrix_bits; /* they are rounded by the bits there: the driver's own conversion does otherwise */

    /* One timeline counts submissions: ticket t is done when the semaphore has reached t. */
    VkSemaphore timeline;
    uint64_t ticket;
    double rate; /* floating-point operations per second: a guess, then measured */

    VkDescriptorSetLayout set_layout; /* four storage buffers, one uniform buffer; for lanes: four texel buffers */
    VkPipelineLayout layout;
    VkPipelineCache cache;
    struct vk_pipe *pipes;
    struct vk_pipe *wanted; /* to be created, in the order of asking */
    bool gathering;         /* lists are lowered to learn which pipelines they need */
    bool cache_dirty;
    bool recorded;    /* the first list is: its pipelines are on disk */
    double compiling; /* seconds so far */

    struct vk_block *blocks;
    struct vk_buf *staging; /* host-visible, two halves in turn; NULL until needed */
    uint64_t staging_ticket[2];
    int staging_half;
    struct vk_buf *scratch; /* partial sums and maps that live within one operation; NULL until needed */

    VkCommandBuffer transfer[2]; /* of copies and fills, in turn */
    uint64_t transfer_ticket[2];

    struct vk_rec *recs;  /* recorded lists, newest first */
    struct vk_kept *kept; /* of kernels, from run to run */
};

/* Turns a VkResult into a status and logs what it means; a lost device is remembered. `what` names the call. */
enum vgg_status vk_device_status(struct vk *vk, VkResult result, const char *what);

/* Waits until ticket `ticket` is done. */
enum vgg_status vk_device_wait(struct vk *vk, uint64_t ticket);
/* Before what ticket `ticket` uses goes: waits for it, 0: for nothing, and for everything where that fails. */
void vk_device_settle(struct vk *vk, uint64_t ticket);

#endif
