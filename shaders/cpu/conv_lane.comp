/* conv_lane.comp: conv.comp for devices of CPU type: any number of channels. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "common/params.h"
#include "cpu/lane.glsl"
#include "common/positive.glsl"

layout(constant_id = VK_SPEC_TRANSPOSED) const bool TRANSPOSED = false; /* w is [tap][co][ci], in reverse; no bias */
layout(constant_id = VK_SPEC_RELU) const bool RELU = false;             /* TRANSPOSED: mask by binding 3 > 0 */
layout(constant_id = VK_SPEC_POOL) const bool POOL = false;             /* rows in quads; y is the pooled map */
layout(constant_id = VK_SPEC_ARG) const bool ARG = false;               /* binding 3: four channels' argmax a word */

layout(push_constant) uniform Push { vk_push_conv p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer W { float w[]; };
layout(binding = 2) writeonly buffer Y { float y[]; };
layout(binding = 3) readonly buffer Mask { int mask[]; };
layout(binding = 3) writeonly buffer Arg { uint arg[]; };

#include "common/pixel.glsl"
#include "common/quad.glsl"

/* Word of the kernel for channel k = 0 of a tap and the lane's column n, and the words to the next channel. */
int b_base(int tap, int n)
{
    return int(p.base[1]) + (TRANSPOSED ? ((8 - tap) * p.co + n) * p.ci : tap * p.ci * p.co + n);
}

void multiply(int m0, int n0)
{
    int lane = int(gl_LocalInvocationIndex);
    int origin[TM / LANES], valid[TM / LANES];
    [[unroll]] for (int i = 0; i < TM / LANES; i++) {
        pixel at = quad_pixel(min(m0 + LANES * i + lane, row_count() - 1));
        origin[i] = int(p.base[0]) + pixel_halo_offset(at);
        valid[i] = pixel_neighbours(at);
    }
    int b_step = TRANSPOSED ? 1 : p.co;
    [[dont_unroll]] for (int tap = 0; tap < 9; tap++) {
        int from[TM / LANES], weight[TN];
        bool inside[TM / LANES];
        [[unroll]] for (int i = 0; i < TM / LANES; i++) {
            inside[i] = (valid[i] >> tap & 1) != 0;
            from[i] = inside[i] ? origin[i] + pixel_step(tap) : origin[i];
        }
        [[unroll]] for (int j = 0; j < TN; j++) weight[j] = b_base(tap, min(n0 + LANES * j, p.co - 1));
        [[dont_unroll]] for (int k = 0; k < p.ci; k++) {
            float b[TN];
            [[unroll]] for (int j = 0; j < TN; j++) b[j] = w[weight[j] + k * b_step];
            [[unroll]] for (int i = 0; i < TM / LANES; i++) {
                float a = x[from[i] + k];
                acc_rows(i, inside[i] ? a : 0.0, b);
            }
        }
    }
}

void store_pooled(int quad, int n, float v[4])
{
    float best = v[0];
    uint which = 0u, size = size_bits(best);
    [[unroll]] for (int q = 1; q < 4; q++) {
        bool more = v[q] > best;
        best = more ? v[q] : best;
        which = more ? uint(q) : which;
        size = max(size, size_bits(v[q]));
    }
    bool ours = 4 * quad < row_count() && n < p.co;
    if (ours) y[int(p.base[2]) + quad * p.co + n] = maximum(best, size);
    if (ARG) { /* four lanes make one word */
        uint word = which << 8 * (n & 3);
        word |= subgroupShuffleXor(word, 1u);
        word |= subgroupShuffleXor(word, 2u);
        if (ours && (n & 3) == 0) arg[int(p.base[3]) + (quad * p.co + n) / 4] = word;
    }
}

void main()
{
    int m0 = int(gl_WorkGroupID.x) * TM, n0 = int(gl_WorkGroupID.y) * LANES * TN + int(gl_LocalInvocationIndex);
    acc_clear();
    multiply(m0, n0);
    [[unroll]] for (int j = 0; j < TN; j++) {
        int n = n0 + LANES * j;
        float bias = TRANSPOSED ? 0.0 : w[p.bias + min(n, p.co - 1)];
        [[unroll]] for (int i = 0; i < TM; i += 4) {
            float v[4];
            [[unroll]] for (int r = 0; r < 4; r++) {
                v[r] = acc[i + r][j] + bias;
                if (RELU && !TRANSPOSED) v[r] = relu(v[r]);
            }
            if (POOL) {
                store_pooled((m0 + i) / 4, n, v);
                continue;
            }
            [[unroll]] for (int r = 0; r < 4; r++) {
                if (m0 + i + r >= row_count() || n >= p.co) continue;
                int at = (m0 + i + r) * p.co + n;
                bool keep = !(TRANSPOSED && RELU) || positive(mask[int(p.base[3]) + at]);
                y[int(p.base[2]) + at] = keep ? v[r] : 0.0;
            }
        }
    }
}
