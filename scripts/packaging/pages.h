/* pages.h: the manual page and the completions, made from the tables that the program's parser and help read, so that
 * they cannot differ from it. Run by the build; not installed. */
#ifndef SCRIPTS_PACKAGING_PAGES_H
#define SCRIPTS_PACKAGING_PAGES_H

#include <stdio.h>

#include "core/cli/cli_options.h"

/* What completes a value or an argument: any of these together. */
struct pages_value {
    bool file, folder;
    char words[1024]; /* separated by spaces */
};

/* For an option that takes a value. */
struct pages_value pages_option_value(const struct cli_option *option);
/* For a command's arguments. */
struct pages_value pages_argument_value(const struct cli_command *command);

void pages_man(FILE *out);
void pages_bash(FILE *out);
void pages_zsh(FILE *out);

#endif
