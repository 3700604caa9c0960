#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_options.h"
#include "core/cli/cli_rules.h"

/* Looks through one table; an exact name ends the search, a beginning is kept unless another option has it too. Options
 * that cannot act in the command are found by their whole name alone. */
static bool look(struct cli_found *found, const struct cli_command *command, const struct cli_option *option,
                 size_t offset, bool common, const char *name, size_t n, char letter)
{
    for (; option->name; option++) {
        bool exact = name ? strlen(option->name) == n && strncmp(option->name, name, n) == 0
                          : option->letter && option->letter == letter;
        if (!exact && (!name || strncmp(option->name, name, n) != 0 || !cli_option_acts(command, option))) continue;
        bool several = !exact && found->option && found->option != option;
        *found = (struct cli_found) { option, offset, common, several || (!exact && found->several) };
        if (exact) return true;
    }
    return false;
}

struct cli_found cli_option_find(const struct cli_command *command, const char *name, size_t n, char letter)
{
    struct cli_found found = { 0 };
    if (name && n == 0) return found;
    if (command) {
        for (const struct cli_group *group = command->groups; group->option; group++) {
            if (look(&found, command, group->option, group->offset, false, name, n, letter)) return found;
        }
    }
    look(&found, command, cli_common_options, 0, true, name, n, letter);
    return found;
}

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) return cli_commands[i];
    }
    return NULL;
}

static enum vgg_status unknown_option(struct cli *cli, const char *name, size_t n)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)n, name);
    struct vgg_nearest nearest = { .text = text };
    const struct cli_group *group = cli->command ? cli->command->groups : NULL;
    for (; group && group->option; group++) {
        for (const struct cli_option *o = group->option; o->name; o++)
            vgg_nearest_try(&nearest, o->name);
    }
    for (const struct cli_option *o = cli_common_options; o->name; o++) {
        if (cli_option_acts(cli->command, o)) vgg_nearest_try(&nearest, o->name);
    }
    return cli_usage(cli, "--%s: unknown option%s", text, vgg_nearest_hint(&nearest, "--"));
}

static enum vgg_status unknown_command(struct cli *cli, const char *name)
{
    struct vgg_nearest nearest = { .text = name };
    for (size_t i = 0; cli_commands[i]; i++)
        vgg_nearest_try(&nearest, cli_commands[i]->name);
    vgg_nearest_try(&nearest, "help");
    return cli_usage(cli, "%s: unknown command%s", name, vgg_nearest_hint(&nearest, ""));
}

/* Does an option that stands before the command take the next word? The commands that know it decide; where they do not
 * agree, it takes what is no command's name. */
static bool takes_next(const char *arg, const char *next)
{
    bool is_long = arg[1] == '-', any = false, all = true;
    const char *name = is_long ? arg + 2 : NULL;
    if (is_long ? strchr(arg, '=') != NULL : strlen(arg) > 2) return false;
    for (size_t i = 0; cli_commands[i]; i++) {
        struct cli_found found = cli_option_find(cli_commands[i], name, name ? strlen(name) : 0, arg[1]);
        if (!found.option) continue;
        any = any || found.option->value;
        all = all && found.option->value;
    }
    return any && (all || !next || !cli_command_find(next));
}

/* Finds the command: the first word that is neither an option nor an option's value. *index is 0 without one. "help"
 * before it, or alone, is as --help. */
static enum vgg_status find_command(struct cli *cli, int argc, char **argv, int *index)
{
    *index = 0;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--") == 0) break;
        if (arg[0] == '-' && arg[1]) {
            i += takes_next(arg, argv[i + 1]);
            continue;
        }
        if (strcmp(arg, "help") == 0) {
            cli->common.help = true;
            continue;
        }
        cli->command = cli_command_find(arg);
        if (!cli->command) return unknown_command(cli, arg);
        *index = i;
        break;
    }
    return VGG_OK;
}

static enum vgg_status store(struct cli *cli, const struct cli_found *found, const char *text, char *options)
{
    char *target = found->common ? (char *)&cli->common : options + found->offset;
    const char *rule = found->option->read(found->option, text, target + found->option->offset);
    if (rule) {
        struct vgg_nearest nearest;
        cli_option_near(&nearest, found->option, text ? text : "");
        return cli_usage(cli, "--%s %s: must be %s%s", found->option->name, text ? text : "", rule,
                         vgg_nearest_hint(&nearest, ""));
    }
    cli_given_add(cli, found->option->name, text);
    return VGG_OK;
}

static bool is_option(const struct cli *cli, const char *arg)
{
    return strncmp(arg, "--", 2) == 0 && arg[2] &&
           cli_option_find(cli->command, arg + 2, strcspn(arg + 2, "="), 0).option;
}

