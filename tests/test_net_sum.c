/* Sums on the host have the bits of the device's own additions. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/engine/net_store.h"
#include "harness.h"

enum { COUNT = 20011 };

/* Any float but infinite ones and those that are no numbers; every third is denormal or close to it. */
static float any_float(uint64_t number)
{
    float x;
    uint32_t bits = vgg_rng_below(7, VGG_RNG_INIT, 1, number, 0xffffffff);
    uint32_t exponent = number % 3 ? bits >> 8 & 0xff : bits >> 8 & 1;
    if (exponent == 0xff) exponent = 0x7f;
    bits = (bits & 0x807fffff) | exponent << 23;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void check(struct vgg_backend *backend, enum vgg_net_sum_way *way)
{
    struct vgg_net_sum sum = { 0 }, device = { .way = VGG_NET_SUM_DEVICE };
    float *x = malloc(COUNT * sizeof *x), *y = malloc(COUNT * sizeof *y), *z = malloc(COUNT * sizeof *z);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(vgg_buf_create(backend, &device.term[i], COUNT * sizeof *x), VGG_OK);
    cr_assert_eq(vgg_net_sum_init(&sum, backend, COUNT), VGG_OK);
    for (int i = 0; i < COUNT; i++) {
        x[i] = any_float((uint64_t)i);
        y[i] = i % 5 ? any_float((uint64_t)i + COUNT) : -1.0000001f * x[i]; /* little is left of these */
        z[i] = y[i];
    }
    cr_assert_eq(vgg_net_sum_add(&sum, y, x, COUNT), VGG_OK);
    cr_assert_eq(vgg_net_sum_add(&device, z, x, COUNT), VGG_OK);
    for (int i = 0; i < COUNT; i++)
        cr_assert(memcmp(&y[i], &z[i], sizeof *y) == 0, "%d: %a, %a", i, (double)y[i], (double)z[i]);
    cr_assert_eq(vgg_net_sum_add(&sum, y, NULL, 0), VGG_OK);
    *way = sum.way;
    vgg_net_sum_finish(&sum);
    vgg_net_sum_finish(&device);
    free(x);
    free(y);
    free(z);
}

Test(net_sum, has_the_bits_of_every_device)
{
    struct harness_target target[HARNESS_MAX_TARGETS];
    size_t count = harness_targets(target);
    for (size_t i = 0; i < count; i++) {
        struct harness h;
        enum vgg_net_sum_way way;
        harness_open(&h, &target[i]);
        check(h.backend, &way);
        /* Without the device a thread beside the one that uses it can add. */
        if (strcmp(target[i].backend, "cpu") == 0) cr_expect_eq(way, VGG_NET_SUM_FLUSHED);
        harness_close(&h);
    }
}
