/* cpu_conv_neon.c: convolutions and dense layers on the NEON micro-kernels. */
#include "cpu/cpu_conv.h"
#include "cpu/cpu_dense.h"
#include "cpu/cpu_winograd.h"

enum vgg_status cpu_conv_neon(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    int m = cpu_winograd_choose(cpu, op);
    if (m) return cpu_winograd_run(cpu, op, args, &cpu_gemm_neon, &cpu_winograd_neon[m / 2 - 1]);
    return cpu_conv_run(cpu, op, args, &cpu_gemm_neon);
}

enum vgg_status cpu_conv_bwd_data_neon(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    int m = cpu_winograd_choose(cpu, op);
    if (m) return cpu_winograd_bwd_data_run(cpu, op, args, &cpu_gemm_neon, &cpu_winograd_neon[m / 2 - 1]);
    return cpu_conv_bwd_data_run(cpu, op, args, &cpu_gemm_neon);
}

enum vgg_status cpu_conv_bwd_weight_neon(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    int m = cpu_winograd_choose(cpu, op);
    if (m) return cpu_winograd_bwd_weight_run(cpu, op, args, &cpu_gemm_neon, &cpu_winograd_neon[m / 2 - 1]);
    return cpu_conv_bwd_weight_run(cpu, op, args, &cpu_gemm_neon);
}

enum vgg_status cpu_dense_neon(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_run(cpu, op, args, &cpu_gemm_neon);
}

enum vgg_status cpu_dense_bwd_data_neon(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_bwd_data_run(cpu, op, args, &cpu_gemm_neon);
}

enum vgg_status cpu_dense_bwd_weight_neon(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_bwd_weight_run(cpu, op, args, &cpu_gemm_neon);
}
