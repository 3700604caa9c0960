#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_options.h"
#include "core/cli/cli_os.h"
#include "core/cli/cli_output.h"
#include "core/cli/cli_report.h"
#include "core/vgg16_ranks.h"

/* What was written to stdout must have arrived: a full disk or a closed pipe is a failure. */
static enum vgg_status finish_stdout(struct cli *cli)
{
    errno = 0;
    bool bad = fflush(stdout) != 0 || ferror(stdout);
    if (!bad) return VGG_OK;
    return cli_fail(cli, VGG_ERR_IO, "standard output: cannot be written: %s", errno ? strerror(errno) : "write error");
}

/* One of several processes joins the others; all but the first are silent from the start. */
static enum vgg_status join(struct cli *cli, bool launched)
{
    if (!launched) return VGG_OK;
    if (!cli->command->ranks) {
        return cli_usage(cli,
                         "%s: is for one process; of those that mpirun or srun starts together extract, train, "
                         "evaluate and bench make use",
                         cli->command->name);
    }
    return vgg_ranks_join(&cli->common.engine.ranks);
}

/* The ranks beside the first: their stdout goes nowhere, and what they fail by the first one tells. */
static void be_silent(struct cli *cli, int rank)
{
    cli->progress.silent = rank > 0;
    if (rank > 0 && !freopen("/dev/null", "w", stdout)) cli->progress.silent = true;
}

static enum vgg_status run(struct cli *cli, void *options, char **args, int count, bool launched)
{
    if (cli->common.help) {
        cli_help(cli->command);
        return VGG_OK;
    }
    if (cli->common.version) {
        printf("vgg16 %s\nimages: %s\nzip archives (.pth, .keras): %s\nHDF5 files (.h5), written: %s\n"
               "downloads: %s\nchecksums: %s\nexponentials and logarithms: %s\n",
               vgg_version(), vgg_image_decoders(), vgg_zip_library(), vgg_h5_library(), vgg_pull_library(),
               vgg_digest_library(), vgg_math_library());
        return VGG_OK;
    }
    if (!cli_first(cli)) cli->common.quiet = true;
    cli->progress.quiet = cli->common.quiet;
    static const enum vgg_log_level level[] = { VGG_LOG_WARNING, VGG_LOG_INFO, VGG_LOG_DEBUG };
    int verbose = cli->common.verbose;
    vgg_log_set(cli_progress_log, &cli->progress, level[verbose > 2 ? 2 : verbose]);
    enum vgg_status status = join(cli, launched);
    if (status == VGG_OK) status = cli->command->run(cli, options, args, count);
    if (vgg_ranks_broken(cli->common.engine.ranks) && !cli_first(cli)) {
        cli->progress.silent = false; /* the first one cannot tell */
        cli_fail(cli, status, "%s", cli->progress.reason);
        cli->progress.silent = true;
    }
    if (vgg_ranks_broken(cli->common.engine.ranks)) cli_os_end_within(5); /* MPICH's end waits for its launcher */
    const char *why = cli_first(cli) || !cli->progress.reason[0] ? NULL : cli->progress.reason;
    status = vgg_ranks_leave(cli->common.engine.ranks, status, why);
    cli->common.engine.ranks = NULL;
    return status;
}

static int exit_code(enum vgg_status status)
{
    switch (status) {
    case VGG_OK: return CLI_EXIT_OK;
    case VGG_INTERRUPTED: return CLI_EXIT_INTERRUPTED;
    case VGG_ERR_ARGUMENT: return CLI_EXIT_USAGE;
    default: return CLI_EXIT_FAILED;
    }
}

int main(int argc, char **argv)
{
    struct cli cli = { 0 };
    void *options;
    int count;
    cli_signals_ignore();
    cli_signals_explain();
    cli_progress_init(&cli.progress, false);
    cli_json_begin();
    char *typed = cli_report_command(argc, argv);
    cli.typed = typed;
    int rank;
    bool launched = vgg_ranks_launched(&rank);
    be_silent(&cli, rank);
    enum vgg_status status = cli_parse(&cli, argc, argv, &options, &count);
    if (status == VGG_OK) status = run(&cli, options, argv, count, launched);
    cli_progress_clear(&cli.progress);
    enum vgg_status written = finish_stdout(&cli);
    if (status == VGG_OK) status = written;
    if (status == VGG_INTERRUPTED) cli_note(&cli, "interrupted");
    if (status != VGG_OK && status != VGG_INTERRUPTED && !cli.progress.errors) {
        cli_fail(&cli, status, "%s", vgg_status_text(status));
    }
    free(options);
    free(typed);
    return exit_code(status);
}
