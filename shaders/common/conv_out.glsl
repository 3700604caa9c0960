/* conv_out.glsl: what a 3x3 convolution does with a finished sum, four channels of a pixel at a time: bias, ReLU or mask,
 * 2x2 max-pool. Needs `p` (vk_push_conv). */
#include "common/halves.glsl"
#include "common/positive.glsl"

layout(constant_id = VK_SPEC_C_VEC) const bool C_VEC = false;           /* co is a multiple of 4 */
layout(constant_id = VK_SPEC_TRANSPOSED) const bool TRANSPOSED = false; /* w is [tap][co][ci], in reverse; no bias */
layout(constant_id = VK_SPEC_RELU) const bool RELU = false;             /* TRANSPOSED: mask by binding 3 > 0 */
layout(constant_id = VK_SPEC_POOL) const bool POOL = false;             /* rows in quads; y is the pooled map */
layout(constant_id = VK_SPEC_ARG) const bool ARG = false;               /* binding 3: four channels' argmax a word */

layout(binding = 1) readonly buffer W { float w[]; };
layout(binding = 1) readonly buffer W4 { vec4 w4[]; };
layout(binding = 2) writeonly buffer Y { float y[]; };
layout(binding = 2) writeonly buffer Y4 { vec4 y4[]; };
layout(binding = 3) readonly buffer Mask { int mask[]; };
layout(binding = 3) readonly buffer Mask4 { ivec4 mask4[]; };
layout(binding = 2) writeonly buffer HalvesY { uvec2 y_halves[]; };
layout(binding = 3) readonly buffer HalvesMask { uvec2 mask_halves[]; };
layout(binding = 3) writeonly buffer Arg { uint arg[]; };

vec4 out_bias(int n)
{
    if (TRANSPOSED) return vec4(0);
    if (C_VEC) return n < p.co ? w4[(p.bias + n) / 4] : vec4(0);
    vec4 b = vec4(0);
    [[unroll]] for (int s = 0; s < 4; s++) if (n + s < p.co) b[s] = w[p.bias + n + s];
    return b;
}

void out_store_halves(int at, vec4 v)
{
    if (TRANSPOSED && RELU) v = mix(vec4(0), v, halves_positive(mask_halves[(2 * int(p.base[3]) + at) / 4]));
    y_halves[(elements_to(2) + at) / 4] = halves_of(v, TRANSPOSED);
}

/* Element `at` of the output is channel n. */
void out_store(int at, int n, vec4 v)
{
    if (HALVES_2) {
        out_store_halves(at, v);
        return;
    }
    if (C_VEC) {
        if (TRANSPOSED && RELU) v = mix(vec4(0), v, positive(mask4[(int(p.base[3]) + at) / 4]));
        y4[(int(p.base[2]) + at) / 4] = v;
        return;
    }
    [[unroll]] for (int s = 0; s < 4; s++) {
        if (n + s >= p.co) break;
        bool keep = !(TRANSPOSED && RELU) || positive(mask[int(p.base[3]) + at + s]);
        y[int(p.base[2]) + at + s] = keep ? v[s] : 0.0;
    }
}

vec4 out_finish(vec4 v, vec4 bias)
{
    v += bias;
    return RELU && !TRANSPOSED ? relu(v) : v;
}

/* Row m of the matrix: a pixel. */
void out_row(int m, int n, vec4 v, vec4 bias)
{
    out_store(m * p.co + n, n, out_finish(v, bias));
}

/* Rows m .. m + 3: a quad. */
void out_quad(int m, int n, vec4 v[4], vec4 bias)
{
    vec4 best = out_finish(v[0], bias);
    uvec4 which = uvec4(0), size = size_bits(best);
    [[unroll]] for (int q = 1; q < 4; q++) {
        vec4 other = out_finish(v[q], bias);
        bvec4 more = greaterThan(other, best);
        best = mix(best, other, more);
        which = mix(which, uvec4(q), more);
        size = max(size, size_bits(other));
    }
    int at = m / 4 * p.co + n;
    out_store(at, n, maximum(best, size));
    if (ARG) arg[int(p.base[3]) + at / 4] = which.x | which.y << 8 | which.z << 16 | which.w << 24;
}
