/* clip.comp: holds the norm of all gradients below a limit, in three stages: the sums of squares of its parts, the factor
 * from these, and the gradients times the factor. The order of the sums depends on the count alone. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/row.glsl"

const int SQUARES = 0, FACTOR = 1, SCALE = 2;
layout(constant_id = VK_SPEC_STAGE) const int STAGE = SQUARES;
layout(push_constant) uniform Push { vk_push_clip p; };
layout(binding = 0) buffer Dw { float dw[]; };
layout(binding = 1) buffer Sum { float sum[]; };

void squares(uint part)
{
    uint end = min((part + 1u) * p.per_part, p.count);
    float total = 0.0;
    for (uint i = part * p.per_part + row_first(); i < end; i += ROW_THREADS) {
        float g = dw[p.base[0] + i];
        total += g * g;
    }
    total = row_sum(total);
    if (row_first() == 0u) sum[p.base[1] + p.first + part] = total;
}

/* A norm that is infinite or NaN fails the comparison. */
void factor()
{
    float total = 0.0;
    for (uint i = row_first(); i < p.count; i += ROW_THREADS) total += sum[p.base[1] + i];
    float norm = sqrt(row_sum(total));
    float result = norm < 3e38 ? min(1.0, p.limit / (norm + 1e-6)) : uintBitsToFloat(0x7FC00000u);
    if (row_first() == 0u) sum[p.base[1] + p.count] = result;
}

void main()
{
    if (STAGE == SQUARES) {
        for (uint part = gl_WorkGroupID.x; part * p.per_part < p.count; part += gl_NumWorkGroups.x) squares(part);
    } else if (STAGE == FACTOR) {
        factor();
    } else {
        for (uint i = gl_GlobalInvocationID.x; i < p.count; i += gl_NumWorkGroups.x * ROW_THREADS) {
            dw[p.base[0] + i] *= sum[p.base[1] + p.first];
        }
    }
}
