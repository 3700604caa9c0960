/* fmaf, which mingw-w64's C library rounds twice; whoever links this file has this one. */
#include <math.h>
#include <stdint.h>
#include <string.h>

/* x y is exact in double. Its sum with z is rounded to odd, which keeps for the last rounding what was cut off (Boldo
 * and Melquiond, IEEE Trans. Comput. 2008). */
float fmaf(float x, float y, float z)
{
    double product = (double)x * (double)y, sum = product + (double)z;
    double part = sum - product, error = (product - (sum - part)) + ((double)z - part);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (isfinite(sum) && error != 0 && !(bits & 1)) {
        bits += (error > 0) == (sum > 0) ? 1 : UINT64_MAX;
        memcpy(&sum, &bits, sizeof bits);
    }
    return (float)sum;
}
