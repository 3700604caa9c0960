/* cpu_conv_avx512.c: convolutions and dense layers on the AVX-512 micro-kernels. */
#include "cpu/cpu_conv.h"
#include "cpu/cpu_dense.h"
#include "cpu/cpu_winograd.h"

enum vgg_status cpu_conv_avx512(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    int m = cpu_winograd_choose(cpu, op);
    if (m) return cpu_winograd_run(cpu, op, args, &cpu_gemm_avx512, &cpu_winograd_avx512[m / 2 - 1]);
    return cpu_conv_run(cpu, op, args, &cpu_gemm_avx512);
}

enum vgg_status cpu_conv_bwd_data_avx512(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    int m = cpu_winograd_choose(cpu, op);
    if (m) return cpu_winograd_bwd_data_run(cpu, op, args, &cpu_gemm_avx512, &cpu_winograd_avx512[m / 2 - 1]);
    return cpu_conv_bwd_data_run(cpu, op, args, &cpu_gemm_avx512);
}

enum vgg_status cpu_conv_bwd_weight_avx512(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    int m = cpu_winograd_choose(cpu, op);
    if (m) return cpu_winograd_bwd_weight_run(cpu, op, args, &cpu_gemm_avx512, &cpu_winograd_avx512[m / 2 - 1]);
    return cpu_conv_bwd_weight_run(cpu, op, args, &cpu_gemm_avx512);
}

enum vgg_status cpu_dense_avx512(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_run(cpu, op, args, &cpu_gemm_avx512);
}

enum vgg_status cpu_dense_bwd_data_avx512(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_bwd_data_run(cpu, op, args, &cpu_gemm_avx512);
}

enum vgg_status cpu_dense_bwd_weight_avx512(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args)
{
    return cpu_dense_bwd_weight_run(cpu, op, args, &cpu_gemm_avx512);
}
