#include "core/cli/cli_options.h"

const struct cli_command *const cli_commands[] = {
    &cli_devices, &cli_summary, &cli_pull,     &cli_extract, &cli_merge, &cli_train,    &cli_evaluate,
    &cli_predict, &cli_explain, &cli_quantize, &cli_convert, &cli_bench, &cli_selftest, NULL,
};
