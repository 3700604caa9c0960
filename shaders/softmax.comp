/* softmax.comp: y = softmax of each row of x (one workgroup a row), or the sigmoid of each element. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/math.glsl"
#include "common/row.glsl"

layout(constant_id = VK_SPEC_SIGMOID) const bool SIGMOID = false;
layout(push_constant) uniform Push { vk_push_rows p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };

void main()
{
    for (uint row = gl_WorkGroupID.x; row < p.rows; row += gl_NumWorkGroups.x) {
        uint from = p.base[0] + row * p.c, to = p.base[1] + row * p.c;
        if (SIGMOID) {
            for (uint k = row_first(); k < p.c; k += ROW_THREADS) y[to + k] = 1.0 / (1.0 + math_exp(-x[from + k]));
            continue;
        }
        float most = x[from];
        for (uint k = row_first(); k < p.c; k += ROW_THREADS) most = max(most, x[from + k]);
        most = row_max(most);
        float sum = 0.0;
        for (uint k = row_first(); k < p.c; k += ROW_THREADS) sum += math_exp(x[from + k] - most);
        sum = row_sum(sum);
        for (uint k = row_first(); k < p.c; k += ROW_THREADS) y[to + k] = math_exp(x[from + k] - most) / sum;
    }
}
