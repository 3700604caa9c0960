/* update.comp: one step of an optimiser over a flat range; the formulas stand in core/op.h. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
#include "common/flat.glsl"
const int SGD = 0, RMSPROP = 1, ADAM = 2, ADAMW = 3;
layout(constant_id = 0) const int KIND = SGD;
layout(constant_id = 1) const bool MOMENTUM = false;
layout(constant_id = 2) const bool NESTEROV = false;
layout(push_constant) uniform Push { vk_push_update p; };
layout(binding = 0) buffer W { float w[]; };
layout(binding = 1) readonly buffer Dw { float dw[]; };
layout(binding = 2) buffer M { float m[]; };
layout(binding = 3) buffer V { float v[]; };
layout(binding = 4) uniform Step { vk_step run; };

float sgd(uint i, float g)
{
    if (!MOMENTUM) return g;
    float moment = p.momentum * m[p.base[2] + i] + g;
    m[p.base[2] + i] = moment;
    return NESTEROV ? g + p.momentum * moment : moment;
}

float rmsprop(uint i, float g)
{
    float second = p.rho * v[p.base[3] + i] + (1.0 - p.rho) * (g * g);
    v[p.base[3] + i] = second;
    return g / (sqrt(second) + p.epsilon);
}

float adam(uint i, float g)
{
    float first = p.beta1 * m[p.base[2] + i] + (1.0 - p.beta1) * g;
    float second = p.beta2 * v[p.base[3] + i] + (1.0 - p.beta2) * (g * g);
    m[p.base[2] + i] = first;
    v[p.base[3] + i] = second;
    return first * run.adam[p.slot].x / (sqrt(second * run.adam[p.slot].y) + p.epsilon);
}

void main()
{
    for (uint i = flat_first(); i < p.count; i += flat_step()) {
        float value = w[p.base[0] + i], g = dw[p.base[1] + i], change;
        if (KIND == ADAMW) {
            value -= run.learning_rate * p.weight_decay * value;
        } else {
            g += p.weight_decay * value;
        }
        if (KIND == SGD) {
            change = sgd(i, g);
        } else if (KIND == RMSPROP) {
            change = rmsprop(i, g);
        } else {
            change = adam(i, g);
        }
        w[p.base[0] + i] = value - run.learning_rate * change;
    }
}
