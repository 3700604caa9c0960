/* cli_report.h: what commands share that write a report. */
#ifndef CORE_CLI_CLI_REPORT_H
#define CORE_CLI_CLI_REPORT_H

#include "core/cli/cli.h"

/* The command line as a shell takes it, by malloc; NULL without memory. */
char *cli_report_command(int argc, char **argv);

#endif
