#include "core/base/text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool vgg_text_contains(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; strncasecmp(text, part, length) != 0; text++) {
        if (!*text) return false;
    }
    return true;
}

const char *vgg_text_find(const char *text, size_t length, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= length; i++) {
        if (memcmp(text + i, part, n) == 0) return text + i;
    }
    return NULL;
}

char *vgg_text_split(char **rest, char mark)
{
    char *piece = *rest, *end = piece ? strchr(piece, mark) : NULL;
    *rest = end ? end + 1 : NULL;
    if (end) *end = '\0';
    return piece;
}

double vgg_text_decimal(float value)
{
    if (!isfinite(value)) return (double)value;
    for (int digits = 1;; digits++) {
        char text[32];
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (digits == FLT_DECIMAL_DIG || strtof(text, NULL) == value) return strtod(text, NULL);
    }
}

void vgg_text_tame(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        bool wide = *at == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0;
        if (wide) *at++ = '?';
        if (wide || *at < ' ' || *at == 0x7F) *at = '?';
    }
}
