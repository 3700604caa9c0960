/* update.comp: one step of an optimiser over a flat range, four words a thread. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/update.glsl"

layout(binding = 0) buffer W { vec4 w[]; };
layout(binding = 1) readonly buffer Dw { vec4 dw[]; };
layout(binding = 2) buffer M { vec4 m[]; };
layout(binding = 3) buffer V { vec4 v[]; };

/* Every range begins at a multiple of four words. */
void main()
{
    uint whole = p.count / 4u;
    for (uint i = flat_first(); i < whole; i += flat_step()) {
        state x = state(w[p.base[0] / 4u + i], vec4(0), vec4(0));
        if (FIRST) x.m = m[p.base[2] / 4u + i];
        if (SECOND) x.v = v[p.base[3] / 4u + i];
        update(x, dw[p.base[1] / 4u + i]);
        w[p.base[0] / 4u + i] = x.w;
        if (FIRST) m[p.base[2] / 4u + i] = x.m;
        if (SECOND) v[p.base[3] / 4u + i] = x.v;
    }
    if (4u * whole + flat_first() < p.count) update_word(4u * whole + flat_first());
}
