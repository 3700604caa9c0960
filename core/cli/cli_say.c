#include <stdarg.h>
#include <stdio.h>

#include "core/cli/cli.h"

enum { LINE = 1024 };

enum vgg_status cli_fail(struct cli *cli, enum vgg_status status, const char *format, ...)
{
    char line[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    cli_progress_log(&cli->progress, VGG_LOG_ERROR, line);
    return status;
}

enum vgg_status cli_usage(struct cli *cli, const char *format, ...)
{
    char line[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return cli_fail(cli, VGG_ERR_ARGUMENT, "%s; see vgg16 %s%s--help", line, cli->command ? cli->command->name : "",
                    cli->command ? " " : "");
}

void cli_note(struct cli *cli, const char *format, ...)
{
    if (cli->common.quiet) return;
    char line[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    cli_progress_log(&cli->progress, VGG_LOG_INFO, line);
}

void cli_warn(struct cli *cli, const char *format, ...)
{
    char line[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    cli_progress_log(&cli->progress, VGG_LOG_WARNING, line);
}

void cli_hold(struct cli *cli)
{
    cli->progress.reason[0] = '\0';
    cli->progress.held = true;
}

const char *cli_release(struct cli *cli)
{
    cli->progress.held = false;
    return cli->progress.reason;
}
