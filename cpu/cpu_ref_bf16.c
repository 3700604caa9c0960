#include "cpu/cpu.h"
#include "cpu/cpu_bf16.h"

/* Runs `plain` on copies of x and w whose values are rounded to bf16. */
static enum vgg_status rounded_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a, cpu_op_fn *plain)
{
    size_t x_count = vgg_view_count(&op->x), w_count = vgg_view_count(&op->w);
    void *scratch;
    enum vgg_status status = cpu_scratch(cpu, &scratch, (x_count + w_count) * sizeof(float));
    if (status != VGG_OK) return status;
    struct cpu_args rounded = *a;
    rounded.x = scratch, rounded.w = rounded.x + x_count;
    for (size_t i = 0; i < x_count; i++)
        rounded.x[i] = cpu_bf16_value(cpu_bf16(a->x[i]));
    for (size_t i = 0; i < w_count; i++)
        rounded.w[i] = cpu_bf16_value(cpu_bf16(a->w[i]));
    return plain(cpu, op, &rounded);
}

enum vgg_status cpu_conv_bf16_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    return rounded_run(cpu, op, a, cpu_conv_c);
}

enum vgg_status cpu_dense_bf16_c(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *a)
{
    return rounded_run(cpu, op, a, cpu_dense_c);
}
