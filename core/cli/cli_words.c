/* The words that options take, and which of them a mistyped one was meant for. */
#include <stdio.h>
#include <string.h>

#include "core/cli/cli_options.h"

const char *cli_option_word(const struct cli_option *option, int i)
{
    if (option->read != cli_read_choice && option->read != cli_read_word) return NULL;
    const char *word = option->choices ? option->choices[i] : vgg_name(option->names, i);
    return word && strcmp(word, "default") == 0 ? "" : word;
}

/* Compares one more word with every word of the option. */
static void try_all(struct vgg_nearest *nearest, const struct cli_option *option)
{
    const char *word;
    for (int i = 0; (word = cli_option_word(option, i)); i++)
        if (*word) vgg_nearest_try(nearest, word);
    for (int i = 0; option->part && (word = option->part(i)); i++)
        vgg_nearest_try(nearest, word);
}

void cli_option_near(struct vgg_nearest *nearest, const struct cli_option *option, const char *text)
{
    static const char marks[] = ",:=";
    for (const char *at = text; *at; at += *at != '\0') {
        char part[40];
        size_t n = strcspn(at, marks);
        snprintf(part, sizeof part, "%.*s", (int)n, at);
        *nearest = (struct vgg_nearest) { .text = part };
        if (n < sizeof part) try_all(nearest, option);
        nearest->text = text;
        if (nearest->name && nearest->distance) return;
        at += n;
    }
    *nearest = (struct vgg_nearest) { .text = text };
}
