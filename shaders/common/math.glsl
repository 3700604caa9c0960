/* math.glsl: exponential and logarithm to about one unit in the last place on every device; the built-in ones may be
 * worse by orders of magnitude. */

float math_exp(float x)
{
    if ((floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u) return x; /* NaN, which min() may lose */
    if (x < -103.0) return 0.0;
    x = min(x, 88.72);
    float n = roundEven(x * 1.44269504);
    /* ln 2 in two pieces, the first with few bits so that n times it is exact. */
    precise float r = fma(n, -0.693359375, x);
    r = fma(n, 2.12194440e-4, r);
    float q = 1.0 / 5040.0; /* Taylor; |r| <= 0.35 leaves 2e-8 relative */
    q = fma(q, r, 1.0 / 720.0);
    q = fma(q, r, 1.0 / 120.0);
    q = fma(q, r, 1.0 / 24.0);
    q = fma(q, r, 1.0 / 6.0);
    q = fma(q, r, 0.5);
    precise float e = fma(q, r * r, r) + 1.0;
    /* In two factors: 2^n itself may lie outside of the normal range. */
    int high = int(n) / 2, low = int(n) - high;
    return e * uintBitsToFloat(uint(high + 127) << 23) * uintBitsToFloat(uint(low + 127) << 23);
}

/* 2 atanh(s) = log((1 + s) / (1 - s)), |s| <= 1/3. */
float math_log_ratio(float s)
{
    float z = s * s, q = 1.0 / 17.0;
    q = fma(q, z, 1.0 / 15.0);
    q = fma(q, z, 1.0 / 13.0);
    q = fma(q, z, 1.0 / 11.0);
    q = fma(q, z, 1.0 / 9.0);
    q = fma(q, z, 1.0 / 7.0);
    q = fma(q, z, 1.0 / 5.0);
    q = fma(q, z, 1.0 / 3.0);
    return 2.0 * fma(q * z, s, s);
}

/* log(1 + u), 0 <= u <= 1. */
float math_log1p(float u)
{
    return math_log_ratio(u / (2.0 + u));
}

/* x > 0, normal, or infinite or NaN, which stay. */
float math_log(float x)
{
    if ((floatBitsToUint(x) & 0x7FFFFFFFu) >= 0x7F800000u) return x;
    int bits = floatBitsToInt(x), e = (bits - 0x3F3504F3) >> 23; /* mantissa into [sqrt(1/2), sqrt(2)) */
    float m = intBitsToFloat(bits - (e << 23));
    return fma(float(e), 0.693359375, fma(float(e), -2.12194440e-4, math_log_ratio((m - 1.0) / (m + 1.0))));
}
