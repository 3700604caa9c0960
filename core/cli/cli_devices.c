#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/cli/cli_output.h"

static const struct cli_group groups[] = { { 0 } };

static enum vgg_status print_json(struct cli *cli, const struct vgg_device_info *info, size_t count)
{
    cJSON *json = cJSON_CreateObject(), *devices = cJSON_AddArrayToObject(json, "devices");
    for (size_t i = 0; i < count; i++) {
        cJSON *device = cJSON_CreateObject();
        cJSON_AddNumberToObject(device, "index", info[i].index);
        cli_json_text(device, "backend", info[i].backend);
        cli_json_text(device, "name", info[i].name);
        cli_json_text(device, "type", info[i].type);
        cli_json_text(device, "driver", info[i].driver);
        cli_json_text(device, "uuid", info[i].uuid);
        cJSON_AddNumberToObject(device, "memory", (double)info[i].memory);
        if (info[i].allocation) cJSON_AddNumberToObject(device, "allocation", (double)info[i].allocation);
        cJSON_AddNumberToObject(device, "threads", info[i].threads);
        cJSON_AddBoolToObject(device, "chosen", info[i].chosen);
        cli_json_text(device, "limits", info[i].limits);
        cli_json_text(device, "reason", info[i].reason);
        cJSON_AddItemToArray(devices, device);
    }
    cli_json_text(json, "images", vgg_image_decoders());
    return cli_json_print(cli, json);
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    (void)options, (void)args, (void)count;
    struct vgg_device_info *info;
    size_t devices;
    enum vgg_status status = vgg_device_list(&info, &devices);
    if (status != VGG_OK) return status;
    if (cli->common.json) {
        status = print_json(cli, info, devices);
    } else {
        for (size_t i = 0; i < devices; i++) {
            const struct vgg_device_info *d = &info[i];
            printf("%c %2d  %-6s  %s\n", d->chosen ? '*' : ' ', d->index, d->backend, d->name);
            printf("      type %s, driver %s, memory %.1f GiB", d->type, d->driver, (double)d->memory / 0x1p30);
            if (d->threads) printf(", threads %d", d->threads);
            if (d->uuid[0]) printf(", UUID %s", d->uuid);
            if (d->limits[0]) printf("\n      %s", d->limits);
            printf("\n      %s%s\n", d->chosen ? "chosen by auto: " : "", d->reason);
        }
    }
    if (!cli->common.json) printf("images: %s\n", vgg_image_decoders());
    free(info);
    return status;
}

const struct cli_command cli_devices = {
    .name = "devices",
    .arguments = "",
    .purpose = "Lists backends and devices, and which one auto takes and why",
    .details =
        "The device marked * is the one that --backend auto takes. Threads and memory are those that this process may "
        "use: in a container (cgroup v1 or v2) its quota, rounded up, and what its limit leaves.\nJSON: devices: "
        "[{index, backend, name, type, driver, uuid, memory (bytes), allocation (bytes), threads, limits, chosen, "
        "reason}], images (what decodes them)",
    .groups = groups,
    .run = run,
};
