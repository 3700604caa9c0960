/* row.glsl: one workgroup works on one row; maxima and sums over the workgroup in a fixed order. */

const uint ROW_THREADS = uint(VK_ROW_THREADS);
layout(local_size_x = VK_ROW_THREADS) in;

shared float row_values[ROW_THREADS];

uint row_first()
{
    return gl_LocalInvocationIndex;
}

float row_max(float value)
{
    row_values[gl_LocalInvocationIndex] = value;
    barrier();
    for (uint half_count = ROW_THREADS / 2u; half_count > 0u; half_count /= 2u) {
        if (gl_LocalInvocationIndex < half_count) {
            row_values[gl_LocalInvocationIndex] =
                max(row_values[gl_LocalInvocationIndex], row_values[gl_LocalInvocationIndex + half_count]);
        }
        barrier();
    }
    float result = row_values[0];
    barrier();
    return result;
}

float row_sum(float value)
{
    row_values[gl_LocalInvocationIndex] = value;
    barrier();
    for (uint half_count = ROW_THREADS / 2u; half_count > 0u; half_count /= 2u) {
        if (gl_LocalInvocationIndex < half_count) {
            row_values[gl_LocalInvocationIndex] += row_values[gl_LocalInvocationIndex + half_count];
        }
        barrier();
    }
    float result = row_values[0];
    barrier();
    return result;
}
