/* vk_ops.h: what the operations share on their way to dispatches. */
#ifndef VK_OPS_H
#define VK_OPS_H

#include "vk/vk_rec.h"

/* Bit `binding` of VK_SPEC_HALVES where the view is of fp16. */
uint32_t vk_ops_halves(const struct vgg_view *view, int binding);
/* `size` bytes from byte `offset` of a view on; an empty binding for an absent view. */
struct vk_bind vk_ops_bind(const struct vk_rec *rec, const struct vgg_view *view, size_t offset, size_t size,
                           bool write);
/* The scratch buffer (made when first asked for): partial sums use its first vk_ops_scratch_size bytes, sums of
 * columns what is left. */
enum vgg_status vk_ops_scratch(struct vk *vk);
size_t vk_ops_scratch_size(const struct vk *vk);
struct vk_bind vk_ops_scratch_bind(const struct vk *vk, size_t size, bool write);

/* Sets the shader of a variant by the first way of a task that suits the channels (vk_class_next) and that the driver
 * takes, or the last one, which vk_ops_flat then fails to get. For ways of VK_TILING_FLAT. */
const struct vk_way *vk_ops_way(struct vk *vk, enum vk_task task, size_t channels, struct vk_variant *variant);
/* Workgroups of flat.glsl for `count` items. */
void vk_ops_groups(const struct vk *vk, struct vk_call *call, size_t count);
/* A dispatch of a shader of flat.glsl over `count` items; call->flops 0: some operations an item. */
enum vgg_status vk_ops_flat(struct vk *vk, struct vk_rec *rec, const struct vk_variant *variant, struct vk_call *call,
                            const void *push, size_t push_size, size_t count);
/* out[count] = [out +] `parts` sums in scratch, `part_size` words apart, in order; bias may be NULL. */
enum vgg_status vk_ops_reduce(struct vk *vk, struct vk_rec *rec, struct vk_bind out, const struct vk_bind *bias,
                              size_t count, size_t parts, bool add, bool relu, size_t n);
/* out[c] += sums of the columns of x (rows x c), which is of fp16 with `halves`. */
enum vgg_status vk_ops_colsum(struct vk *vk, struct vk_rec *rec, struct vk_bind x, struct vk_bind out, size_t rows,
                              size_t c, bool halves);

#endif
