/* escape.h: names as they are written, whatever bytes the file system holds. */
#ifndef CORE_DATA_ESCAPE_H
#define CORE_DATA_ESCAPE_H

#include <stdbool.h>

/* Is `name` UTF-8 without control characters? */
bool vgg_escape_none(const char *name);
/* `name` by malloc with escapes in the place of other bytes: \n, \r, \t, else \xE9. NULL: out of memory. */
char *vgg_escape(const char *name);

#endif
