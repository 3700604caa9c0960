/* --checkpoint-every: a number of steps, or a time. */
#include <stdio.h>
#include <string.h>

#include "core/cli/cli_train.h"

const char *cli_every_read(const struct cli_option *option, const char *text, void *target)
{
    static const char rule[] =
        "a whole number of steps from 1 to 1000000000, or a time such as 30s, 10m or 1.5h, from 1s "
        "to 1000h";
    static const struct {
        char letter;
        double seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
    struct cli_every *every = target;
    char number[32];
    double value;
    size_t n = strlen(text), unit = 0, count = sizeof units / sizeof *units;
    (void)option;
    while (n && unit < count && text[n - 1] != units[unit].letter)
        unit++;
    bool time = n && unit < count;
    if (time) n--;
    if (n >= sizeof number) return rule;
    snprintf(number, sizeof number, "%.*s", (int)n, text);
    if (!cli_number(number, &value)) return rule;
    if (time) {
        double seconds = value * units[unit].seconds;
        if (!(seconds >= 1 && seconds <= 3600000)) return rule;
        *every = (struct cli_every) { .seconds = seconds };
        return NULL;
    }
    if (strpbrk(number, ".eE") || value < 1 || value > 1e9) return rule;
    *every = (struct cli_every) { .steps = (int)value };
    return NULL;
}
