#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"
#include "core/cli/cli_rules.h"

/* Is `word` one of the words of `list`? */
static bool has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += n) {
        bool begins = at == list || at[-1] == ' ', over = at[n] == '\0' || at[n] == ' ';
        if (begins && over) return true;
    }
    return false;
}

/* Cuts the next word off a list. False at its end. */
static bool next_word(char word[static 32], const char **list)
{
    size_t n = strcspn(*list, " ");
    if (n == 0) return false;
    snprintf(word, 32, "%.*s", (int)n, *list);
    *list += n + ((*list)[n] == ' ');
    return true;
}

static bool is_value(const char *text, const char *value)
{
    size_t n = strcspn(value, "*");
    return strncmp(text, value, n) == 0 && (value[n] || !text[n]);
}

static bool concerns(const struct cli_rule *rule, const struct cli_command *command)
{
    return strcmp(rule->commands, "*") == 0 || has(rule->commands, command->name);
}

/* A row whose options never act in its commands, whatever their values. */
static bool is_never(const struct cli_rule *rule)
{
    return !rule->value && !rule->without && !rule->holds && !rule->suffixes;
}

/* No suffix, or one that nobody knows and that is no slip of the rule's. */
static bool is_unknown(const char *path, const struct cli_rule *rule)
{
    static const char *const known[] = {
        ".safetensors", ".h5",   ".hdf5",   ".hdf",  ".keras", ".pth",   ".pt",  ".ckpt", ".bin",
        ".onnx",        ".pb",   ".tflite", ".npy",  ".npz",   ".mat",   ".pkl", ".csv",  ".tsv",
        ".json",        ".txt",  ".xlsx",   ".html", ".htm",   ".jsonl", ".pdf", ".svg",  ".png",
        ".jpg",         ".jpeg", ".bmp",    ".gif",  ".webp",  ".zip",   ".gz",  NULL,
    };
    struct vgg_nearest nearest;
    cli_output_near(&nearest, path, rule->suffixes);
    return !cli_output_ends(path, known) && !nearest.name;
}

static bool holds(const struct cli_rule *rule, const struct cli_facts *facts, const char *text)
{
    if (rule->without) return !cli_given(facts->cli, rule->without);
    if (rule->suffixes) return cli_output_ends(text, rule->suffixes) || (rule->or_unknown && is_unknown(text, rule));
    return rule->holds && rule->holds(facts);
}

static enum cli_content content(const struct vgg_data *data)
{
    int h, w, c;
    if (!data) return CLI_CONTENT_NONE;
    return vgg_data_features(data, &h, &w, &c) ? CLI_CONTENT_FEATURES : CLI_CONTENT_IMAGES;
}

static enum vgg_status refuse(struct cli *cli, const struct cli_rule *rule, const char *option)
{
    const char *text = cli_given(cli, option);
    if (is_never(rule)) {
        return cli_usage(cli, "--%s: cannot act in %s: %s", option, cli->command->name, rule->words);
    }
    if (rule->without) return cli_usage(cli, "--%s and --%s: %s", rule->without, option, rule->words);
    struct vgg_nearest nearest = { .text = text };
    if (rule->suffixes) cli_output_near(&nearest, text, rule->suffixes);
    return cli_usage(cli, "--%s%s%s: %s%s", option, rule->value ? " " : "", rule->value ? text : "", rule->words,
                     vgg_nearest_hint(&nearest, ""));
}

enum vgg_status cli_rules_check(struct cli *cli, const struct cli_facts *facts)
{
    for (const struct cli_rule *rule = cli_rules; rule->commands; rule++) {
        char option[32];
        const char *list = rule->options;
        if (!concerns(rule, cli->command)) continue;
        while (next_word(option, &list)) {
            const char *text = cli_given(cli, option);
            bool judged = text && (!rule->value || !*rule->value || is_value(text, rule->value));
            if (judged && !holds(rule, facts, text)) return refuse(cli, rule, option);
        }
    }
    return VGG_OK;
}

