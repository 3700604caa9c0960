/* wino_output.comp: products m[36][tiles][co] back to tiles of 4x4 pixels, with the epilogues of conv.comp; one thread
 * a tile and CHANNELS channels. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/flat.glsl"
#include "common/positive.glsl"
#include "common/wino.glsl"

layout(constant_id = VK_SPEC_TRANSPOSED) const bool TRANSPOSED = false; /* no bias; RELU: mask by binding 3 > 0 */
layout(constant_id = VK_SPEC_RELU) const bool RELU = false;
layout(constant_id = VK_SPEC_POOL) const bool POOL = false;
layout(constant_id = VK_SPEC_ARG) const bool ARG = false;
layout(constant_id = VK_SPEC_CHANNELS) const int CHANNELS = 2; /* neighbours' loads touch; ARG: 4, one word */
layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer M { vec2 m[]; };
layout(binding = 1) readonly buffer Bias { vec2 bias[]; };
layout(binding = 2) writeonly buffer Y { vec2 y[]; };
layout(binding = 3) readonly buffer Mask { vec2 mask[]; };
layout(binding = 3) writeonly buffer Arg { uint arg[]; };

/* The 4x4 pixels of two channels. */
void untransform(out vec2 pixels[4][4], int tiles, int tile, int n)
{
    vec2 columns[6][4];
    int at = (int(p.base[0]) + tile * p.co + n) / 2, next = tiles * p.co / 2;
    [[unroll]] for (int k = 0; k < 6; k++) {
        wino_output(columns[k], m[at + k * next], m[at + (6 + k) * next], m[at + (12 + k) * next],
                    m[at + (18 + k) * next], m[at + (24 + k) * next], m[at + (30 + k) * next]);
    }
    vec2 add = TRANSPOSED ? vec2(0) : bias[(int(p.base[1]) + n) / 2];
    [[unroll]] for (int r = 0; r < 4; r++) {
        wino_output(pixels[r], columns[0][r], columns[1][r], columns[2][r], columns[3][r], columns[4][r],
                    columns[5][r]);
        [[unroll]] for (int k = 0; k < 4; k++) {
            pixels[r][k] += add;
            if (RELU && !TRANSPOSED) pixels[r][k] = relu(pixels[r][k]);
        }
    }
}

void store(vec2 pixels[4][4], int image, int row, int column, int n)
{
    [[unroll]] for (int r = 0; r < 4; r++) {
        [[unroll]] for (int k = 0; k < 4; k++) {
            if (row + r >= p.rows || column + k >= p.w) continue;
            int at = ((image * p.rows + row + r) * p.w + column + k) * p.co + n;
            vec2 v = pixels[r][k];
            if (TRANSPOSED && RELU) {
                ivec2 bits = floatBitsToInt(mask[(int(p.base[3]) + at) / 2]);
                v = mix(vec2(0), v, bvec2(positive(bits.x), positive(bits.y)));
            }
            y[(int(p.base[2]) + at) / 2] = v;
        }
    }
}

/* Maxima of the tile's quads; which: their places, a byte for each of channels s, s + 1. */
void store_pooled(vec2 pixels[4][4], int image, int row, int column, int n, int s, inout uint which[4])
{
    [[unroll]] for (int q = 0; q < 4; q++) {
        int r = q / 2 * 2, k = q % 2 * 2;
        vec2 best = pixels[r][k];
        uvec2 place = uvec2(0u), size = size_bits(best);
        [[unroll]] for (int o = 1; o < 4; o++) {
            vec2 other = pixels[r + o / 2][k + o % 2];
            bvec2 more = greaterThan(other, best);
            best = mix(best, other, more);
            place = mix(place, uvec2(o), more);
            size = max(size, size_bits(other));
        }
        which[q] |= place.x << 8 * s | place.y << 8 * s + 8;
        if (row + r + 1 >= p.rows || column + k + 1 >= p.w) continue;
        int at = ((image * (p.rows / 2) + (row + r) / 2) * (p.w / 2) + (column + k) / 2) * p.co + n;
        y[(int(p.base[2]) + at) / 2] = maximum(best, size);
    }
}

void main()
{
    int across = (p.w + 3) / 4, down = (p.rows + 3) / 4, tiles = p.images * down * across, groups = p.co / CHANNELS;
    for (uint i = flat_first(); i < uint(tiles * groups); i += flat_step()) {
        int n = int(i) % groups * CHANNELS, tile = int(i) / groups, image = tile / across / down;
        int column = tile % across * 4, row = tile / across % down * 4;
        uint which[4] = uint[4](0u, 0u, 0u, 0u);
        [[unroll]] for (int s = 0; s < CHANNELS; s += 2) {
            vec2 pixels[4][4];
            untransform(pixels, tiles, tile, n + s);
            if (POOL) {
                store_pooled(pixels, image, row, column, n + s, s, which);
            } else {
                store(pixels, image, row, column, n + s);
            }
        }
        if (!ARG) continue;
        [[unroll]] for (int q = 0; q < 4; q++) {
            int r = row + q / 2 * 2, k = column + q % 2 * 2;
            if (r + 1 >= p.rows || k + 1 >= p.w) continue;
            arg[int(p.base[3]) + (((image * (p.rows / 2) + r / 2) * (p.w / 2) + k / 2) * p.co + n) / 4] = which[q];
        }
    }
}
