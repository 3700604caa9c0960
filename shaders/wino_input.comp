/* wino_input.comp: tiles of 6x6, four apart, to Winograd's domain: v[36][tiles][ci], one thread a tile and two
 * channels. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/wino.glsl"

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer X { vec2 x[]; };
layout(binding = 1) writeonly buffer V { vec2 v[]; };

void main()
{
    int across = (p.w + 3) / 4, down = (p.rows + 3) / 4, tiles = p.images * down * across;
    for (uint i = flat_first(); i < uint(tiles * p.ci / 2); i += flat_step()) {
        int c = int(i) % (p.ci / 2) * 2, tile = int(i) / (p.ci / 2), image = tile / across / down;
        int x0 = tile % across * 4 - 1, y0 = p.y0 + tile / across % down * 4 - 1;
        int origin = int(p.base[0]) + (image * p.x_rows - p.x0) * p.w * p.ci + c;
        vec2 columns[6][6];
        [[unroll]] for (int k = 0; k < 6; k++) {
            vec2 d[6];
            [[unroll]] for (int r = 0; r < 6; r++) {
                /* The nearest pixel inside is loaded: choosing between addresses or branches, 36 times over, takes some
                 * compilers minutes. */
                ivec2 at = clamp(ivec2(x0 + k, y0 + r), ivec2(0, p.x0), ivec2(p.w, p.x0 + p.x_rows) - 1);
                bool inside = all(equal(at, ivec2(x0 + k, y0 + r)));
                d[r] = mix(vec2(0), x[(origin + (at.y * p.w + at.x) * p.ci) / 2], bvec2(inside));
            }
            wino_input(columns[k], d[0], d[1], d[2], d[3], d[4], d[5]);
        }
        [[unroll]] for (int row = 0; row < 6; row++) {
            vec2 t[6];
            wino_input(t, columns[0][row], columns[1][row], columns[2][row], columns[3][row], columns[4][row],
                       columns[5][row]);
            [[unroll]] for (int k = 0; k < 6; k++) {
                v[(int(p.base[1]) + ((6 * row + k) * tiles + tile) * p.ci + c) / 2] = t[k];
            }
        }
    }
}
