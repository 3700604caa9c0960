/* cli_curves.h: curves of a training as text. */
#ifndef CORE_CLI_CLI_CURVES_H
#define CORE_CLI_CLI_CURVES_H

#include "core/cli/cli.h"

/* Loss and accuracy over the epochs on stderr, training as dots and validation as a line, as wide as the terminal; in
 * braille dots where the locale has UTF-8, else in ASCII. Nothing with -q, without a terminal, or for a single epoch.
 */
void cli_curves_print(struct cli *cli, const struct vgg_history *history);

#endif
