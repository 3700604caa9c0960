/* --schedule: constant, cosine, step:EVERY:FACTOR or plateau:FACTOR,PATIENCE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_train.h"

const char *cli_schedule_word(int i)
{
    return vgg_name(VGG_NAMES_SCHEDULE, i);
}

/* A count of epochs at *text, before `end`; *text goes on behind it. */
static bool read_epochs(int *epochs, const char **text, char end)
{
    char *stop;
    if (**text < '0' || **text > '9') return false;
    long value = strtol(*text, &stop, 10);
    if (*stop != end || value < 1 || value > 1000000) return false;
    *epochs = (int)value;
    *text = stop + (end != '\0');
    return true;
}

/* A factor above 0 at *text, before `end`; *text goes on behind it. */
static bool read_factor(float *factor, const char **text, char end)
{
    char number[32];
    double value;
    size_t n = end ? strcspn(*text, (char[]) { end, '\0' }) : strlen(*text);
    if ((*text)[n] != end || n >= sizeof number) return false;
    snprintf(number, sizeof number, "%.*s", (int)n, *text);
    if (!cli_number(number, &value) || !((float)value > 0)) return false;
    *factor = (float)value;
    *text += n + (end != '\0');
    return true;
}

bool cli_schedule_parse(struct cli_schedule *schedule, const char *text)
{
    const char *word;
    size_t n = strcspn(text, ":");
    *schedule = (struct cli_schedule) { .kind = VGG_SCHEDULE_CONSTANT };
    int kind = 0;
    while ((word = cli_schedule_word(kind)) && (strlen(word) != n || strncmp(word, text, n) != 0))
        kind++;
    if (!word) return false;
    const char *rest = text + n + (text[n] == ':');
    schedule->kind = (enum vgg_schedule)kind;
    switch (schedule->kind) {
    case VGG_SCHEDULE_CONSTANT:
    case VGG_SCHEDULE_COSINE: return text[n] == '\0';
    case VGG_SCHEDULE_STEP:
        return read_epochs(&schedule->every, &rest, ':') && read_factor(&schedule->factor, &rest, '\0') &&
               schedule->factor < 1;
    case VGG_SCHEDULE_PLATEAU:
        return read_factor(&schedule->factor, &rest, ',') && read_epochs(&schedule->every, &rest, '\0') &&
               schedule->factor < 1;
    }
    return false;
}

const char *cli_schedule_read(const struct cli_option *option, const char *text, void *target)
{
    struct cli_schedule schedule;
    (void)option;
    if (!cli_schedule_parse(&schedule, text))
        return "constant, cosine, step:EVERY:FACTOR with EVERY epochs from 1 and 0 < FACTOR < 1, or "
               "plateau:FACTOR,PATIENCE with 0 < FACTOR < 1 and PATIENCE epochs from 1";
    *(struct cli_schedule *)target = schedule;
    return NULL;
}