enum vgg_status cli_rules_engine(struct cli *cli, struct vgg_engine **out, const struct vgg_data *data,
                                 const struct vgg_data *validation)
{
    enum vgg_status status = vgg_engine_create(out, &cli->common.engine);
    if (status != VGG_OK) return status;
    return cli_rules_check(cli, &(struct cli_facts) { .cli = cli,
                                                      .data = content(data),
                                                      .validation = content(validation),
                                                      .backend = vgg_engine_device(*out)->backend });
}

/* The words of --on, those that say no backend replaced by the backend of what they name. *out by malloc. */
static enum vgg_status look_up(char **out, struct cli *cli, const char *on)
{
    enum vgg_status status = VGG_OK;
    struct vgg_device_info device;
    size_t size = strlen(on) * sizeof device.backend + 1, used = 0;
    char *text = strdup(on), *known = calloc(2, size);
    *out = NULL;
    if (!text || !known) status = cli_fail(cli, VGG_ERR_MEMORY, "out of memory");
    for (char *word = text; status == VGG_OK && word && *word;) {
        char *comma = strchr(word, ',');
        if (comma) *comma = '\0';
        bool says = strcmp(word, "all") == 0 || cli_backend_said(word);
        if (!says) status = vgg_device_find(&device, word, NULL);
        used += (size_t)snprintf(known + used, 2 * size - used, "%s%s", used ? "," : "", says ? word : device.backend);
        word = comma ? comma + 1 : NULL;
    }
    free(text);
    if (status == VGG_OK)
        *out = known;
    else
        free(known);
    return status;
}

enum vgg_status cli_rules_check_device(struct cli *cli)
{
    const struct vgg_engine_options *asked = &cli->common.engine;
    const char *on = cli_given(cli, "on");
    bool depends =
        cli_given(cli, "isa") || cli_given(cli, "conv") || cli_given(cli, "threads") || cli_given(cli, "precision");
    if (!depends || !(on || asked->device)) return VGG_OK;
    struct vgg_device_info device;
    struct cli_facts facts = { .cli = cli };
    char *known = NULL;
    enum vgg_status status = on ? look_up(&known, cli, on) : vgg_device_find(&device, asked->device, asked->backend);
    if (on)
        facts.on = known;
    else
        facts.backend = device.backend;
    if (status == VGG_OK) status = cli_rules_check(cli, &facts);
    free(known);
    return status;
}

bool cli_option_acts(const struct cli_command *command, const struct cli_option *option)
{
    for (const struct cli_rule *rule = cli_rules; command && rule->commands; rule++) {
        if (is_never(rule) && concerns(rule, command) && has(rule->options, option->name)) return false;
    }
    return true;
}

bool cli_rule_text(char *text, size_t size, const struct cli_command *command, size_t index)
{
    const struct cli_rule *rule = &cli_rules[index];
    char option[32];
    size_t used = 0;
    *text = '\0';
    if (!rule->commands) return false;
    bool told = rule->value && !*rule->value; /* what a value must be stands in the option's own help */
    if (!concerns(rule, command) || is_never(rule) || told) return true;
    for (const char *list = rule->options; next_word(option, &list);) {
        struct cli_found found = cli_option_find(command, option, strlen(option), 0);
        if (!found.option || !cli_option_acts(command, found.option)) continue;
        used += (size_t)snprintf(text + used, size - used, "%s--%s", used ? ", " : "", option);
    }
    if (!used) return true;
    if (rule->value) used += (size_t)snprintf(text + used, size - used, " %s", rule->value);
    if (rule->without) {
        snprintf(text + used, size - used, ": not with --%s", rule->without);
    } else {
        snprintf(text + used, size - used, ": %s", rule->words);
    }
    return true;
}

void cli_option_commands(char *text, size_t size, const struct cli_option *option)
{
    size_t used = 0;
    bool all = true;
    *text = '\0';
    for (size_t i = 0; cli_commands[i]; i++) {
        if (!cli_option_acts(cli_commands[i], option)) {
            all = false;
        } else {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", cli_commands[i]->name);
        }
    }
    if (all) *text = '\0';
}
