/* unscale.comp: takes the scale of the loss out of gradients, and finds whether any of them is infinite or no number: by
 * its bits, since a driver may take it for granted that there are none. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"

const uint EXPONENT = 0x7F800000u, ONE = 0x3F800000u;
layout(push_constant) uniform Push { vk_push_unscale p; };
layout(binding = 0) buffer Dw { float dw[]; };
layout(binding = 1) buffer Found { uint found[]; };
layout(binding = 4) uniform Step { vk_step run; };

void main()
{
    bool any = false;
    for (uint i = flat_first(); i < p.count; i += flat_step()) {
        float g = dw[p.base[0] + i];
        any = any || (floatBitsToUint(g) & EXPONENT) == EXPONENT;
        dw[p.base[0] + i] = g * run.unscale;
    }
    if (any) atomicOr(found[p.base[1]], ONE);
}
