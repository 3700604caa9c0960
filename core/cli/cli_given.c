#include <string.h>

#include "core/cli/cli.h"

void cli_given_add(struct cli *cli, const char *option, const char *text)
{
    int i = 0;
    while (i < cli->given_count && strcmp(cli->given[i].option, option) != 0)
        i++;
    if (i == CLI_MOST_OPTIONS) return;
    if (i == cli->given_count) cli->given_count++;
    cli->given[i] = (struct cli_given) { option, text ? text : "" };
}

const char *cli_given(const struct cli *cli, const char *option)
{
    for (int i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option, option) == 0) return cli->given[i].text;
    }
    return NULL;
}
