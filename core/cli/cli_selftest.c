#include <math.h>
#include <stdio.h>

#include "core/cli/cli_output.h"
#include "core/cli/cli_rules.h"
#include "core/vgg16_bench.h"

static const struct cli_group groups[] = { { 0 } };

struct run {
    struct cli_progress *progress;
    cJSON *results; /* NULL: text */
    size_t count, failed;
};

static void on_result(void *user, const struct vgg_selftest_result *result)
{
    struct run *run = user;
    run->count++;
    run->failed += !result->passed;
    const struct vgg_progress report = { "selftest", "tests", result->done, result->total,
                                         0,          0,       (double)NAN,  (double)NAN };
    if (!run->results) {
        cli_progress_clear(run->progress);
        printf("%-6s  %-24s %-20s %-28s error %.2e of %.2e allowed\n", result->passed ? "ok" : "FAILED", result->device,
               result->op, result->shape, result->error, result->bound);
        fflush(stdout);
        if (run->progress->terminal) cli_progress_report(run->progress, &report);
        return;
    }
    cli_progress_report(run->progress, &report);
    cJSON *object = cJSON_CreateObject();
    cli_json_text(object, "device", result->device);
    cli_json_text(object, "op", result->op);
    cli_json_text(object, "shape", result->shape);
    cJSON_AddNumberToObject(object, "error", result->error);
    cJSON_AddNumberToObject(object, "bound", result->bound);
    cJSON_AddBoolToObject(object, "passed", result->passed);
    cJSON_AddItemToArray(run->results, object);
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)options, (void)args, (void)count;
    enum vgg_status status = cli_rules_check_device(cli);
    if (status != VGG_OK) return status;
    cJSON *json = cli->common.json ? cJSON_CreateObject() : NULL;
    struct run run = { .progress = &cli->progress, .results = json ? cJSON_AddArrayToObject(json, "results") : NULL };
    status = vgg_selftest(&cli->common.engine, on_result, &run);
    cli_progress_clear(&cli->progress);
    if (!run.count) { /* the cause has been told */
        cJSON_Delete(json);
    } else if (json) {
        cJSON_AddNumberToObject(json, "count", (double)run.count);
        cJSON_AddNumberToObject(json, "failed", (double)run.failed);
        enum vgg_status printed = cli_json_print(cli, json);
        if (status == VGG_OK) status = printed;
    } else {
        printf("%zu of %zu passed\n", run.count - run.failed, run.count);
    }
    return status;
}

const struct cli_command cli_selftest = {
    .name = "selftest",
    .arguments = "",
    .purpose = "Compares every operation on this machine with the plain C reference",
    .details = "Every backend, device and instruction set level found takes part, as far as --backend, --device and "
               "--isa allow. Errors are in units of the result's scale. A failure gives exit status 1.\nJSON: results: "
               "[{device, op, shape, error, bound, passed}], count, failed",
    .groups = groups,
    .run = run,
};
