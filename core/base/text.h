/* text.h: what ISO C's string.h lacks. */
#ifndef CORE_BASE_TEXT_H
#define CORE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Does `text` contain `part`, whatever the case of ASCII's letters? */
bool vgg_text_contains(const char *text, const char *part);
/* Where `part` begins first in `length` bytes, or NULL. */
const char *vgg_text_find(const char *text, size_t length, const char *part);
/* The piece of *rest up to the next `mark`, which becomes its end; *rest goes on behind it, NULL at the end. NULL:
 * *rest was NULL. Two marks side by side have an empty piece between them. */
char *vgg_text_split(char **rest, char mark);
/* The decimal of the fewest digits that reads back to this float, as a double: 1e-05 for 1e-05f, whose own value prints
 * as 9.99999975e-06. What is not finite stays as it is. */
double vgg_text_decimal(float value);

/* Makes one line of what may come from a file: control characters, those of two bytes in UTF-8 included, become '?'. */
void vgg_text_tame(char *text);

#endif
