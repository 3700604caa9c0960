/* cli_rules.h: when an option can act. One that cannot is refused, never ignored: the table in cli_rules.c says what
 * each needs and what it excludes; parser, help, man page and completions read it. */
#ifndef CORE_CLI_CLI_RULES_H
#define CORE_CLI_CLI_RULES_H

#include "core/cli/cli.h"

enum cli_content { CLI_CONTENT_NONE, CLI_CONTENT_IMAGES, CLI_CONTENT_FEATURES }; /* NONE: not there, or not opened */

/* What is known of a run: the command line at once, the rest when it has been opened. */
struct cli_facts {
    const struct cli *cli;
    enum cli_content data, validation;
    const char *backend; /* of the device: "cpu", "vulkan"; NULL: not known yet */
    /* --on with the backend for each word that is a number, part of a name, or UUID; NULL: not known yet. */
    const char *on;
};

/* May the option act, as far as `facts` tell? */
typedef bool cli_condition(const struct cli_facts *facts);

/* One row: options typed on a command line (never those of the environment) are refused where it does not hold. */
struct cli_rule {
    const char *commands, *options; /* names separated by spaces; commands "*": all that have the option */
    /* Judges this value alone (ending in *: what begins so); "": any, and the message names it; NULL: any. */
    const char *value;
    const char *without;         /* the option must not stand beside this one; `holds` is NULL then */
    cli_condition *holds;        /* NULL without `without` and `suffixes`: never */
    const char *const *suffixes; /* the value must end in one of these, ended by NULL; NULL: it is no file's name */
    bool or_unknown;             /* it may also end in what is no suffix of a kind of file, nor a slip of one */
    const char *words;           /* what is wanted, to follow "--OPTION: " */
};

extern const struct cli_rule cli_rules[]; /* ended by a row without commands */

/* Refuses the first option that cannot act (wrong usage). cli_parse calls it with the command line alone, commands
 * again when DATA and the engine are open. */
enum vgg_status cli_rules_check(struct cli *cli, const struct cli_facts *facts);
/* Opens the engine and calls it with what is known then; `validation` may be NULL. The caller destroys *out, also after
 * a failure. */
enum vgg_status cli_rules_engine(struct cli *cli, struct vgg_engine **out, const struct vgg_data *data,
                                 const struct vgg_data *validation);
/* For commands that leave the engine to the library: looks for what --device or --on names, to know its backend, where
 * an option was typed that depends on it. */
enum vgg_status cli_rules_check_device(struct cli *cli);

/* The backend that a device's name says by its form, "cpu" or "vulkan"; NULL: none. */
const char *cli_backend_said(const char *device);

/* Is there a case in which `command` (NULL: the program) uses the option? */
bool cli_option_acts(const struct cli_command *command, const struct cli_option *option);

/* Writes row `index`, as far as it concerns `command`, for the help: "--momentum, --nesterov: only with --optimizer
 * sgd"; "" where it does not. False after the last row. */
bool cli_rule_text(char *text, size_t size, const struct cli_command *command, size_t index);
/* The commands that use a common option, "extract, train"; "" when all do. */
void cli_option_commands(char *text, size_t size, const struct cli_option *option);

#endif
