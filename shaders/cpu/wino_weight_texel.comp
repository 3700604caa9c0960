/* wino_weight_texel.comp: kernels to Winograd's domain: u[36][ci][co], one thread four of them: neighbours of co, or
 * of ci that it exchanges with three other threads. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_ARB_gpu_shader_int64 : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "common/params.h"
#include "cpu/four.glsl"
#include "common/flat.glsl"
#define WINO vec4
#include "common/wino.glsl"

layout(constant_id = VK_SPEC_TRANSPOSED) const bool TRANSPOSED = false; /* w has lines of ci, taps in reverse */
layout(push_constant) uniform Push { vk_push_kernels p; };
layout(binding = 1) writeonly buffer U { u64vec2 u[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer w;

/* Four lanes hold a row each of a matrix of four; then a column each. */
vec4 transposed(vec4 v, int lane)
{
    bool odd = (lane & 1) != 0, high = (lane & 2) != 0;
    vec2 other = subgroupShuffleXor(odd ? v.xz : v.yw, 1u);
    v = odd ? vec4(other.x, v.y, other.y, v.w) : vec4(v.x, other.x, v.z, other.y);
    other = subgroupShuffleXor(high ? v.xy : v.zw, 2u);
    return high ? vec4(other, v.zw) : vec4(v.xy, other);
}

void main()
{
    for (uint i = flat_first(); i < uint(p.ci * p.co / 4); i += flat_step()) {
        int lane = int(i) & 3, c, n;
        if (TRANSPOSED) {
            c = int(i) / 4 % (p.ci / 4) * 4;
            n = int(i) / p.ci * 4;
        } else {
            c = int(i) / (p.co / 4);
            n = int(i) % (p.co / 4) * 4;
        }
        vec4 columns[3][6];
        [[unroll]] for (int x = 0; x < 3; x++) {
            vec4 g[3];
            [[unroll]] for (int row = 0; row < 3; row++) {
                int tap = 3 * row + x;
                int at = TRANSPOSED ? (8 - tap) * p.tap + (n + lane) * p.line + c : tap * p.tap + c * p.line + n;
                g[row] = texelFetch(w, (int(p.base[0]) + at) >> 2);
            }
            wino_kernel(columns[x], g[0], g[1], g[2]);
        }
        if (TRANSPOSED) c += lane;
        [[unroll]] for (int row = 0; row < 6; row++) {
            vec4 t[6];
            wino_kernel(t, columns[0][row], columns[1][row], columns[2][row]);
            [[unroll]] for (int x = 0; x < 6; x++) {
                u[(int(p.base[1]) + (6 * row + x) * VK_WINO_PLANE(p.ci * p.co) + c * p.co + n) / 4] =
                    four_words(TRANSPOSED ? transposed(t[x], lane) : t[x]);
            }
        }
    }
}
