/* xent.comp: cross-entropy of each row: the loss from the scores x, or (GRADIENT) its gradient with respect to
 * them from the scores too, so that 1 - y does not cancel. sw is used when p.weighted. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/math.glsl"
#include "common/row.glsl"

layout(constant_id = VK_SPEC_SIGMOID) const bool SIGMOID = false;
layout(constant_id = VK_SPEC_GRADIENT) const bool GRADIENT = false;
layout(constant_id = VK_SPEC_SMOOTH) const bool SMOOTH = false;
layout(push_constant) uniform Push { vk_push_rows p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer T { float t[]; };
layout(binding = 2) readonly buffer Sw { float sw[]; };
layout(binding = 3) writeonly buffer Out { float result[]; };
layout(binding = 4) uniform Step { vk_step run; };

/* loss or dx of the only element of a row */
float sigmoid_row(uint row, float weight)
{
    float v = x[p.base[0] + row], target = t[p.base[1] + row];
    if (!GRADIENT) return weight * (max(v, 0.0) - v * target + math_log1p(math_exp(-abs(v))));
    float y = 1.0 / (1.0 + math_exp(-v)), not_y = 1.0 / (1.0 + math_exp(v));
    return weight * run.loss_scale * (y * (1.0 - target) - not_y * target);
}

void softmax_row(uint row, float weight)
{
    uint from = p.base[0] + row * p.c, label = uint(t[p.base[1] + row]);
    bool known = t[p.base[1] + row] >= 0.0 && label < p.c;
    float most = x[from], sum = 0.0, others = 0.0;
    for (uint k = row_first(); k < p.c; k += ROW_THREADS) most = max(most, x[from + k]);
    most = row_max(most);
    for (uint k = row_first(); k < p.c; k += ROW_THREADS) {
        float e = math_exp(x[from + k] - most);
        sum += e;
        others += k == label ? 0.0 : e;
    }
    sum = row_sum(sum);
    others = row_sum(others);
    if (GRADIENT) {
        for (uint k = row_first(); k < p.c; k += ROW_THREADS) {
            float d = k == label ? -others / sum : math_exp(x[from + k] - most) / sum;
            if (SMOOTH) d += p.smoothing * ((k == label ? 1.0 : 0.0) - 1.0 / float(p.c));
            result[p.base[3] + row * p.c + k] = weight * run.loss_scale * d;
        }
        return;
    }
    float below = 0.0; /* how far the scores' mean lies below that of the label */
    if (SMOOTH) {
        float score = x[from + (known ? label : 0u)];
        for (uint k = row_first(); k < p.c; k += ROW_THREADS) below += (score - x[from + k]) / float(p.c);
        below = row_sum(below);
    }
    if (row_first() == 0u) {
        /* The sum is at least 1; near 1 the logarithm of what exceeds 1 is exact. */
        float log_sum = known && x[from + label] == most && others < 1.0 ? math_log1p(others) : math_log(sum);
        float loss = weight * (log_sum - (x[from + (known ? label : 0u)] - most));
        if (SMOOTH) loss += weight * p.smoothing * below;
        result[p.base[3] + row] = known ? loss : uintBitsToFloat(0x7FC00000u);
    }
}

void main()
{
    for (uint row = gl_WorkGroupID.x; row < p.rows; row += gl_NumWorkGroups.x) {
        float weight = p.weighted != 0u ? sw[p.base[2] + row] : 1.0;
        if (!SIGMOID) {
            softmax_row(row, weight);
        } else if (row_first() == 0u) {
            result[p.base[3] + row] = sigmoid_row(row, weight);
        }
    }
}
