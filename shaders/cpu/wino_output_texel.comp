/* wino_output_texel.comp: products m[36][tiles][co] back to tiles of 4x4 pixels, with the epilogues of conv.comp; one
 * thread a tile and four channels. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_ARB_gpu_shader_int64 : require
#include "common/params.h"
#include "cpu/four.glsl"
#include "common/flat.glsl"
#include "common/positive.glsl"
#define WINO vec4
#include "common/wino.glsl"

layout(constant_id = VK_SPEC_TRANSPOSED) const bool TRANSPOSED = false; /* no bias; RELU: mask by binding 3 > 0 */
layout(constant_id = VK_SPEC_RELU) const bool RELU = false;
layout(constant_id = VK_SPEC_POOL) const bool POOL = false;
layout(constant_id = VK_SPEC_ARG) const bool ARG = false;
layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 2) writeonly buffer Y { u64vec2 y[]; };
layout(binding = 3) writeonly buffer Arg { uint arg[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer m;
layout(binding = VK_BINDING_TEXEL + 1) uniform samplerBuffer bias;
layout(binding = VK_BINDING_TEXEL + 3) uniform samplerBuffer mask;

/* The 4x4 pixels of four channels. */
void untransform(out vec4 pixels[4][4], int tiles, int tile, int n)
{
    vec4 columns[6][4];
    int at = (int(p.base[0]) + tile * p.co + n) >> 2, next = VK_WINO_PLANE(tiles * p.co) >> 2;
    [[unroll]] for (int k = 0; k < 6; k++) {
        vec4 v[6];
        [[unroll]] for (int r = 0; r < 6; r++) v[r] = texelFetch(m, at + (6 * r + k) * next);
        wino_output(columns[k], v[0], v[1], v[2], v[3], v[4], v[5]);
    }
    vec4 add = TRANSPOSED ? vec4(0) : texelFetch(bias, (int(p.base[1]) + n) >> 2);
    [[unroll]] for (int r = 0; r < 4; r++) {
        wino_output(pixels[r], columns[0][r], columns[1][r], columns[2][r], columns[3][r], columns[4][r],
                    columns[5][r]);
        [[unroll]] for (int k = 0; k < 4; k++) {
            pixels[r][k] += add;
            if (RELU && !TRANSPOSED) pixels[r][k] = relu(pixels[r][k]);
        }
    }
}

void store(vec4 pixels[4][4], int image, int row, int column, int n)
{
    [[unroll]] for (int r = 0; r < 4; r++) {
        [[unroll]] for (int k = 0; k < 4; k++) {
            if (row + r >= p.rows || column + k >= p.w) continue;
            int at = ((image * p.rows + row + r) * p.w + column + k) * p.co + n;
            vec4 v = pixels[r][k];
            if (TRANSPOSED && RELU) {
                v = mix(vec4(0), v, positive(floatBitsToInt(texelFetch(mask, (int(p.base[3]) + at) >> 2))));
            }
            y[(int(p.base[2]) + at) / 4] = four_words(v);
        }
    }
}

/* Maxima of the tile's quads. */
void store_pooled(vec4 pixels[4][4], int image, int row, int column, int n)
{
    [[unroll]] for (int q = 0; q < 4; q++) {
        int r = q / 2 * 2, k = q % 2 * 2;
        vec4 best = pixels[r][k];
        uvec4 place = uvec4(0u), size = size_bits(best);
        [[unroll]] for (int o = 1; o < 4; o++) {
            vec4 next = pixels[r + o / 2][k + o % 2];
            bvec4 more = greaterThan(next, best);
            best = mix(best, next, more);
            place = mix(place, uvec4(o), more);
            size = max(size, size_bits(next));
        }
        if (row + r + 1 >= p.rows || column + k + 1 >= p.w) continue;
        int at = ((image * (p.rows / 2) + (row + r) / 2) * (p.w / 2) + (column + k) / 2) * p.co + n;
        y[(int(p.base[2]) + at) / 4] = four_words(maximum(best, size));
        if (ARG) arg[int(p.base[3]) + at / 4] = place.x | place.y << 8 | place.z << 16 | place.w << 24;
    }
}

void main()
{
    int across = (p.w + 3) / 4, down = (p.rows + 3) / 4, tiles = p.images * down * across, groups = p.co / 4;
    for (uint i = flat_first(); i < uint(tiles * groups); i += flat_step()) {
        int n = int(i) % groups * 4, tile = int(i) / groups, image = tile / across / down;
        int column = tile % across * 4, row = tile / across % down * 4;
        vec4 pixels[4][4];
        untransform(pixels, tiles, tile, n);
        if (POOL) {
            store_pooled(pixels, image, row, column, n);
        } else {
            store(pixels, image, row, column, n);
        }
    }
}
