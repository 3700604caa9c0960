/* wino_input_texel.comp: tiles of 6x6, four apart, to Winograd's domain: v[36][tiles][ci], one thread a tile and four
 * channels. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "cpu/four.glsl"
#include "common/flat.glsl"
#define WINO vec4
#include "common/wino.glsl"

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 1) writeonly buffer V { u64vec2 v[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer x;

void main()
{
    int across = (p.w + 3) / 4, down = (p.rows + 3) / 4, tiles = p.images * down * across;
    for (uint i = flat_first(); i < uint(tiles * p.ci / 4); i += flat_step()) {
        int c = int(i) % (p.ci / 4) * 4, tile = int(i) / (p.ci / 4), image = tile / across / down;
        int x0 = tile % across * 4 - 1, y0 = p.y0 + tile / across % down * 4 - 1;
        int origin = int(p.base[0]) + (image * p.x_rows - p.x0) * p.w * p.ci + c;
        vec4 columns[6][6];
        [[unroll]] for (int k = 0; k < 6; k++) {
            vec4 d[6];
            [[unroll]] for (int r = 0; r < 6; r++) {
                int xx = x0 + k, yy = y0 + r;
                bool inside = xx >= 0 && xx < p.w && yy >= p.x0 && yy < p.x0 + p.x_rows;
                vec4 pixel = texelFetch(x, inside ? (origin + (yy * p.w + xx) * p.ci) >> 2 : int(p.base[0]) >> 2);
                d[r] = inside ? pixel : vec4(0);
            }
            wino_input(columns[k], d[0], d[1], d[2], d[3], d[4], d[5]);
        }
        [[unroll]] for (int row = 0; row < 6; row++) {
            vec4 t[6];
            wino_input(t, columns[0][row], columns[1][row], columns[2][row], columns[3][row], columns[4][row],
                       columns[5][row]);
            [[unroll]] for (int k = 0; k < 6; k++) {
                int at = (6 * row + k) * VK_WINO_PLANE(tiles * p.ci) + tile * p.ci + c;
                v[(int(p.base[1]) + at) / 4] = four_words(t[k]);
            }
        }
    }
}
