/* cpu_dense.h: dense layers, each pass reading the weights once from memory (cpu_dense.c) on an ISA level's
 * micro-kernels. Any extents; sums are split by shape only. Bound: (n + 1) 2^-24 sum |a b|, n = terms of a sum. */
#ifndef CPU_CPU_DENSE_H
#define CPU_CPU_DENSE_H

#include "cpu/cpu.h"
#include "cpu/cpu_gemm.h"

enum vgg_status cpu_dense_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                              const struct cpu_gemm *gemm);
enum vgg_status cpu_dense_bwd_data_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                       const struct cpu_gemm *gemm);
enum vgg_status cpu_dense_bwd_weight_run(struct cpu *cpu, const struct vgg_op *op, const struct cpu_args *args,
                                         const struct cpu_gemm *gemm);

#endif
