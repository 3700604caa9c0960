/* cli_options.h: the parser of the command line, and the options that several commands share. */
#ifndef CORE_CLI_CLI_OPTIONS_H
#define CORE_CLI_CLI_OPTIONS_H

#include "core/cli/cli.h"

/* Readers for option tables. */
cli_read_fn cli_read_flag;   /* bool */
cli_read_fn cli_read_count;  /* int, one more each time */
cli_read_fn cli_read_text;   /* const char *, not empty */
cli_read_fn cli_read_int;    /* int */
cli_read_fn cli_read_u64;    /* uint64_t */
cli_read_fn cli_read_float;  /* float */
cli_read_fn cli_read_bytes;  /* uint64_t from 512M, 2G */
cli_read_fn cli_read_choice; /* int or enum: index of the word */
cli_read_fn cli_read_word;   /* const char *: the word itself */
cli_read_fn cli_read_size;   /* int[2] {height, width} from 150 or HxW */

/* The i-th of the words that an option takes, "" for one that is not typed; NULL beyond the last, and for options that
 * take no words. */
const char *cli_option_word(const struct cli_option *option, int i);
/* Looks for what was meant where `text` was refused: the first part of it, cut at , : and =, that is none of the
 * option's words or parts but near one. vgg_nearest_hint has it then. */
void cli_option_near(struct vgg_nearest *nearest, const struct cli_option *option, const char *text);

/* The whole text as a finite number. */
bool cli_number(const char *text, double *value);

/* Weights, preprocessing and reading of images, for commands that make batches from image files. */
extern const struct cli_option cli_image_options[];   /* targets: struct vgg_image_options */
extern const struct cli_option cli_batch_option[];    /* --batch of a forward pass; target: int */
extern const struct cli_option cli_common_options[];  /* targets: struct cli_common */
extern const struct cli_option cli_augment_options[]; /* targets: struct vgg_augment_options */

/* Options of the command and the common ones, given by name (n characters; a unique beginning will do) or by letter. */
struct cli_found {
    const struct cli_option *option;
    size_t offset; /* of its group */
    bool common;   /* target in struct cli_common */
    bool several;  /* ambiguous: option is one of them */
};
struct cli_found cli_option_find(const struct cli_command *command, const char *name, size_t n, char letter);

/* Of all commands, ended by NULL. */
extern const struct cli_command *const cli_commands[];
const struct cli_command *cli_command_find(const char *name);

/* Reads the environment, then the command line. Fills cli->command, cli->common, the command's structure in *options
 * (by malloc; NULL without a command) and moves the arguments to the front of argv, *count of them. */
enum vgg_status cli_parse(struct cli *cli, int argc, char **argv, void **options, int *count);

/* Paragraphs of the help: outputs and exit status; what DATA may be. */
extern const char cli_program_help[], cli_data_help[];
/* The help of the program (command NULL) or of one command, at most 80 columns wide, on stdout. */
void cli_help(const struct cli_command *command);

#endif
