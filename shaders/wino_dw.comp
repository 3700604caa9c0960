/* wino_dw.comp: dw += the kernel's gradient, from Winograd's domain u[36][parts][ci][co], whose parts it adds in order;
 * one thread two neighbours of co; the transpose of wino_weight.comp. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/wino.glsl"

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer U { vec2 u[]; };
layout(binding = 1) buffer Dw { vec2 dw[]; };

vec2 total(int point, int i, int pairs)
{
    int at = int(p.base[0]) / 2 + point * p.parts * pairs + i;
    vec2 sum = u[at];
    for (int z = 1; z < p.parts; z++) sum += u[at + z * pairs];
    return sum;
}

void main()
{
    int pairs = p.ci * p.co / 2, dw_base = int(p.base[1]) / 2;
    for (uint i = flat_first(); i < uint(pairs); i += flat_step()) {
        vec2 columns[6][3];
        [[unroll]] for (int k = 0; k < 6; k++) {
            vec2 v[6];
            [[unroll]] for (int r = 0; r < 6; r++) v[r] = total(6 * r + k, int(i), pairs);
            wino_kernel_bwd(columns[k], v[0], v[1], v[2], v[3], v[4], v[5]);
        }
        [[unroll]] for (int r = 0; r < 3; r++) {
            vec2 g[3];
            wino_kernel_bwd(g, columns[0][r], columns[1][r], columns[2][r], columns[3][r], columns[4][r],
                            columns[5][r]);
            [[unroll]] for (int k = 0; k < 3; k++) {
                int at = dw_base + (3 * r + k) * pairs + int(i);
                dw[at] = dw[at] + g[k];
            }
        }
    }
}
