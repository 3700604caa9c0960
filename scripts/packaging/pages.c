/* vgg16_pages man|bash|zsh FILE: writes vgg16(1) or a completion. */
#include "scripts/packaging/pages.h"

#include <string.h>

static void add(struct pages_value *value, const char *word)
{
    size_t used = strlen(value->words);
    if (*word) snprintf(value->words + used, sizeof value->words - used, "%s%s", used ? " " : "", word);
}

/* The layers that all VGG networks' users know: VGG16's. */
static void add_layers(struct pages_value *value)
{
    char name[32];
    for (int block = 1; block <= 5; block++) {
        for (int conv = 1; conv <= (block < 3 ? 2 : 3); conv++) {
            snprintf(name, sizeof name, "block%d_conv%d", block, conv);
            add(value, name);
        }
        snprintf(name, sizeof name, "block%d_pool", block);
        add(value, name);
    }
}

static bool is(const char *text, const char *word)
{
    return strcmp(text, word) == 0;
}

struct pages_value pages_option_value(const struct cli_option *option)
{
    struct pages_value value = { 0 };
    const char *word;
    for (int i = 0; (word = cli_option_word(option, i)); i++)
        add(&value, word);
    if (is(option->value, "LAYER")) add_layers(&value);
    if (is(option->name, "trainable")) add(&value, "head all block1 block2 block3 block4 block5");
    if (is(option->name, "weights")) add(&value, "imagenet starter random");
    if (is(option->name, "model")) add(&value, "starter imagenet");
    value.folder = is(option->value, "DIR");
    value.file = is(option->name, "weights") || is(option->value, "MODEL") || is(option->value, "DATA") ||
                 strncmp(option->value, "FILE", 4) == 0 || strchr(option->value, '.');
    return value;
}

struct pages_value pages_argument_value(const struct cli_command *command)
{
    struct pages_value value = { 0 };
    if (command->max == 0) return value;
    const char * or = strchr(command->arguments, '|');
    if (or &&!strchr(command->arguments, ' ')) {
        snprintf(value.words, sizeof value.words, "%s", command->arguments);
        for (char *at = value.words; (at = strchr(at, '|'));)
            *at = ' ';
        return value;
    }
    if (strstr(command->arguments, "WEIGHTS")) add(&value, "imagenet starter");
    value.file = true;
    return value;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(FILE *out);
    } kinds[] = { { "man", pages_man }, { "bash", pages_bash }, { "zsh", pages_zsh } };
    for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++) {
        if (!is(argv[1], kinds[i].name)) continue;
        FILE *out = fopen(argv[2], "w");
        if (out) kinds[i].write(out);
        bool bad = !out || ferror(out);
        if ((out && fclose(out)) || bad) {
            perror(argv[2]);
            return 1;
        }
        return 0;
    }
    fputs("usage: vgg16_pages man|bash|zsh FILE\n", stderr);
    return 2;
}
