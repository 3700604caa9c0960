#include <stdio.h>
#include <string.h>

#include "core/cli/cli_options.h"
#include "core/cli/cli_rules.h"

enum { WIDTH = 80, COLUMN = 26 };

/* Words of `text` from `column` on, wrapped before WIDTH and indented by `indent`. A newline starts a new paragraph. */
static void wrap(const char *text, int column, int indent)
{
    while (*text) {
        if (*text == '\n') {
            printf("\n\n%*s", indent, "");
            column = indent;
            text++;
        }
        int n = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + n > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", n, text);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void option_line(const struct cli_option *option)
{
    char name[80];
    char letter[8] = "    ";
    if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    int n = snprintf(name, sizeof name, "  %s--%s%s%s", letter, option->name, option->value ? " " : "",
                     option->value ? option->value : "");
    fputs(name, stdout);
    if (n >= COLUMN) putchar('\n');
    printf("%*s", n >= COLUMN ? COLUMN : COLUMN - n, "");
    wrap(option->help, COLUMN, COLUMN);
}

/* The options that `command` (NULL: the program) uses. */
static void group_lines(const char *title, const struct cli_option *option, const struct cli_command *command)
{
    if (title) printf("\n%s\n", title);
    for (; option->name; option++) {
        if (cli_option_acts(command, option)) option_line(option);
    }
}

static void rule_lines(const struct cli_command *command)
{
    char text[512];
    bool any = false;
    for (size_t i = 0; cli_rule_text(text, sizeof text, command, i); i++) {
        if (!*text) continue;
        if (!any) puts("\nOptions that need others, or exclude them:");
        any = true;
        fputs("  ", stdout);
        wrap(text, 2, 4);
    }
}

const char cli_program_help[] =
    "Results go to stdout, everything else to stderr. Exit status: 0 success; 1 the work failed: a file, a device or "
    "memory "
    "is not there, or not what it should be; 2 wrong usage: what was typed is unknown, contradicts itself, or does not "
    "fit "
    "the data, the model or the device, and nothing was done; 130 interrupted: the first Ctrl-C stops after the "
    "current step and saves what was to be saved, the second ends at "
    "once.";

const char cli_data_help[] =
    "DATA is a folder with one subfolder per class (classes in the order of their names); a folder of images, one "
    "image, or a .txt file with an image path a line (no labels); a .csv file with rows PATH,LABEL, a header allowed; "
    "a .safetensors file with x (N,H,W,3 float32 or "
    "uint8; or features) and y (N, int64); or idx:IMAGES,LABELS (MNIST's format, gzip or not). Images are "
    "JPEG, PNG, BMP, GIF, WebP and TIFF files; folders below a class belong to it, and what else a folder holds is "
    "left "
    "out with a warning that counts it. At its end, ?classes=0,3,5 keeps these classes and ?per_class=N the first N of "
    "each; both join by &.";

static void program_help(void)
{
    puts("Usage: vgg16 COMMAND [OPTIONS] [ARGUMENTS]\n\n"
         "VGG networks: features of images, training on top of them, and fine-tuning.\n\n"
         "Commands:");
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("  %-10s ", cli_commands[i]->name);
        wrap(cli_commands[i]->purpose, 13, 13);
    }
    group_lines("Common options, before or after the command's name:", cli_common_options, NULL);
    putchar('\n');
    wrap("`vgg16 COMMAND --help` or `vgg16 help COMMAND` shows the command's own options, and the common ones it uses.",
         0, 0);
    wrap(cli_program_help, 0, 0);
}

void cli_help(const struct cli_command *command)
{
    if (!command) {
        program_help();
        return;
    }
    char usage[128];
    snprintf(usage, sizeof usage, "Usage: vgg16 %s [OPTIONS] ", command->name);
    fputs(usage, stdout);
    wrap(command->arguments, (int)strlen(usage), (int)strlen(usage));
    printf("\n%s.\n", command->purpose);
    for (const struct cli_group *group = command->groups; group->option; group++) {
        group_lines(group->title, group->option, command);
    }
    group_lines("Common options:", cli_common_options, command);
    rule_lines(command);
    if (command->data) {
        putchar('\n');
        wrap(cli_data_help, 0, 0);
    }
    putchar('\n');
    wrap(command->details, 0, 0);
}
