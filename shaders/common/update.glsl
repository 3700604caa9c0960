/* update.glsl: one step of an optimiser for four words; the formulas stand in core/op/op.h. */

const int SGD = 0, RMSPROP = 1, ADAM = 2, ADAMW = 3;
layout(constant_id = VK_SPEC_KIND) const int KIND = SGD;
layout(constant_id = VK_SPEC_MOMENTUM) const bool MOMENTUM = false;
layout(constant_id = VK_SPEC_NESTEROV) const bool NESTEROV = false;
layout(push_constant) uniform Push { vk_push_update p; };
layout(binding = 0) buffer WordsW { float w1[]; };
layout(binding = 1) readonly buffer WordsDw { float dw1[]; };
layout(binding = 2) buffer WordsM { float m1[]; };
layout(binding = 3) buffer WordsV { float v1[]; };
layout(binding = 4) uniform Step { vk_step run; };

const bool FIRST = KIND == SGD ? MOMENTUM : KIND != RMSPROP; /* is there an m, and a v? */
const bool SECOND = KIND != SGD;

/* The learning rate of this range. */
float rate()
{
    return run.learning_rate * p.rate;
}

struct state {
    vec4 w, m, v;
};

void sgd(inout state x, vec4 g)
{
    vec4 change = g;
    if (MOMENTUM) {
        x.m = p.momentum * x.m + g;
        change = NESTEROV ? g + p.momentum * x.m : x.m;
    }
    x.w -= rate() * change;
}

void rmsprop(inout state x, vec4 g)
{
    x.v = p.rho * x.v + (1.0 - p.rho) * (g * g);
    x.w -= rate() * (g / (sqrt(x.v) + p.epsilon));
}

void adam(inout state x, vec4 g)
{
    x.m = p.beta1 * x.m + (1.0 - p.beta1) * g;
    x.v = p.beta2 * x.v + (1.0 - p.beta2) * (g * g);
    vec4 change = x.m * run.adam[p.slot].x / (sqrt(x.v * run.adam[p.slot].y) + p.epsilon);
    x.w -= rate() * change;
}

void update(inout state x, vec4 g)
{
    if (KIND == ADAMW) {
        x.w -= rate() * p.weight_decay * x.w;
    } else {
        g += p.weight_decay * x.w;
    }
    if (KIND == SGD) {
        sgd(x, g);
    } else if (KIND == RMSPROP) {
        rmsprop(x, g);
    } else {
        adam(x, g);
    }
}

/* One word, i. */
void update_word(uint i)
{
    state x = state(vec4(w1[p.base[0] + i]), vec4(0), vec4(0));
    if (FIRST) x.m = vec4(m1[p.base[2] + i]);
    if (SECOND) x.v = vec4(v1[p.base[3] + i]);
    update(x, vec4(dw1[p.base[1] + i]));
    w1[p.base[0] + i] = x.w.x;
    if (FIRST) m1[p.base[2] + i] = x.m.x;
    if (SECOND) v1[p.base[3] + i] = x.v.x;
}
