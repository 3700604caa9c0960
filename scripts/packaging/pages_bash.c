/* The completion for bash. It needs nothing of the bash-completion package but that it loads the file. */
#include "scripts/packaging/pages.h"

#include "core/cli/cli_rules.h"

static const char head[] = "# bash completion for vgg16, made from the program's option tables by its build.\n"
                           "\n"
                           "# What a value ($2: an option of the command $1) or an argument ($2 empty) is: sets words, "
                           "file and folder; fails\n"
                           "# for a flag.\n"
                           "_vgg16_value()\n"
                           "{\n"
                           "    words='' file=0 folder=0\n"
                           "    case $1:$2 in\n";

static const char middle[] = "    *) return 1 ;;\n"
                             "    esac\n"
                             "}\n"
                             "\n"
                             "# The options of the command $1.\n"
                             "_vgg16_options()\n"
                             "{\n"
                             "    case $1 in\n";

static const char tail[] =
    "    esac\n"
    "}\n"
    "\n"
    "_vgg16()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' commands words file folder "
    "i\n"
    "    COMPREPLY=()\n"
    "    # --name=value comes as three words\n"
    "    if [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
    "    if [ \"$cur\" = = ]; then cur=''; fi\n"
    "    _vgg16_value '' ''\n"
    "    commands=\" $words \"\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        -*) if [ \"${COMP_WORDS[i + 1]}\" != = ] && _vgg16_value '' \"${COMP_WORDS[i]}\"; then i=$((i + 1)); fi "
    ";;\n"
    "        =) i=$((i + 1)) ;;\n"
    "        *) if [[ $commands == *\" ${COMP_WORDS[i]} \"* ]]; then command=${COMP_WORDS[i]}; break; fi ;;\n"
    "        esac\n"
    "    done\n"
    "    if [[ $prev == -* ]] && _vgg16_value \"$command\" \"$prev\"; then\n"
    "        :\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        words=$(_vgg16_options \"$command\") file=0 folder=0\n"
    "    else\n"
    "        _vgg16_value \"$command\" '' || return 0\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(\n"
    "        compgen -W \"$words\" -- \"$cur\"\n"
    "        if [ \"$file\" = 1 ]; then compgen -f -- \"$cur\"; fi\n"
    "        if [ \"$folder\" = 1 ]; then compgen -d -- \"$cur\"; fi\n"
    "    )\n"
    "    if [ \"$file$folder\" != 00 ]; then compopt -o filenames 2>/dev/null; fi\n"
    "    return 0\n"
    "}\n"
    "complete -F _vgg16 vgg16\n";

/* `command` is "" for options that every command takes, before it and after it. */
static void value_line(FILE *out, const char *command, const struct cli_option *option, struct pages_value value)
{
    const char *any = *command ? command : "*";
    fprintf(out, "    %s:%s%s", any, option ? "--" : "", option ? option->name : "");
    if (option && option->letter) fprintf(out, " | %s:-%c", any, option->letter);
    fprintf(out, ") words='%s' file=%d folder=%d ;;\n", value.words, value.file, value.folder);
}

static void option_names(FILE *out, const struct cli_option *option, const struct cli_command *command)
{
    for (; option->name; option++) {
        if (cli_option_acts(command, option)) fprintf(out, " --%s", option->name);
    }
}

void pages_bash(FILE *out)
{
    struct pages_value commands = { 0 };
    size_t used = 0;
    fputs(head, out);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *command = cli_commands[i];
        used +=
            (size_t)snprintf(commands.words + used, sizeof commands.words - used, "%s%s", i ? " " : "", command->name);
        for (const struct cli_group *group = command->groups; group->option; group++) {
            for (const struct cli_option *option = group->option; option->name; option++) {
                if (option->value) value_line(out, command->name, option, pages_option_value(option));
            }
        }
        if (command->max != 0) value_line(out, command->name, NULL, pages_argument_value(command));
    }
    for (const struct cli_option *option = cli_common_options; option->name; option++) {
        if (option->value) value_line(out, "", option, pages_option_value(option));
    }
    fprintf(out, "    : | help:) words='%s help' file=0 folder=0 ;;\n", commands.words);
    fputs(middle, out);
    for (size_t i = 0; cli_commands[i]; i++) {
        fprintf(out, "    %s) echo", cli_commands[i]->name);
        for (const struct cli_group *group = cli_commands[i]->groups; group->option; group++)
            option_names(out, group->option, cli_commands[i]);
        option_names(out, cli_common_options, cli_commands[i]);
        fputs(" ;;\n", out);
    }
    fputs("    *) echo", out);
    option_names(out, cli_common_options, NULL);
    fputs(" ;;\n", out);
    fputs(tail, out);
}
