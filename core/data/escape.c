#include "core/data/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at `s`, 0 where there is none (overlong forms, surrogates) or a control character. */
static size_t sequence(const unsigned char *s)
{
    if (s[0] < 0x80) return s[0] >= 0x20 && s[0] != 0x7F;
    size_t n = s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    bool overlong = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xF0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xED && s[1] >= 0xA0) || (s[0] == 0xF4 && s[1] >= 0x90);
    bool control = s[0] == 0xC2 && s[1] < 0xA0;
    return overlong || beyond || control ? 0 : n;
}

bool vgg_escape_none(const char *name)
{
    const unsigned char *s = (const unsigned char *)name;
    for (size_t n; *s; s += n)
        if (!(n = sequence(s))) return false;
    return true;
}

char *vgg_escape(const char *name)
{
    size_t room = 4 * strlen(name) + 1, used = 0;
    char *out = malloc(room);
    for (const unsigned char *s = (const unsigned char *)name; out && *s;) {
        size_t n = sequence(s);
        if (n) {
            memcpy(out + used, s, n);
            used += n, s += n;
            continue;
        }
        const char *known = strchr("\nn\rr\tt", *s);
        used += (size_t)(known ? snprintf(out + used, room - used, "\\%c", known[1])
                               : snprintf(out + used, room - used, "\\x%02X", *s));
        s++;
    }
    if (out) out[used] = '\0';
    return out;
}
