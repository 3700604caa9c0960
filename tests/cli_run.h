/* cli_run.h: command lines judged in process, as far as they can be without opening anything. */
#ifndef TESTS_CLI_RUN_H
#define TESTS_CLI_RUN_H

#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_options.h"

enum { CLI_RUN_WORDS = 32 };

/* A command line: words that point into `text`. */
struct cli_run {
    char text[512], *argv[CLI_RUN_WORDS + 1];
    int argc;
    struct cli cli;
    void *options; /* of the command; by malloc */
    int count;     /* of arguments */
};

/* Parses "vgg16 LINE", cut at spaces, where "~" stands for one. Nothing is printed. Ends with cli_run_finish. */
static inline enum vgg_status cli_run_parse(struct cli_run *run, const char *line)
{
    size_t n = strlen(line);
    *run = (struct cli_run) { 0 };
    if (n >= sizeof run->text) return VGG_ERR_MEMORY;
    memcpy(run->text, line, n + 1);
    run->argv[run->argc++] = (char[]) { "vgg16" };
    for (char *rest = run->text, *word; (word = strtok_r(rest, " ", &rest)) && run->argc < CLI_RUN_WORDS;) {
        for (char *at = word; (at = strchr(at, '~'));)
            *at = ' ';
        run->argv[run->argc++] = word;
    }
    cli_progress_init(&run->cli.progress, true);
    run->cli.progress.held = true;
    return cli_parse(&run->cli, run->argc, run->argv, &run->options, &run->count);
}

static inline void cli_run_finish(struct cli_run *run)
{
    free(run->options);
}

#endif
