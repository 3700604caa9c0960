/* wino.glsl: the transforms of Winograd's F(4x4, 3x3) along one axis, WINO channels at once, and their
 * transposes; interpolation points 0, 5/8, -5/8, 3/2, -3/2, as cpu/cpu_winograd.h says.
 * Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016. */

#ifndef WINO
#define WINO vec2
#endif

void wino_kernel(out WINO t[6], WINO g0, WINO g1, WINO g2)
{
    WINO even = g0 + 25.0 / 64.0 * g2, odd = 5.0 / 8.0 * g1;
    t[0] = 256.0 / 225.0 * g0;
    t[1] = -2048.0 / 2975.0 * (even + odd);
    t[2] = -2048.0 / 2975.0 * (even - odd);
    even = g0 + 9.0 / 4.0 * g2, odd = 3.0 / 2.0 * g1;
    t[3] = 128.0 / 1071.0 * (even + odd);
    t[4] = 128.0 / 1071.0 * (even - odd);
    t[5] = g2;
}

void wino_input(out WINO t[6], WINO d0, WINO d1, WINO d2, WINO d3, WINO d4, WINO d5)
{
    WINO even = d4 - 9.0 / 4.0 * d2, odd = d3 - 9.0 / 4.0 * d1;
    t[0] = d4 - 169.0 / 64.0 * d2 + 225.0 / 256.0 * d0;
    t[1] = even + 5.0 / 8.0 * odd;
    t[2] = even - 5.0 / 8.0 * odd;
    even = d4 - 25.0 / 64.0 * d2, odd = d3 - 25.0 / 64.0 * d1;
    t[3] = even + 3.0 / 2.0 * odd;
    t[4] = even - 3.0 / 2.0 * odd;
    t[5] = d5 - 169.0 / 64.0 * d3 + 225.0 / 256.0 * d1;
}

void wino_output(out WINO y[4], WINO m0, WINO m1, WINO m2, WINO m3, WINO m4, WINO m5)
{
    WINO s12 = m1 + m2, d12 = m1 - m2, s34 = m3 + m4, d34 = m3 - m4;
    y[0] = m0 + s12 + s34;
    y[1] = 5.0 / 8.0 * d12 + 3.0 / 2.0 * d34;
    y[2] = 25.0 / 64.0 * s12 + 9.0 / 4.0 * s34;
    y[3] = m5 + 125.0 / 512.0 * d12 + 27.0 / 8.0 * d34;
}

/* The transposes of wino_output and wino_kernel, for the gradient of the kernel. */
void wino_output_bwd(out WINO t[6], WINO d0, WINO d1, WINO d2, WINO d3)
{
    t[0] = d0;
    WINO even = d0 + 25.0 / 64.0 * d2, odd = d1 + 25.0 / 64.0 * d3;
    t[1] = even + 5.0 / 8.0 * odd;
    t[2] = even - 5.0 / 8.0 * odd;
    even = d0 + 9.0 / 4.0 * d2, odd = d1 + 9.0 / 4.0 * d3;
    t[3] = even + 3.0 / 2.0 * odd;
    t[4] = even - 3.0 / 2.0 * odd;
    t[5] = d3;
}

void wino_kernel_bwd(out WINO g[3], WINO u0, WINO u1, WINO u2, WINO u3, WINO u4, WINO u5)
{
    WINO s12 = u1 + u2, s34 = u3 + u4;
    g[0] = 256.0 / 225.0 * u0 - 2048.0 / 2975.0 * s12 + 128.0 / 1071.0 * s34;
    g[1] = 64.0 / 357.0 * (u3 - u4) - 256.0 / 595.0 * (u1 - u2);
    g[2] = 32.0 / 119.0 * (s34 - s12) + u5;
}
