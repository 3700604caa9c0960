/* wino.glsl: the transforms of Winograd's F(4x4, 3x3) along one axis, two channels at once, and their transposes;
 * interpolation points 0, 1, -1, 2, -2.
 * Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016. */

void wino_kernel(out vec2 t[6], vec2 g0, vec2 g1, vec2 g2)
{
    t[0] = 0.25 * g0;
    t[1] = (-1.0 / 6.0) * (g0 + g1 + g2);
    t[2] = (-1.0 / 6.0) * (g0 - g1 + g2);
    t[3] = (1.0 / 24.0) * g0 + (1.0 / 12.0) * g1 + (1.0 / 6.0) * g2;
    t[4] = (1.0 / 24.0) * g0 - (1.0 / 12.0) * g1 + (1.0 / 6.0) * g2;
    t[5] = g2;
}

void wino_input(out vec2 t[6], vec2 d0, vec2 d1, vec2 d2, vec2 d3, vec2 d4, vec2 d5)
{
    t[0] = 4.0 * d0 - 5.0 * d2 + d4;
    t[1] = (d4 - 4.0 * d2) + (d3 - 4.0 * d1);
    t[2] = (d4 - 4.0 * d2) - (d3 - 4.0 * d1);
    t[3] = (d4 - d2) + 2.0 * (d3 - d1);
    t[4] = (d4 - d2) - 2.0 * (d3 - d1);
    t[5] = 4.0 * d1 - 5.0 * d3 + d5;
}

void wino_output(out vec2 y[4], vec2 m0, vec2 m1, vec2 m2, vec2 m3, vec2 m4, vec2 m5)
{
    vec2 s12 = m1 + m2, d12 = m1 - m2, s34 = m3 + m4, d34 = m3 - m4;
    y[0] = m0 + s12 + s34;
    y[1] = d12 + 2.0 * d34;
    y[2] = s12 + 4.0 * s34;
    y[3] = d12 + 8.0 * d34 + m5;
}

/* The transposes of wino_output and wino_kernel, for the gradient of the kernel. */
void wino_output_bwd(out vec2 t[6], vec2 d0, vec2 d1, vec2 d2, vec2 d3)
{
    t[0] = d0;
    t[1] = (d0 + d2) + (d1 + d3);
    t[2] = (d0 + d2) - (d1 + d3);
    t[3] = (d0 + 4.0 * d2) + (2.0 * d1 + 8.0 * d3);
    t[4] = (d0 + 4.0 * d2) - (2.0 * d1 + 8.0 * d3);
    t[5] = d3;
}

void wino_kernel_bwd(out vec2 g[3], vec2 u0, vec2 u1, vec2 u2, vec2 u3, vec2 u4, vec2 u5)
{
    g[0] = 0.25 * u0 - (1.0 / 6.0) * (u1 + u2) + (1.0 / 24.0) * (u3 + u4);
    g[1] = (1.0 / 6.0) * (u2 - u1) + (1.0 / 12.0) * (u3 - u4);
    g[2] = (1.0 / 6.0) * ((u3 + u4) - (u1 + u2)) + u5;
}
