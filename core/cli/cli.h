/* cli.h: what the files of the program `vgg16` share. Results go to stdout, everything else to stderr. */
#ifndef CORE_CLI_CLI_H
#define CORE_CLI_CLI_H

#include "core/cli/cli_os.h"
#include "core/cli/cli_progress.h"
#include "core/vgg16.h"

enum { CLI_EXIT_OK = 0, CLI_EXIT_FAILED = 1, CLI_EXIT_USAGE = 2, CLI_EXIT_INTERRUPTED = 130 };

struct cli_option;

/* Reads `text` (NULL for a flag) into *target. Returns NULL, or what the text must be, to follow "--NAME TEXT: must
 * be".
 */
typedef const char *cli_read_fn(const struct cli_option *option, const char *text, void *target);

/* The i-th of the words that an option's value is made of beside numbers and marks, as flip in --augment; NULL beyond
 * the last. */
typedef const char *cli_part_fn(int i);

/* One option: a row of the table that parser and help both read. */
struct cli_option {
    const char *name;  /* without the dashes */
    char letter;       /* short form, or 0 */
    const char *value; /* the value's name in the help; NULL: a flag */
    const char *help;  /* one sentence without a full stop, with the default */
    cli_read_fn *read;
    size_t offset;              /* of the target in its group's structure */
    const char *const *choices; /* words to take, ended by NULL; NULL: those that vgg_name gives ... */
    enum vgg_names names;       /* ... for these, but "default" */
    double min, max;            /* numbers: both allowed */
    const char *range;          /* numbers: the rule in words; NULL: from min to max */
    cli_part_fn *part;          /* words that the value is made of; NULL: none beside those above */
};

/* Options that stand together in the help; `offset` is where their structure stands in the command's. */
struct cli_group {
    const char *title;               /* NULL: they go on with the group before */
    const struct cli_option *option; /* ended by a row without a name */
    size_t offset;
};

/* What every command takes. */
struct cli_common {
    struct vgg_engine_options engine;
    uint64_t seed;
    int verbose;
    bool quiet, json, help, version;
};

struct cli;

/* One command. `run` returns VGG_OK, VGG_INTERRUPTED, VGG_ERR_ARGUMENT for wrong usage, or what failed; the cause has
 * been printed. */
struct cli_command {
    const char *name;
    const char *arguments;          /* as in the usage line */
    const char *purpose;            /* one line */
    const char *details;            /* paragraphs for the help, a newline between two; never NULL */
    bool data;                      /* takes DATA: the help says what that is */
    bool ranks;                     /* runs on all processes that mpirun or srun has started */
    const char *needs;              /* what the first missing argument is called */
    int min, max;                   /* count of arguments; max -1: any */
    const struct cli_group *groups; /* ended by a row without options */
    size_t size;                    /* of the structure that options are read into */
    const void *defaults;           /* of that size; NULL: zeros */
    enum vgg_status (*run)(struct cli *cli, const void *options, char **args, int count);
};

extern const struct cli_command cli_devices, cli_summary, cli_pull, cli_extract, cli_train, cli_evaluate, cli_predict,
    cli_explain, cli_merge, cli_quantize, cli_convert, cli_bench, cli_selftest;

/* An option as it was typed. */
struct cli_given {
    const char *option, *text; /* "" for a flag */
};
enum { CLI_MOST_OPTIONS = 96 }; /* of one command, the common ones included */

/* One run of the program. */
struct cli {
    const struct cli_command *command; /* NULL until it is known */
    struct cli_common common;
    struct cli_given given[CLI_MOST_OPTIONS]; /* given_count, each once, with the text that came last */
    int given_count;
    char **args; /* the command's arguments */
    struct cli_progress progress;
    const char *typed; /* the command line as a shell takes it; NULL without memory */
};

/* Is this the process that prints and writes: the only one, or rank 0? */
bool cli_first(const struct cli *cli);

/* What the user typed; options of the environment are not among it. cli_given: NULL where the option was not typed. */
void cli_given_add(struct cli *cli, const char *option, const char *text);
const char *cli_given(const struct cli *cli, const char *option);

/* Prints "vgg16: LINE" to stderr, above a progress bar. cli_usage adds where the help is, and returns
 * VGG_ERR_ARGUMENT; cli_note is silent with -q. */
enum vgg_status cli_fail(struct cli *cli, enum vgg_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum vgg_status cli_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_note(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_warn(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* From hold to release the library's error lines are not printed; release tells the last one, or "", until the next
 * hold. */
void cli_hold(struct cli *cli);
const char *cli_release(struct cli *cli);

#endif
