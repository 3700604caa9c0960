#include "core/cli/cli_report.h"

#include <stdlib.h>
#include <string.h>

/* Appends `word`, between quotes where a shell would take it apart. */
static char *quote(char *to, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
    size_t n = strlen(word);
    if (n && strspn(word, plain) == n) {
        memcpy(to, word, n);
        return to + n;
    }
    *to++ = '\'';
    for (; *word; word++) {
        if (*word == '\'') {
            memcpy(to, "'\\''", 4);
            to += 4;
        } else {
            *to++ = *word;
        }
    }
    *to++ = '\'';
    return to;
}

char *cli_report_command(int argc, char **argv)
{
    static const char name[] = "vgg16";
    size_t size = sizeof name;
    for (int i = 1; i < argc; i++)
        size += 4 * strlen(argv[i]) + 3;
    char *line = malloc(size), *to = line;
    if (!line) return NULL;
    memcpy(to, name, sizeof name - 1);
    to += sizeof name - 1;
    for (int i = 1; i < argc; i++) {
        *to++ = ' ';
        to = quote(to, argv[i]);
    }
    *to = '\0';
    return line;
}
