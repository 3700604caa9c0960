#include <omp.h>
#include <stdint.h>

#include "cpu/cpu.h"

/* Flush-to-zero is bit 15 and denormals-are-zero bit 6 of MXCSR (Intel SDM volume 1, 10.2.3); FZ, which covers both,
 * is bit 24 of FPCR (Arm ARM, C5.2.8). */
#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
enum { FLUSH = 1u << 15 | 1u << 6 };
static unsigned float_get(void)
{
    return _mm_getcsr();
}
static void float_set(unsigned word)
{
    _mm_setcsr(word);
}
#elif defined(__aarch64__)
enum { FLUSH = 1u << 24 };
static unsigned float_get(void)
{
    uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return (unsigned)word;
}
static void float_set(unsigned word)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)word));
}
#else
enum { FLUSH = 0 };
static unsigned float_get(void)
{
    return 0;
}
static void float_set(unsigned word)
{
    (void)word;
}
#endif

void cpu_float_enter(struct cpu *cpu)
{
#pragma omp parallel num_threads(cpu->threads)
    {
        unsigned word = float_get();
        cpu->fp_saved[omp_get_thread_num()] = word;
        float_set(word | FLUSH);
    }
    /* libomp gives the caller its own word back when a region ends, and the caller's to the others when one begins. */
    float_set(float_get() | FLUSH);
}

void cpu_float_leave(struct cpu *cpu)
{
#pragma omp parallel num_threads(cpu->threads)
    float_set(cpu->fp_saved[omp_get_thread_num()]);
    float_set(cpu->fp_saved[0]);
}
