/* wino.glsl: the three transforms of Winograd's F(4x4, 3x3) along one axis, interpolation points 0, 1, -1, 2, -2.
 * Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016. */

void wino_kernel(out float t[6], float g0, float g1, float g2)
{
    t[0] = 0.25 * g0;
    t[1] = (-1.0 / 6.0) * (g0 + g1 + g2);
    t[2] = (-1.0 / 6.0) * (g0 - g1 + g2);
    t[3] = (1.0 / 24.0) * g0 + (1.0 / 12.0) * g1 + (1.0 / 6.0) * g2;
    t[4] = (1.0 / 24.0) * g0 - (1.0 / 12.0) * g1 + (1.0 / 6.0) * g2;
    t[5] = g2;
}

void wino_input(out float t[6], float d0, float d1, float d2, float d3, float d4, float d5)
{
    t[0] = 4.0 * d0 - 5.0 * d2 + d4;
    t[1] = (d4 - 4.0 * d2) + (d3 - 4.0 * d1);
    t[2] = (d4 - 4.0 * d2) - (d3 - 4.0 * d1);
    t[3] = (d4 - d2) + 2.0 * (d3 - d1);
    t[4] = (d4 - d2) - 2.0 * (d3 - d1);
    t[5] = 4.0 * d1 - 5.0 * d3 + d5;
}

void wino_output(out float y[4], float m0, float m1, float m2, float m3, float m4, float m5)
{
    float s12 = m1 + m2, d12 = m1 - m2, s34 = m3 + m4, d34 = m3 - m4;
    y[0] = m0 + s12 + s34;
    y[1] = d12 + 2.0 * d34;
    y[2] = s12 + 4.0 * s34;
    y[3] = d12 + 8.0 * d34 + m5;
}

/* The transposes of wino_output and wino_kernel, for the gradient of the kernel. */
void wino_output_bwd(out float t[6], float d0, float d1, float d2, float d3)
{
    t[0] = d0;
    t[1] = (d0 + d2) + (d1 + d3);
    t[2] = (d0 + d2) - (d1 + d3);
    t[3] = (d0 + 4.0 * d2) + (2.0 * d1 + 8.0 * d3);
    t[4] = (d0 + 4.0 * d2) - (2.0 * d1 + 8.0 * d3);
    t[5] = d3;
}

void wino_kernel_bwd(out float g[3], float u0, float u1, float u2, float u3, float u4, float u5)
{
    g[0] = 0.25 * u0 - (1.0 / 6.0) * (u1 + u2) + (1.0 / 24.0) * (u3 + u4);
    g[1] = (1.0 / 6.0) * (u2 - u1) + (1.0 / 12.0) * (u3 - u4);
    g[2] = (1.0 / 6.0) * ((u3 + u4) - (u1 + u2)) + u5;
}
