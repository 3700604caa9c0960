/* wino.glsl: the transforms of Winograd's F(4x4, 3x3) along one axis, WINO channels at once, and their
 * transposes; interpolation points 0, 1, -1, 2, -2.
 * Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016. */

#ifndef WINO
#define WINO vec2
#endif

void wino_kernel(out WINO t[6], WINO g0, WINO g1, WINO g2)
{
    t[0] = 0.25 * g0;
    t[1] = (-1.0 / 6.0) * (g0 + g1 + g2);
    t[2] = (-1.0 / 6.0) * (g0 - g1 + g2);
    t[3] = (1.0 / 24.0) * g0 + (1.0 / 12.0) * g1 + (1.0 / 6.0) * g2;
    t[4] = (1.0 / 24.0) * g0 - (1.0 / 12.0) * g1 + (1.0 / 6.0) * g2;
    t[5] = g2;
}

void wino_input(out WINO t[6], WINO d0, WINO d1, WINO d2, WINO d3, WINO d4, WINO d5)
{
    t[0] = 4.0 * d0 - 5.0 * d2 + d4;
    t[1] = (d4 - 4.0 * d2) + (d3 - 4.0 * d1);
    t[2] = (d4 - 4.0 * d2) - (d3 - 4.0 * d1);
    t[3] = (d4 - d2) + 2.0 * (d3 - d1);
    t[4] = (d4 - d2) - 2.0 * (d3 - d1);
    t[5] = 4.0 * d1 - 5.0 * d3 + d5;
}

void wino_output(out WINO y[4], WINO m0, WINO m1, WINO m2, WINO m3, WINO m4, WINO m5)
{
    WINO s12 = m1 + m2, d12 = m1 - m2, s34 = m3 + m4, d34 = m3 - m4;
    y[0] = m0 + s12 + s34;
    y[1] = d12 + 2.0 * d34;
    y[2] = s12 + 4.0 * s34;
    y[3] = d12 + 8.0 * d34 + m5;
}

/* The transposes of wino_output and wino_kernel, for the gradient of the kernel. */
void wino_output_bwd(out WINO t[6], WINO d0, WINO d1, WINO d2, WINO d3)
{
    t[0] = d0;
    t[1] = (d0 + d2) + (d1 + d3);
    t[2] = (d0 + d2) - (d1 + d3);
    t[3] = (d0 + 4.0 * d2) + (2.0 * d1 + 8.0 * d3);
    t[4] = (d0 + 4.0 * d2) - (2.0 * d1 + 8.0 * d3);
    t[5] = d3;
}

void wino_kernel_bwd(out WINO g[3], WINO u0, WINO u1, WINO u2, WINO u3, WINO u4, WINO u5)
{
    g[0] = 0.25 * u0 - (1.0 / 6.0) * (u1 + u2) + (1.0 / 24.0) * (u3 + u4);
    g[1] = (1.0 / 6.0) * (u2 - u1) + (1.0 / 12.0) * (u3 - u4);
    g[2] = (1.0 / 6.0) * ((u3 + u4) - (u1 + u2)) + u5;
}
