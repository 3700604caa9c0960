/* rng.glsl: Philox4x32-10, the same numbers as core/base/rng.h.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */

uvec4 rng_philox(uvec4 c, uvec2 key)
{
    for (int round = 0; round < 10; round++) {
        uint high0, low0, high1, low1;
        umulExtended(0xD2511F53u, c.x, high0, low0);
        umulExtended(0xCD9E8D57u, c.z, high1, low1);
        c = uvec4(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

/* Number `index` (64 bits: low, high) of the dropout stream of a step and layer. */
uint rng_dropout(uvec2 seed, uvec2 stream, uint index_low, uint index_high)
{
    uint block_low = index_low >> 2 | index_high << 30, block_high = index_high >> 2;
    uvec4 r = rng_philox(uvec4(block_low, block_high & 0xFFFFFFu, stream), seed);
    return r[index_low & 3u];
}
