/* cpu_tiled.c: convolutions and dense layers on the micro-kernels of the level that the table was filled for. */
#include "cpu/cpu_conv.h"
#include "cpu/cpu_dense.h"
#include "cpu/cpu_winograd.h"

/* A pass of a convolution by either algorithm. */
typedef enum vgg_status direct_fn(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                  const struct cpu_gemm *gemm);
typedef enum vgg_status winograd_fn(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                    const struct cpu_gemm *gemm, const struct cpu_winograd_kernels *kernels);

static enum vgg_status run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args, direct_fn *direct,
                           winograd_fn *winograd)
{
    const struct cpu_kernels *k = &cpu->kernels;
    int m = cpu_winograd_choose(cpu, op);
    return m ? winograd(cpu, op, args, k->gemm, &k->winograd[m / 2 - 1]) : direct(cpu, op, args, k->gemm);
}

enum vgg_status cpu_conv_tiled(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return run(cpu, op, args, cpu_conv_run, cpu_winograd_run);
}

enum vgg_status cpu_conv_bwd_data_tiled(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return run(cpu, op, args, cpu_conv_bwd_data_run, cpu_winograd_bwd_data_run);
}

enum vgg_status cpu_conv_bwd_weight_tiled(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return run(cpu, op, args, cpu_conv_bwd_weight_run, cpu_winograd_bwd_weight_run);
}

enum vgg_status cpu_dense_tiled(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_run(cpu, op, args, cpu->kernels.gemm);
}

enum vgg_status cpu_dense_bwd_data_tiled(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_bwd_data_run(cpu, op, args, cpu->kernels.gemm);
}

enum vgg_status cpu_dense_bwd_weight_tiled(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_bwd_weight_run(cpu, op, args, cpu->kernels.gemm);
}

enum vgg_status cpu_conv_tiled_bf16(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_conv_run(cpu, op, args, cpu->kernels.gemm_bf16);
}

enum vgg_status cpu_dense_tiled_bf16(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_run(cpu, op, args, cpu->kernels.gemm_bf16);
}
