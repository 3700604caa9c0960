/* update_texel.comp: update.comp for devices of CPU type, eight words a thread. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "common/flat.glsl"
#include "cpu/four.glsl"
#include "common/update.glsl"

layout(binding = 0) writeonly buffer W { u64vec4 w[]; };
layout(binding = 2) writeonly buffer M { u64vec4 m[]; };
layout(binding = 3) writeonly buffer V { u64vec4 v[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer old;
layout(binding = VK_BINDING_TEXEL + 1) uniform samplerBuffer dw;
layout(binding = VK_BINDING_TEXEL + 2) uniform samplerBuffer old_m;
layout(binding = VK_BINDING_TEXEL + 3) uniform samplerBuffer old_v;

/* Words 4 i .. 4 i + 3. */
state updated(uint i)
{
    state x = state(texelFetch(old, int(p.base[0] / 4u + i)), vec4(0), vec4(0));
    if (FIRST) x.m = texelFetch(old_m, int(p.base[2] / 4u + i));
    if (SECOND) x.v = texelFetch(old_v, int(p.base[3] / 4u + i));
    update(x, texelFetch(dw, int(p.base[1] / 4u + i)));
    return x;
}

/* Every range begins at a multiple of eight words. */
void main()
{
    uint whole = p.count / 8u;
    for (uint i = flat_first(); i < whole; i += flat_step()) {
        state low = updated(2u * i), high = updated(2u * i + 1u);
        w[p.base[0] / 8u + i] = u64vec4(four_words(low.w), four_words(high.w));
        if (FIRST) m[p.base[2] / 8u + i] = u64vec4(four_words(low.m), four_words(high.m));
        if (SECOND) v[p.base[3] / 8u + i] = u64vec4(four_words(low.v), four_words(high.v));
    }
    if (8u * whole + flat_first() < p.count) update_word(8u * whole + flat_first());
}
