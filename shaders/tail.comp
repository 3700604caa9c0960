/* tail.comp: zeroes the first p.count bytes (1 to 3) of a word. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/params.h"
layout(local_size_x = 1) in;
layout(push_constant) uniform Push { vk_push_reduce p; };
layout(binding = 0) buffer Y { uint y[]; };

void main()
{
    y[p.base[0]] &= 0xFFFFFFFFu << 8u * p.count;
}
