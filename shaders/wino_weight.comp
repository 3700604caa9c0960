/* wino_weight.comp: kernels to Winograd's domain: u[36][ci][co], one thread two neighbours of co. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/wino.glsl"

layout(constant_id = VK_SPEC_TRANSPOSED) const bool TRANSPOSED = false; /* w is [tap][co][ci], taps in reverse */
layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer W { float w[]; };
layout(binding = 0) readonly buffer W2 { vec2 w2[]; };
layout(binding = 1) writeonly buffer U { vec2 u[]; };

vec2 weight(int tap, int c, int n)
{
    if (!TRANSPOSED) return w2[(int(p.base[0]) + (tap * p.ci + c) * p.co + n) / 2];
    int at = int(p.base[0]) + ((8 - tap) * p.co + n) * p.ci + c;
    return vec2(w[at], w[at + p.ci]);
}

void main()
{
    for (uint i = flat_first(); i < uint(p.ci * p.co / 2); i += flat_step()) {
        int c = int(i) / (p.co / 2), n = int(i) % (p.co / 2) * 2;
        vec2 columns[3][6];
        [[unroll]] for (int x = 0; x < 3; x++) {
            wino_kernel(columns[x], weight(x, c, n), weight(3 + x, c, n), weight(6 + x, c, n));
        }
        [[unroll]] for (int row = 0; row < 6; row++) {
            vec2 t[6];
            wino_kernel(t, columns[0][row], columns[1][row], columns[2][row]);
            [[unroll]] for (int x = 0; x < 6; x++) {
                u[(int(p.base[1]) + ((6 * row + x) * p.ci + c) * p.co + n) / 2] = t[x];
            }
        }
    }
}
