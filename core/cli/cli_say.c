#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/cli/cli.h"

enum { LINE = 1024 };

static void say(struct cli *cli, enum vgg_log_level level, const char *format, va_list args)
{
    char line[LINE];
    vsnprintf(line, sizeof line, format, args);
    for (unsigned char *at = (unsigned char *)line; *at; at++) {
        bool wide = *at == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0; /* U+0080 to U+009F, which terminals obey, too */
        if (wide) *at++ = '?';
        if (wide || *at < ' ' || *at == 0x7F) *at = '?';
    }
    cli_progress_log(&cli->progress, level, line);
}

bool cli_first(const struct cli *cli)
{
    return !cli->progress.silent;
}

enum vgg_status cli_fail(struct cli *cli, enum vgg_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(cli, VGG_LOG_ERROR, format, args);
    va_end(args);
    return status;
}

enum vgg_status cli_usage(struct cli *cli, const char *format, ...)
{
    char line[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    size_t n = strlen(line);
    const char *see = n && line[n - 1] == '?' ? " See" : "; see";
    return cli_fail(cli, VGG_ERR_ARGUMENT, "%s%s vgg16 %s%s--help", line, see, cli->command ? cli->command->name : "",
                    cli->command ? " " : "");
}

void cli_note(struct cli *cli, const char *format, ...)
{
    if (cli->common.quiet) return;
    va_list args;
    va_start(args, format);
    say(cli, VGG_LOG_INFO, format, args);
    va_end(args);
}

void cli_warn(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(cli, VGG_LOG_WARNING, format, args);
    va_end(args);
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
