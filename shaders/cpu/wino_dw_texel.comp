/* wino_dw_texel.comp: dw += the kernel's gradient, from Winograd's domain u[36][ci][co]; one thread four neighbours of
 * co; the transpose of wino_weight_texel.comp. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "cpu/four.glsl"
#include "common/flat.glsl"
#define WINO vec4
#include "common/wino.glsl"

layout(push_constant) uniform Push { vk_push_kernels p; };
layout(binding = 1) writeonly buffer Dw { u64vec2 dw[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer u;
layout(binding = VK_BINDING_TEXEL + 1) uniform samplerBuffer old;

void main()
{
    int fours = p.ci * p.co / 4, plane = VK_WINO_PLANE(p.ci * p.co) / 4;
    int u_base = int(p.base[0]) / 4, dw_base = int(p.base[1]) / 4;
    for (uint i = flat_first(); i < uint(fours); i += flat_step()) {
        vec4 columns[6][3];
        [[unroll]] for (int k = 0; k < 6; k++) {
            int at = u_base + int(i) + k * plane;
            vec4 v[6];
            [[unroll]] for (int r = 0; r < 6; r++) v[r] = texelFetch(u, at + 6 * r * plane);
            wino_kernel_bwd(columns[k], v[0], v[1], v[2], v[3], v[4], v[5]);
        }
        [[unroll]] for (int r = 0; r < 3; r++) {
            vec4 g[3];
            wino_kernel_bwd(g, columns[0][r], columns[1][r], columns[2][r], columns[3][r], columns[4][r],
                            columns[5][r]);
            [[unroll]] for (int k = 0; k < 3; k++) {
                int at = dw_base + ((3 * r + k) * p.tap + int(i) / (p.co / 4) * p.line) / 4 + int(i) % (p.co / 4);
                dw[at] = four_words(texelFetch(old, at) + g[k]);
            }
        }
    }
}
