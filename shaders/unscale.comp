/* unscale.comp: takes the scale of the loss out of gradients, and finds whether any of them is infinite or no number: by
 * its bits, since a driver may take it for granted that there are none. Four words a thread. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"

const uint EXPONENT = 0x7F800000u, ONE = 0x3F800000u;
layout(push_constant) uniform Push { vk_push_unscale p; };
layout(binding = 0) buffer Dw { vec4 dw[]; };
layout(binding = 0) buffer WordsDw { float dw1[]; };
layout(binding = 1) buffer Found { uint found[]; };
layout(binding = 4) uniform Step { vk_step run; };

/* Every range begins at a multiple of four words. */
void main()
{
    uint whole = p.count / 4u, rest = 4u * whole + flat_first();
    bool any_bad = false;
    for (uint i = flat_first(); i < whole; i += flat_step()) {
        vec4 g = dw[p.base[0] / 4u + i];
        any_bad = any_bad || any(equal(floatBitsToUint(g) & EXPONENT, uvec4(EXPONENT)));
        dw[p.base[0] / 4u + i] = g * run.unscale;
    }
    if (rest < p.count) {
        float g = dw1[p.base[0] + rest];
        any_bad = any_bad || (floatBitsToUint(g) & EXPONENT) == EXPONENT;
        dw1[p.base[0] + rest] = g * run.unscale;
    }
    if (any_bad) atomicOr(found[p.base[1]], ONE);
}
