/* conv_texel.comp: conv.comp for devices of CPU type where the channels come in eights. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "common/params.h"
#include "cpu/texel.glsl"
#include "common/positive.glsl"

layout(constant_id = VK_SPEC_TRANSPOSED) const bool TRANSPOSED = false; /* w is [tap][co][ci], in reverse; no bias */
layout(constant_id = VK_SPEC_RELU) const bool RELU = false;             /* TRANSPOSED: mask by binding 3 > 0 */
layout(constant_id = VK_SPEC_POOL) const bool POOL = false;             /* rows in quads; y is the pooled map */
layout(constant_id = VK_SPEC_ARG) const bool ARG = false;               /* binding 3: four channels' argmax a word */

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 2) writeonly buffer Y { vec4 y[]; };
layout(binding = 3) readonly buffer Mask { ivec4 mask[]; };
layout(binding = 3) writeonly buffer Arg { uint arg[]; };
layout(binding = VK_BINDING_TEXEL) uniform samplerBuffer x;
layout(binding = VK_BINDING_TEXEL + 1) uniform samplerBuffer w;

#include "common/pixel.glsl"
#include "common/quad.glsl"

/* b for channels k .. k + 7 of a tap. */
void load_b(out float b[STEP][TN], int tap, int k, int n)
{
    if (!TRANSPOSED) {
        int at = int(p.base[1]) + (tap * p.ci + k) * p.co + n;
        [[unroll]] for (int s = 0; s < STEP; s++) load_columns(b[s], w, at + s * p.co);
        return;
    }
    int at = int(p.base[1]) + ((8 - tap) * p.co + n) * p.ci + k;
    [[unroll]] for (int j = 0; j < TN; j++) {
        float column[8];
        load_eight(column, w, at + j * p.ci);
        [[unroll]] for (int s = 0; s < STEP; s++) b[s][j] = column[s];
    }
}

void multiply(int m0, int n)
{
    int lane = int(gl_LocalInvocationIndex);
    int origin[TM / LANES], valid[TM / LANES];
    [[unroll]] for (int i = 0; i < TM / LANES; i++) {
        pixel at = quad_pixel(min(m0 + LANES * i + lane, row_count() - 1));
        origin[i] = int(p.base[0]) + pixel_halo_offset(at);
        valid[i] = pixel_neighbours(at);
    }
    [[dont_unroll]] for (int tap = 0; tap < 9; tap++) {
        int from[TM / LANES];
        bool inside[TM / LANES];
        [[unroll]] for (int i = 0; i < TM / LANES; i++) {
            inside[i] = (valid[i] >> tap & 1) != 0;
            from[i] = inside[i] ? origin[i] + pixel_step(tap) : origin[i];
        }
        [[dont_unroll]] for (int k = 0; k < p.ci; k += STEP) {
            float b[STEP][TN];
            load_b(b, tap, k, n);
            [[unroll]] for (int i = 0; i < TM / LANES; i++) {
                float a[8];
                load_eight(a, x, from[i] + k);
                [[unroll]] for (int s = 0; s < STEP; s++) a[s] = inside[i] ? a[s] : 0.0;
                acc_step(i, a, true, b);
            }
        }
    }
}

void store_pooled(int quad, int n, vec4 v[4])
{
    vec4 best = v[0];
    uvec4 which = uvec4(0u), size = size_bits(best);
    [[unroll]] for (int q = 1; q < 4; q++) {
        bvec4 more = greaterThan(v[q], best);
        best = mix(best, v[q], more);
        which = mix(which, uvec4(q), more);
        size = max(size, size_bits(v[q]));
    }
    y[(int(p.base[2]) + quad * p.co + n) / 4] = maximum(best, size);
    if (ARG) {
        arg[int(p.base[3]) + (quad * p.co + n) / 4] = which.x | which.y << 8 | which.z << 16 | which.w << 24;
    }
}

void main()
{
    int m0 = int(gl_WorkGroupID.x) * TM;
    int n0 = (int(gl_WorkGroupID.y) * LANES + int(gl_LocalInvocationIndex)) * TN;
    acc_clear();
    multiply(m0, min(n0, p.co - TN));
    if (n0 >= p.co) return;
    [[unroll]] for (int j = 0; j < TN; j += 4) {
        int n = n0 + j;
        vec4 bias = TRANSPOSED ? vec4(0) : texelFetch(w, (p.bias + n) >> 2);
        [[unroll]] for (int i = 0; i < TM; i += 4) {
            vec4 v[4];
            [[unroll]] for (int r = 0; r < 4; r++) {
                v[r] = vec4(acc[i + r][j], acc[i + r][j + 1], acc[i + r][j + 2], acc[i + r][j + 3]) + bias;
                if (RELU && !TRANSPOSED) v[r] = relu(v[r]);
            }
            if (POOL) {
                if (m0 + i < row_count()) store_pooled((m0 + i) / 4, n, v);
                continue;
            }
            [[unroll]] for (int r = 0; r < 4; r++) {
                if (m0 + i + r >= row_count()) continue;
                int at = (m0 + i + r) * p.co + n;
                if (TRANSPOSED && RELU) v[r] = mix(vec4(0), v[r], positive(mask[(int(p.base[3]) + at) / 4]));
                y[(int(p.base[2]) + at) / 4] = v[r];
            }
        }
    }
}
