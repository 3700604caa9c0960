/* The completion for zsh, by its function _arguments. Source of the syntax: zshcompsys(1). */
#include <string.h>

#include "core/cli/cli_rules.h"
#include "scripts/packaging/pages.h"

/* The beginning of a help's sentence, up to what explains it; quoted for '...' and escaped for [...] and :...: */
static void short_help(FILE *out, const char *text)
{
    static const char *const ends[] = { ": ", "; ", " (default", " (required", ", such as", ", as " };
    size_t n = strlen(text);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const char *end = strstr(text, ends[i]);
        if (end && end > text && (size_t)(end - text) < n) n = (size_t)(end - text);
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\'') {
            fputs("'\\''", out);
        } else {
            if (strchr("[]:\\", text[i])) fputc('\\', out);
            fputc(text[i], out);
        }
    }
}

static void action(FILE *out, struct pages_value value)
{
    bool words = *value.words, both = words && (value.file || value.folder);
    const char *files = value.folder ? "_files -/" : "_files";
    if (both) {
        fprintf(out, "{_alternative \"words:word:(%s)\" \"files:file:%s\"}", value.words, files);
    } else if (words) {
        fprintf(out, "(%s)", value.words);
    } else if (value.file || value.folder) {
        fputs(files, out);
    } else {
        fputc(' ', out);
    }
}

/* One line for the long form, one for the letter, of the options that `command` (NULL: the program) uses. */
static void option_lines(FILE *out, const struct cli_option *option, const struct cli_command *command,
                         const char *indent)
{
    for (; option->name; option++) {
        if (!cli_option_acts(command, option)) continue;
        bool repeated = option->read == cli_read_count;
        for (int is_letter = 0; is_letter <= (option->letter != 0); is_letter++) {
            fprintf(out, "%s'", indent);
            if (repeated) {
                fputc('*', out);
            } else if (option->letter) {
                fprintf(out, "(-%c --%s)", option->letter, option->name);
            }
            if (is_letter) {
                fprintf(out, "-%c%s[", option->letter, option->value ? "+" : "");
            } else {
                fprintf(out, "--%s%s[", option->name, option->value ? "=" : "");
            }
            short_help(out, option->help);
            fputc(']', out);
            if (option->value) {
                fprintf(out, ":%s:", option->value);
                action(out, pages_option_value(option));
            }
            fputs("'\n", out);
        }
    }
}

void pages_zsh(FILE *out)
{
    fputs("#compdef vgg16\n"
          "# zsh completion for vgg16, made from the program's option tables by its build.\n\n"
          "_vgg16() {\n"
          "  local curcontext=\"$curcontext\" state line ret=1\n"
          "  typeset -A opt_args\n"
          "  local -a common commands\n"
          "  common=(\n",
          out);
    option_lines(out, cli_common_options, NULL, "    ");
    fputs("  )\n  commands=(\n", out);
    for (size_t i = 0; cli_commands[i]; i++) {
        fprintf(out, "    '%s:", cli_commands[i]->name);
        short_help(out, cli_commands[i]->purpose);
        fputs("'\n", out);
    }
    fputs("    'help:Shows the options of a command'\n"
          "  )\n"
          "  _arguments -C -s \"$common[@]\" '1:command:->command' '*::argument:->argument' && ret=0\n"
          "  case $state in\n"
          "  command) _describe -t commands command commands && ret=0 ;;\n"
          "  argument)\n"
          "    curcontext=\"${curcontext%:*:*}:vgg16-$line[1]:\"\n"
          "    case $line[1] in\n",
          out);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *command = cli_commands[i];
        fprintf(out, "    %s)\n      local -a own\n      own=(\n", command->name);
        for (const struct cli_group *group = command->groups; group->option; group++)
            option_lines(out, group->option, command, "        ");
        option_lines(out, cli_common_options, command, "        ");
        if (command->max != 0) {
            fputs("        '*:argument:", out);
            action(out, pages_argument_value(command));
            fputs("'\n", out);
        }
        fputs("      )\n      _arguments -s \"$own[@]\" && ret=0\n      ;;\n", out);
    }
    fputs("    help) _describe -t commands command commands && ret=0 ;;\n"
          "    esac\n    ;;\n  esac\n  return ret\n}\n\n_vgg16 \"$@\"\n",
          out);
}
