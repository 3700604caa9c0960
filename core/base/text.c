#include "core/base/text.h"

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
