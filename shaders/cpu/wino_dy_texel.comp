/* wino_dy_texel.comp: tiles of 4x4 of the output's gradient to Winograd's domain: d[36][tiles][co], one thread a tile
 * and four channels; the transpose of wino_output_texel.comp. */
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
layout(binding = 1) writeonly buffer D { u64vec2 d[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer dy;

void main()
{
    int across = (p.w + 3) / 4, down = (p.rows + 3) / 4, tiles = p.images * down * across;
    for (uint i = flat_first(); i < uint(tiles * p.co / 4); i += flat_step()) {
        int n = int(i) % (p.co / 4) * 4, tile = int(i) / (p.co / 4), image = tile / across / down;
        int column = tile % across * 4, row = tile / across % down * 4;
        vec4 columns[4][6];
        [[unroll]] for (int k = 0; k < 4; k++) {
            vec4 v[4];
            [[unroll]] for (int r = 0; r < 4; r++) {
                bool inside = row + r < p.rows && column + k < p.w;
                int at = ((image * p.rows + row + r) * p.w + column + k) * p.co + n;
                vec4 pixel = texelFetch(dy, (int(p.base[0]) + (inside ? at : n)) >> 2);
                v[r] = inside ? pixel : vec4(0);
            }
            wino_output_bwd(columns[k], v[0], v[1], v[2], v[3]);
        }
        [[unroll]] for (int r = 0; r < 6; r++) {
            vec4 t[6];
            wino_output_bwd(t, columns[0][r], columns[1][r], columns[2][r], columns[3][r]);
            [[unroll]] for (int k = 0; k < 6; k++) {
                int at = (6 * r + k) * VK_WINO_PLANE(tiles * p.co) + tile * p.co + n;
                d[(int(p.base[1]) + at) / 4] = four_words(t[k]);
            }
        }
    }
}
