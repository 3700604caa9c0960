#include "core/base/clock.h"
#include "cpu/cpu.h"

static cpu_loop_fn *const loops[VGG_OP_KIND_COUNT] = {
    [VGG_OP_ZERO] = cpu_zero_run,
    [VGG_OP_ADD] = cpu_add_run,
    [VGG_OP_POOL2] = cpu_pool2_run,
    [VGG_OP_POOL2_BWD] = cpu_pool2_bwd_run,
    [VGG_OP_AVGPOOL] = cpu_avgpool_run,
    [VGG_OP_AVGPOOL_BWD] = cpu_avgpool_bwd_run,
    [VGG_OP_GMAXPOOL] = cpu_gmaxpool_run,
    [VGG_OP_GMAXPOOL_BWD] = cpu_gmaxpool_bwd_run,
    [VGG_OP_DROPOUT] = cpu_dropout_run,
    [VGG_OP_DROPOUT_BWD] = cpu_dropout_bwd_run,
    [VGG_OP_SOFTMAX] = cpu_softmax_run,
    [VGG_OP_SIGMOID] = cpu_sigmoid_run,
    [VGG_OP_SOFTMAX_XENT] = cpu_softmax_xent_run,
    [VGG_OP_SIGMOID_XENT] = cpu_sigmoid_xent_run,
    [VGG_OP_FMA] = cpu_fma_run,
    [VGG_OP_UNSCALE] = cpu_unscale_run,
    [VGG_OP_SGD] = cpu_update_run,
    [VGG_OP_RMSPROP] = cpu_update_run,
    [VGG_OP_ADAM] = cpu_update_run,
    [VGG_OP_ADAMW] = cpu_update_run,
};

static struct cpu_buf *buf_of(const struct vgg_list *list, const struct vgg_view *view)
{
    return view->n ? (struct cpu_buf *)list->arena[view->arena] : NULL;
}

static void *pointer_of(const struct vgg_list *list, const struct vgg_view *view)
{
    struct cpu_buf *buf = buf_of(list, view);
    return buf ? buf->data + view->offset : NULL;
}

/* Does the list make the gradient of the weights that `op` reads? Then they will change, and what is packed of them is
 * kept no longer than the operation: packing anew in each shard of a batch takes no time that can be measured. */
static bool is_passing(const struct vgg_list *list, const struct vgg_op *op)
{
    for (size_t i = 0; i < list->count && op->w.n; i++)
        if (list->op[i].kind == VGG_OP_CONV_BWD_WEIGHT && list->op[i].layer == op->layer) return true;
    return false;
}

static struct cpu_args args_of(const struct vgg_list *list, const struct vgg_op *op)
{
    struct cpu_args a = {
        .x = pointer_of(list, &op->x),
        .w = pointer_of(list, &op->w),
        .b = pointer_of(list, &op->b),
        .y = pointer_of(list, &op->y),
        .q = pointer_of(list, &op->q),
        .dx = pointer_of(list, &op->dx),
        .dw = pointer_of(list, &op->dw),
        .db = pointer_of(list, &op->db),
        .dy = pointer_of(list, &op->dy),
        .t = pointer_of(list, &op->t),
        .sw = pointer_of(list, &op->sw),
        .loss = pointer_of(list, &op->loss),
        .m = pointer_of(list, &op->m),
        .v = pointer_of(list, &op->v),
        .arg = pointer_of(list, &op->arg),
        .passing = is_passing(list, op),
    };
    struct cpu_buf *w = buf_of(list, &op->w);
    if (w) a.w_generation = cpu_buf_generation(w, op->w.offset, vgg_view_size(&op->w));
    return a;
}

/* Of a forward operation's kernels the one of its precision. */
static cpu_op_fn *choose(const struct cpu *cpu, const struct vgg_op *op, cpu_op_fn *fp32, cpu_op_fn *bf16,
                         cpu_op_fn *int8)
{
    return op->q.n ? int8 : cpu->base.precision == VGG_PRECISION_BF16 ? bf16 : fp32;
}

/* A convolution's kernel that nobody will read again. */
static void settle(struct cpu *cpu, const struct vgg_list *list, const struct vgg_op *op, const struct cpu_args *a)
{
    const struct cpu_buf *buf = buf_of(list, &op->w);
    if (op->kind == VGG_OP_CONV && buf && buf->settled) cpu_pack_only(cpu, a->w, vgg_view_size(&op->w));
}

/* Notes what an operation wrote. */
static void touch(struct cpu *cpu, const struct vgg_list *list, const struct vgg_op *op)
{
    for (int i = 0; i < VGG_OP_VIEW_COUNT; i++) {
        if (!vgg_op_changes(op, (enum vgg_op_view)i)) continue;
        const struct vgg_view *view = vgg_op_view(op, (enum vgg_op_view)i);
        struct cpu_buf *buf = buf_of(list, view);
        if (buf) cpu_buf_touch(cpu, buf, view->offset, vgg_view_size(view));
    }
}

static enum vgg_status run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a,
                           const struct vgg_step *step)
{
    const struct cpu_kernels *k = &cpu->kernels;
    switch (op->kind) {
    case VGG_OP_CONV: return choose(cpu, op, k->conv, k->conv_bf16, k->conv_int8)(cpu, op, a);
    case VGG_OP_CONV_BWD_DATA: return k->conv_bwd_data(cpu, op, a);
    case VGG_OP_CONV_BWD_WEIGHT: return k->conv_bwd_weight(cpu, op, a);
    case VGG_OP_DENSE: return choose(cpu, op, k->dense, k->dense_bf16, k->dense_int8)(cpu, op, a);
    case VGG_OP_DENSE_BWD_DATA: return k->dense_bwd_data(cpu, op, a);
    case VGG_OP_DENSE_BWD_WEIGHT: return k->dense_bwd_weight(cpu, op, a);
    case VGG_OP_CLIP: return cpu_clip_run(cpu, op, a);
    default: loops[op->kind](cpu, op, a, step); return VGG_OK;
    }
}

enum vgg_status cpu_ops_run(struct cpu *cpu, const struct vgg_list *list, const struct vgg_step *step, double *seconds)
{
    enum vgg_status status = VGG_OK;
    cpu_float_enter(cpu);
    double before = seconds ? vgg_clock_seconds() : 0;
    for (size_t i = 0; i < list->count && status == VGG_OK; i++) {
        const struct vgg_op *op = &list->op[i];
        const struct cpu_args a = args_of(list, op);
        status = run(cpu, op, &a, step);
        touch(cpu, list, op);
        if (status == VGG_OK) settle(cpu, list, op, &a);
        if (!seconds) continue;
        double after = vgg_clock_seconds();
        seconds[i] = after - before;
        before = after;
    }
    cpu_float_leave(cpu);
    return status;
}
