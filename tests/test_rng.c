/* The generator of all random numbers, beside its authors' known answers and a second one in Python's whole numbers. */
#include "core/base/rng.h"

#include <criterion/criterion.h>

/* Source: Random123 1.14, kat_vectors, philox4x32 of 10 rounds. */
Test(rng, known_answers)
{
    static const struct {
        uint32_t counter[4];
        uint64_t key;
        uint32_t out[4];
    } known[] = {
        { { 0 }, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
          UINT64_MAX,
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          UINT64_C(0x299f31d0a4093822),
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        vgg_rng_philox(out, known[i].counter, known[i].key);
        cr_expect_arr_eq(out, known[i].out, sizeof out, "%zu", i);
    }
}

/* Which counter a number comes from. */
Test(rng, numbers_of_streams)
{
    cr_expect_eq(vgg_rng_u32(5, VGG_RNG_AUGMENT, (UINT64_C(1) << 33) + 1, 7), 2361347703u);
    cr_expect_eq(vgg_rng_u32(5, VGG_RNG_AUGMENT, 1, (UINT64_C(1) << 35) + 6), 1925774946u);
    cr_expect_eq(vgg_rng_u32(UINT64_C(1) << 63, VGG_RNG_INIT, 0, 3), 0x90856377u);
    cr_expect_eq(vgg_rng_below(9, VGG_RNG_SHUFFLE, 4, 11, 1000), 438u);
    cr_expect_eq(vgg_rng_uniform(5, VGG_RNG_AUGMENT, 1, 6),
                 (float)(vgg_rng_u32(5, VGG_RNG_AUGMENT, 1, 6) >> 8) / 16777216.0f);
}
