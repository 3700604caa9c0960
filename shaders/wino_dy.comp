/* wino_dy.comp: tiles of 4x4 of the output's gradient to Winograd's domain: d[36][tiles][co], one thread a tile and
 * two channels; the transpose of wino_output.comp. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/wino.glsl"

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer Dy { vec2 dy[]; };
layout(binding = 1) writeonly buffer D { vec2 d[]; };

void main()
{
    int across = (p.w + 3) / 4, down = (p.rows + 3) / 4, tiles = p.images * down * across;
    for (uint i = flat_first(); i < uint(tiles * p.co / 2); i += flat_step()) {
        int n = int(i) % (p.co / 2) * 2, tile = int(i) / (p.co / 2), image = tile / across / down;
        int column = tile % across * 4, row = tile / across % down * 4;
        vec2 columns[4][6];
        [[unroll]] for (int k = 0; k < 4; k++) {
            vec2 v[4];
            [[unroll]] for (int r = 0; r < 4; r++) {
                bool inside = row + r < p.rows && column + k < p.w;
                int at = ((image * p.rows + row + r) * p.w + column + k) * p.co + n;
                v[r] = inside ? dy[(int(p.base[0]) + at) / 2] : vec2(0);
            }
            wino_output_bwd(columns[k], v[0], v[1], v[2], v[3]);
        }
        [[unroll]] for (int r = 0; r < 6; r++) {
            vec2 t[6];
            wino_output_bwd(t, columns[0][r], columns[1][r], columns[2][r], columns[3][r]);
            [[unroll]] for (int k = 0; k < 6; k++) {
                d[(int(p.base[1]) + ((6 * r + k) * tiles + tile) * p.co + n) / 2] = t[k];
            }
        }
    }
}
