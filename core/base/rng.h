/* rng.h: Philox4x32-10, a counter-based generator: any number of any stream at any time, the same on every backend.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#ifndef CORE_BASE_RNG_H
#define CORE_BASE_RNG_H

#include <stdint.h>

/* What the numbers are for: the second counter word, so that no two uses share a stream. */
enum vgg_rng_use {
    VGG_RNG_DROPOUT = 0,
    VGG_RNG_INIT = 1,
    VGG_RNG_SHUFFLE = 2,
    VGG_RNG_AUGMENT = 3,
    VGG_RNG_SPLIT = 4,
    VGG_RNG_VARY = 5
};

/* out[0..3] = Philox4x32-10 of counter c[0..3] and key k[0..1]. */
static inline void vgg_rng_philox(uint32_t out[4], const uint32_t c[4], uint64_t key)
{
    uint32_t c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3], k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1, c3 = (uint32_t)p0, c0 = n0, c2 = n2;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* Number `index` of the stream (seed, use, stream): 32 uniform bits.
 * Counter: index / 4 (low word), use << 24 | high bits of index / 4, low and high word of `stream`; lane index % 4. */
static inline uint32_t vgg_rng_u32(uint64_t seed, enum vgg_rng_use use, uint64_t stream, uint64_t index)
{
    uint64_t block = index / 4;
    uint32_t c[4] = { (uint32_t)block, (uint32_t)use << 24 | ((uint32_t)(block >> 32) & 0xFFFFFFu), (uint32_t)stream,
                      (uint32_t)(stream >> 32) };
    uint32_t r[4];
    vgg_rng_philox(r, c, seed);
    return r[index % 4];
}

/* Uniform in [0, 1) with 24 bits. */
static inline float vgg_rng_uniform(uint64_t seed, enum vgg_rng_use use, uint64_t stream, uint64_t index)
{
    return (float)(vgg_rng_u32(seed, use, stream, index) >> 8) * 0x1p-24f;
}

/* Uniform in [0, n), n > 0; the bias is below n / 2^32. */
static inline uint32_t vgg_rng_below(uint64_t seed, enum vgg_rng_use use, uint64_t stream, uint64_t index, uint32_t n)
{
    return (uint32_t)((uint64_t)vgg_rng_u32(seed, use, stream, index) * n >> 32);
}

/* Stream of dropout: the update's number and the layer (below 256). */
static inline uint64_t vgg_rng_dropout_stream(uint64_t step, int layer)
{
    return step << 8 | (uint64_t)(layer & 0xFF);
}

/* Numbers below this drop their element. */
static inline uint32_t vgg_rng_dropout_threshold(float rate)
{
    return (uint32_t)((double)rate * 4294967296.0);
}

/* Does dropout keep element `index` of the whole batch? */
static inline int vgg_rng_keep(uint64_t seed, uint64_t step, int layer, uint64_t index, float rate)
{
    return vgg_rng_u32(seed, VGG_RNG_DROPOUT, vgg_rng_dropout_stream(step, layer), index) >=
           vgg_rng_dropout_threshold(rate);
}

#endif
