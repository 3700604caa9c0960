/* cli_output.h: files and JSON that commands write. */
#ifndef CORE_CLI_CLI_OUTPUT_H
#define CORE_CLI_CLI_OUTPUT_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "core/cli/cli.h"

/* Fails early, before long work, where `path` could not be written in the end: its folder is missing or closed, it is a
 * folder, or it is a device or pipe and `streams`, which may be one, is false. The first of several ranks alone writes:
 * for the others all is well. */
enum vgg_status cli_output_check(struct cli *cli, const char *path, bool streams);

/* Does `path` end in `extension` (".h5"), whatever the case? */
bool cli_output_extension(const char *path, const char *extension);
/* In one of them, ended by NULL? */
bool cli_output_ends(const char *path, const char *const *extensions);
/* Looks for the one that `path` was meant to end in; where that has digits, nobody slipped. */
void cli_output_near(struct vgg_nearest *nearest, const char *path, const char *const *extensions);

/* Before any JSON is made: cJSON leaves out what gets no memory, and does not say so. */
void cli_json_begin(void);
/* Prints `json` and a newline to stdout and deletes it. Fails where any of it got no memory. */
enum vgg_status cli_json_print(struct cli *cli, cJSON *json);
/* Adds a string; bytes that are not UTF-8 become U+FFFD. */
void cli_json_text(cJSON *object, const char *key, const char *text);
cJSON *cli_json_string(const char *text);

#endif