/* --NAME, --NAME VALUE or --NAME=VALUE at argv[*i]. */
static enum vgg_status read_long(struct cli *cli, int argc, char **argv, int *i, char *options)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    struct cli_found found = cli_option_find(cli->command, name, n, 0);
    if (!found.option) return unknown_option(cli, name, n);
    if (found.several) return cli_usage(cli, "--%.*s: could be several options; write it out", (int)n, name);
    if (!found.option->value) {
        if (equals) return cli_usage(cli, "--%s: takes no value", found.option->name);
        return store(cli, &found, NULL, options);
    }
    if (equals) return store(cli, &found, equals + 1, options);
    if (*i + 1 >= argc || is_option(cli, argv[*i + 1])) {
        return cli_usage(cli, "--%s: needs a value, %s", found.option->name, found.option->value);
    }
    return store(cli, &found, argv[++*i], options);
}

/* -qv, -o VALUE or -oVALUE at argv[*i]. */
static enum vgg_status read_short(struct cli *cli, int argc, char **argv, int *i, char *options)
{
    for (const char *letter = argv[*i] + 1; *letter; letter++) {
        struct cli_found found = cli_option_find(cli->command, NULL, 0, *letter);
        if (!found.option) return cli_usage(cli, "-%c: unknown option", *letter);
        if (!found.option->value) {
            enum vgg_status status = store(cli, &found, NULL, options);
            if (status != VGG_OK) return status;
            continue;
        }
        if (letter[1]) return store(cli, &found, letter + 1, options);
        if (*i + 1 >= argc || is_option(cli, argv[*i + 1])) {
            return cli_usage(cli, "-%c: needs a value, %s", *letter, found.option->value);
        }
        return store(cli, &found, argv[++*i], options);
    }
    return VGG_OK;
}

static enum vgg_status read_environment(struct cli *cli)
{
    static const char *const variables[][2] = {
        { "VGG16_BACKEND", "backend" },     { "VGG16_DEVICE", "device" },   { "VGG16_ISA", "isa" },
        { "VGG16_PRECISION", "precision" }, { "VGG16_THREADS", "threads" },
    };
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *text = getenv(variables[i][0]), *name = variables[i][1];
        if (!text || !*text) continue;
        const struct cli_option *option = cli_option_find(NULL, name, strlen(name), 0).option;
        const char *rule = option->read(option, text, (char *)&cli->common + option->offset);
        if (rule) {
            struct vgg_nearest nearest;
            cli_option_near(&nearest, option, text);
            return cli_usage(cli, "%s=%s: must be %s%s", variables[i][0], text, rule, vgg_nearest_hint(&nearest, ""));
        }
    }
    return VGG_OK;
}

/* Backend, level and device can contradict each other: what was typed counts, and what the environment says beside it
 * does not. */
static void prefer_typed(struct cli *cli)
{
    struct vgg_engine_options *engine = &cli->common.engine;
    bool backend = cli_given(cli, "backend"), isa = cli_given(cli, "isa"), device = cli_given(cli, "device");
    if (!engine->device) return;
    const char *said = cli_backend_said(engine->device);
    bool level = strncmp(engine->device, "cpu:", 4) == 0;
    if (device) {
        if (said && !backend) engine->backend = NULL;
        if (level && !isa) engine->isa = NULL;
    } else if (said && backend && strcmp(engine->backend, "auto") != 0 && strcmp(engine->backend, said) != 0) {
        engine->device = NULL;
    } else if (level && isa) {
        engine->device = "cpu";
    }
}

static enum vgg_status check(struct cli *cli, char **argv, int count)
{
    const struct cli_command *command = cli->command;
    if (cli->common.help || cli->common.version) return VGG_OK;
    if (!command) return cli_usage(cli, "a command is missing");
    if (count < command->min) return cli_usage(cli, "%s is missing", command->needs);
    if (command->max >= 0 && count > command->max) return cli_usage(cli, "%s: unexpected argument", argv[command->max]);
    return cli_rules_check(cli, &(struct cli_facts) { .cli = cli });
}

enum vgg_status cli_parse(struct cli *cli, int argc, char **argv, void **options, int *count)
{
    int command, kept = 0;
    bool words = false; /* after "--" nothing is an option */
    *options = NULL, *count = 0;
    enum vgg_status status = find_command(cli, argc, argv, &command);
    if (status != VGG_OK) return status;
    if (cli->command) {
        size_t size = cli->command->size ? cli->command->size : 1;
        *options = calloc(1, size);
        if (!*options) return cli_fail(cli, VGG_ERR_MEMORY, "out of memory");
        if (cli->command->defaults) memcpy(*options, cli->command->defaults, cli->command->size);
    }
    status = read_environment(cli);
    for (int i = 1; status == VGG_OK && i < argc; i++) {
        if (i == command) continue;
        if (words || argv[i][0] != '-' || !argv[i][1]) {
            argv[kept++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            words = true;
        } else if (argv[i][1] == '-') {
            status = read_long(cli, argc, argv, &i, *options);
        } else {
            status = read_short(cli, argc, argv, &i, *options);
        }
    }
    if (status == VGG_OK) prefer_typed(cli);
    *count = kept;
    cli->args = argv;
    return status == VGG_OK ? check(cli, argv, kept) : status;
}
