/* vgg16(1) in the macros of man(7). */
#include <string.h>

#include "core/cli/cli_rules.h"
#include "scripts/packaging/pages.h"

enum { WIDTH = 72 }; /* escapes come on top */

/* One character as roff reads it; *bold: inside `code`. */
static void escape(FILE *out, char c, bool *bold)
{
    switch (c) {
    case '\\': fputs("\\e", out); break;
    case '-': fputs("\\-", out); break;
    case '\'': fputs("\\(aq", out); break;
    case '`':
        *bold = !*bold;
        fputs(*bold ? "\\fB" : "\\fR", out);
        break;
    default: fputc(c, out);
    }
}

/* A paragraph, its lines filled to WIDTH; `between` stands for each newline. */
static void paragraph(FILE *out, const char *text, const char *between)
{
    int column = 0;
    bool bold = false;
    while (*text) {
        if (*text == '\n') {
            fprintf(out, "\n%s\n", between);
            column = 0;
            text++;
        }
        int n = (int)strcspn(text, " \n");
        if (column && column + 1 + n > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column) fputc(' ', out);
        if (!column && *text == '.') fputs("\\&", out); /* no request */
        for (int i = 0; i < n; i++)
            escape(out, text[i], &bold);
        column += n + 1;
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void words(FILE *out, const char *text)
{
    bool bold = false;
    for (; *text; text++)
        escape(out, *text, &bold);
}

static void option_lines(FILE *out, const struct cli_option *option, bool common)
{
    for (; option->name; option++) {
        fputs(".TP\n", out);
        if (option->letter) fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
        fputs("\\fB\\-\\-", out);
        words(out, option->name);
        fputs("\\fR", out);
        if (option->value) {
            fputs(" \\fI", out);
            words(out, option->value);
            fputs("\\fR", out);
        }
        fputc('\n', out);
        paragraph(out, option->help, ".IP");
        if (!common) continue;
        char commands[128];
        cli_option_commands(commands, sizeof commands, option);
        if (*commands) fprintf(out, "In %s.\n", commands);
    }
}

static void rule_lines(FILE *out, const struct cli_command *command)
{
    char text[512];
    bool any = false;
    for (size_t i = 0; cli_rule_text(text, sizeof text, command, i); i++) {
        if (!*text) continue;
        fputs(any ? ".br\n" : ".PP\n\\fIOptions that need others, or exclude them:\\fR\n.br\n", out);
        any = true;
        paragraph(out, text, ".PP");
    }
}

static void command_section(FILE *out, const struct cli_command *command)
{
    fprintf(out, ".SS vgg16 %s%s", command->name, *command->arguments ? " " : "");
    words(out, command->arguments);
    fputc('\n', out);
    paragraph(out, command->purpose, ".PP");
    fputs(".PP\n", out);
    paragraph(out, command->details, ".PP");
    for (const struct cli_group *group = command->groups; group->option; group++) {
        if (group->title) {
            fputs(".PP\n\\fI", out);
            words(out, group->title);
            fputs("\\fR\n", out);
        }
        option_lines(out, group->option, false);
    }
    rule_lines(out, command);
}

static void tagged(FILE *out, const char *tag, const char *text)
{
    fputs(".TP\n\\fB", out);
    words(out, tag);
    fputs("\\fR\n", out);
    paragraph(out, text, ".IP");
}

static void environment(FILE *out)
{
    fputs(".SH ENVIRONMENT\n", out);
    tagged(out, "VGG16_BACKEND, VGG16_DEVICE, VGG16_ISA, VGG16_PRECISION, VGG16_THREADS",
           "As the options of these names, which come first. OMP_NUM_THREADS is heard after VGG16_THREADS.");
    tagged(out, "VGG16_STARTER", "The file of the starter weights, instead of the one installed with the program.");
    tagged(out, "VGG16_MIRROR", "Another address of the folder that holds Keras' files, for `vgg16 pull`.");
    tagged(out, "KERAS_HOME, TORCH_HOME, HF_HOME, HF_HUB_CACHE",
           "Where other programs keep ImageNet weights, which --weights imagenet finds.");
    tagged(out, "NO_COLOR", "Progress is shown without colours when this is set.");
    fputs(".SH FILES\n", out);
    tagged(out, "$XDG_CACHE_HOME/vgg16, else ~/.cache/vgg16", "Weights that `vgg16 pull` keeps, and pipeline caches.");
    tagged(out, "PREFIX/share/vgg16", "The starter weights.");
}

void pages_man(FILE *out)
{
    fprintf(out, ".TH VGG16 1 \"\" \"vgg16 %s\" \"User Commands\"\n", vgg_version());
    fputs(".SH NAME\nvgg16 \\- image features, training and fine\\-tuning with VGG networks\n"
          ".SH SYNOPSIS\n\\fBvgg16\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n.br\n\\fBvgg16 help\\fR "
          "[\\fICOMMAND\\fR]\n.SH DESCRIPTION\n",
          out);
    paragraph(out,
              "VGG networks on the CPU or on a GPU through Vulkan: features of images, training on top of them, and "
              "fine-tuning, without Python.",
              ".PP");
    fputs(".PP\n", out);
    paragraph(out, cli_program_help, ".PP");
    fputs(".SH DATA\n", out);
    paragraph(out, cli_data_help, ".PP");
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; cli_commands[i]; i++)
        command_section(out, cli_commands[i]);
    fputs(".SH COMMON OPTIONS\nThey may stand before or after the command.\n", out);
    option_lines(out, cli_common_options, true);
    environment(out);
    fputs(".SH EXAMPLES\n", out);
    tagged(out, "vgg16 train photos --validation-split 0.2 --output model.safetensors",
           "A classifier for a folder with one subfolder of photos per class, a fifth of them held out.");
    tagged(out, "vgg16 predict --model model.safetensors photo.jpg", "What it makes of another photo.");
    tagged(out, "vgg16 extract photos --pooling avg --output features.npy", "Features of all photos, one vector each.");
}
