/* pool_bwd_texel.comp: pool_bwd.comp for devices of CPU type where channels come in eights: one thread eight channels of
 * a pooled element, or of what no pooled element covers. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "common/flat.glsl"
#include "cpu/four.glsl"
#include "common/positive.glsl"

layout(constant_id = VK_SPEC_MASK) const bool MASK = false;
layout(push_constant) uniform Push { vk_push_pool p; };
layout(binding = 2) writeonly buffer Dx { u64vec4 dx[]; };
layout(binding = 1) readonly buffer Arg { uint64_t arg[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer dy;
layout(binding = VK_BINDING_TEXEL + 3) uniform samplerBuffer y;

vec4 gradient(uint texel)
{
    vec4 g = texelFetch(dy, int(p.base[0] / 4u + texel));
    if (MASK) g = mix(vec4(0), g, positive(floatBitsToInt(texelFetch(y, int(p.base[3] / 4u + texel)))));
    return g;
}

uvec4 bytes(uint word)
{
    return uvec4(word) >> uvec4(0u, 8u, 16u, 24u) & 0xFFu;
}

void main()
{
    uint eights = p.c / 8u, across = (p.w + 1u) / 2u, down = (p.in_rows + 1u) / 2u;
    for (uint i = flat_first(); i < p.count; i += flat_step()) {
        uint c = i % eights, cell = i / eights, ox = cell % across, row = cell / across, oy = row % down;
        uint image = row / down;
        bool covered = ox < p.ow && oy < p.oh;
        uint at = covered ? ((image * p.oh + oy) * p.ow + ox) * eights + c : 0u;
        vec4 low = gradient(2u * at), high = gradient(2u * at + 1u);
        uvec2 words = unpackUint2x32(arg[p.base[1] / 2u + at]);
        uvec4 low_place = bytes(words.x), high_place = bytes(words.y);
        [[unroll]] for (uint place = 0u; place < 4u; place++) {
            uint ix = 2u * ox + (place & 1u), iy = 2u * oy + (place >> 1u);
            if (ix >= p.w || iy >= p.in_rows) continue;
            bvec4 keep_low = equal(low_place, uvec4(covered ? place : 4u));
            bvec4 keep_high = equal(high_place, uvec4(covered ? place : 4u));
            dx[p.base[2] / 8u + ((image * p.in_rows + iy) * p.w + ix) * eights + c] =
                u64vec4(four_words(mix(vec4(0), low, keep_low)), four_words(mix(vec4(0), high, keep_high)));
        }
    }
}
