/* What a mistyped word was meant for. */
#include <stdio.h>
#include <string.h>

#include "core/vgg16.h"

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    size_t d[LONGEST + 1][LONGEST + 1], n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j]) {
                d[i][j] = d[i - 2][j - 2] + 1;
            }
        }
    }
    return d[n][m];
}

void vgg_nearest_try(struct vgg_nearest *nearest, const char *candidate)
{
    size_t d = distance(nearest->text, candidate), length = strlen(nearest->text);
    size_t limit = length / 3 > 1 ? length / 3 : 1; /* further away it is no slip of the fingers */
    if (d > limit || (nearest->name && d >= nearest->distance)) return;
    nearest->name = candidate;
    nearest->distance = d;
}

const char *vgg_nearest_hint(struct vgg_nearest *nearest, const char *before)
{
    nearest->hint[0] = '\0';
    if (nearest->name) snprintf(nearest->hint, sizeof nearest->hint, "; did you mean %s%s?", before, nearest->name);
    return nearest->hint;
}
