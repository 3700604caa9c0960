/* peak.comp: y = x after `rounds` times v = 0.75 v + 0.25: twelve independent sums a thread, so that what is measured is
 * the rate of multiply-adds and not their latency. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/params.h"
#include "common/flat.glsl"

layout(push_constant) uniform Push { vk_push_fma p; };
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };

const int SUMS = VK_FMA_SUMS / 4;

void main()
{
    vec4 v[SUMS];
    [[unroll]] for (int k = 0; k < VK_FMA_SUMS; k++) {
        uint i = flat_first() + k * flat_step();
        v[k / 4][k % 4] = i < p.count ? x[p.base[0] + i] : 0.0;
    }
    /* Several rounds a turn: a turn of a loop is dear on devices of CPU type. */
    uint rounds = p.rounds;
    for (; rounds >= 8u; rounds -= 8u) {
        [[unroll]] for (int r = 0; r < 8; r++)
            [[unroll]] for (int k = 0; k < SUMS; k++) v[k] = fma(v[k], vec4(0.75), vec4(0.25));
    }
    for (; rounds > 0u; rounds--) {
        [[unroll]] for (int k = 0; k < SUMS; k++) v[k] = fma(v[k], vec4(0.75), vec4(0.25));
    }
    [[unroll]] for (int k = 0; k < VK_FMA_SUMS; k++) {
        uint i = flat_first() + k * flat_step();
        if (i < p.count) y[p.base[1] + i] = v[k / 4][k % 4];
    }
}
