#include <stdio.h>
#include <stdlib.h>

#include "core/cli/cli_model.h"
#include "core/cli/cli_opened.h"
#include "core/cli/cli_options.h"
#include "core/cli/cli_output.h"

struct explain {
    const char *model, *output, *map, *class, *layer;
    struct vgg_image_options images;
    float alpha;
    int colours, top;
};

static const struct cli_option explain_options[] = {
    { .name = "output",
      .letter = 'o',
      .value = "FILE",
      .help = "file to write, by its extension: .png, one image under the heat of its map, and beneath it class and "
              "probability; .html, a page with any number of images; .npy, the maps alone (required)",
      .read = cli_read_text,
      .offset = offsetof(struct explain, output) },
    { .name = "map",
      .value = "FILE.npy",
      .help = "the maps as well: float32, (h, w) for one image, else (images, h, w) (default: none)",
      .read = cli_read_text,
      .offset = offsetof(struct explain, map) },
    { .name = "class",
      .value = "CLASS",
      .help = "name or number of the class that is explained (default: the predicted one of each image)",
      .read = cli_read_text,
      .offset = offsetof(struct explain, class) },
    { .name = "layer",
      .value = "LAYER",
      .help = "convolution or pool whose output is weighed (default: the last convolution of the base)",
      .read = cli_read_text,
      .offset = offsetof(struct explain, layer) },
    { .name = "colours",
      .value = "MAP",
      .help = "viridis and inferno can be read with any colour vision; jet is the rainbow of older papers; or grey "
              "(default inferno)",
      .read = cli_read_choice,
      .names = VGG_NAMES_COLOURS,
      .offset = offsetof(struct explain, colours) },
    { .name = "alpha",
      .value = "A",
      .help = "opacity of the hottest place; cold places stay as they are (default 0.7)",
      .read = cli_read_float,
      .min = 0.01,
      .max = 1,
      .offset = offsetof(struct explain, alpha) },
    { .name = "top",
      .value = "K",
      .help = "the K most probable classes of each image (default 5)",
      .read = cli_read_int,
      .min = 1,
      .max = 1000000,
      .offset = offsetof(struct explain, top) },
    { 0 },
};

static const struct cli_group groups[] = {
    { "Options:", cli_model_option, offsetof(struct explain, model) },
    { "Explanation:", explain_options, 0 },
    { "Images:", cli_image_options, offsetof(struct explain, images) },
    { 0 },
};

static const struct explain defaults = { .colours = VGG_COLOURS_INFERNO, .top = 5 };

/* What the library's reports go to. */
struct listing {
    struct cli *cli;
    const struct vgg_model *model;
    const struct vgg_data *data;
    cJSON *images; /* with --json */
};

static void list_image(void *user, const struct vgg_explanation *e)
{
    struct listing *listing = user;
    const char *path = vgg_data_path(listing->data, e->index);
    struct cli_class class = cli_class_name(listing->model, e->label);
    double probability = (double)e->probabilities[e->label];
    if (!listing->images) {
        cli_progress_clear(&listing->cli->progress);
        printf("%s: %s %.4f\n", path, class.text, probability);
        return;
    }
    cJSON *image = cJSON_CreateObject();
    cli_json_text(image, "path", path);
    cli_json_text(image, "class", class.text);
    cJSON_AddNumberToObject(image, "label", e->label);
    cJSON_AddNumberToObject(image, "probability", probability);
    cJSON_AddItemToArray(listing->images, image);
}

static bool report(void *user, const struct vgg_progress *progress)
{
    return cli_progress_report(&((struct listing *)user)->cli->progress, progress);
}

static enum vgg_status print_json(struct cli *cli, const struct explain *o, const struct vgg_explain *explain,
                                  cJSON *images)
{
    int map[2];
    vgg_explain_shape(explain, &map[0], &map[1]);
    cJSON *json = cJSON_CreateObject();
    cli_json_text(json, "output", o->output);
    cJSON_AddItemToObject(json, "map", cJSON_CreateIntArray(map, 2));
    cJSON_AddItemToObject(json, "images", images);
    return cli_json_print(cli, json);
}

/* The command line, as far as it can be judged without opening anything. */
static enum vgg_status check(struct cli *cli, const struct explain *o)
{
    if (!o->model) return cli_usage(cli, "--model is missing");
    if (!o->output) return cli_usage(cli, "--output is missing");
    enum vgg_status status = cli_output_check(cli, o->output, false);
    return status == VGG_OK && o->map ? cli_output_check(cli, o->map, false) : status;
}

static enum vgg_status find_class(struct cli *cli, int *label, const struct vgg_model *model, const char *class)
{
    int last = vgg_model_class_count(model) - 1;
    *label = vgg_model_class_find(model, class);
    if (*label >= 0) return VGG_OK;
    struct vgg_nearest nearest = { .text = class };
    for (int k = 0; k <= last; k++) {
        const char *name = vgg_model_class_name(model, k);
        if (name) vgg_nearest_try(&nearest, name);
    }
    return cli_usage(cli, "--class %s: the model has no such class; they are 0 (%s) to %d (%s)%s", class,
                     cli_class_name(model, 0).text, last, cli_class_name(model, last).text,
                     vgg_nearest_hint(&nearest, ""));
}

static enum vgg_status run(struct cli *cli, const void *options, char **args, int count)
{
    const struct explain *o = options;
    struct cli_opened opened = { 0 };
    struct vgg_explain *explain = NULL;
    struct listing listing = { .cli = cli };
    struct vgg_explain_options wanted = {
        .output = o->output,
        .map = o->map,
        .chosen = o->class != NULL,
        .colours = (enum vgg_colours)o->colours,
        .alpha = o->alpha,
        .top = o->top,
        .images = o->images,
        .explained = list_image,
        .progress = report,
        .user = &listing,
    };
    enum vgg_status status = check(cli, o);
    if (status != VGG_OK) return status;
    status = cli_opened_data(&opened, args, count);
    if (status == VGG_OK && cli_output_extension(o->output, ".png") && vgg_data_count(opened.data) != 1) {
        status = cli_usage(cli, "--output %s: a picture is of one image and there are %zu; name an .html file",
                           o->output, vgg_data_count(opened.data));
    }
    if (status == VGG_OK) status = cli_opened_classifier(cli, &opened, args[0], o->model, &o->images);
    if (status == VGG_OK && o->class) status = find_class(cli, &wanted.label, opened.model, o->class);
    if (status == VGG_OK) status = vgg_explain_create(&explain, opened.engine, opened.model, o->layer);
    cli_signals_catch();
    if (status == VGG_OK) {
        listing.model = opened.model, listing.data = opened.data;
        if (cli->common.json) listing.images = cJSON_CreateArray();
        status = cli_work_status(vgg_explain_files(explain, opened.data, &wanted));
    }
    cli_progress_clear(&cli->progress);
    if (status == VGG_OK && listing.images) {
        status = print_json(cli, o, explain, listing.images);
    } else {
        cJSON_Delete(listing.images);
    }
    vgg_explain_destroy(explain);
    cli_opened_finish(&opened);
    return status;
}

const struct cli_command cli_explain = {
    .name = "explain",
    .arguments = "--model MODEL IMAGE... --output FILE",
    .purpose = "Shows where in images stands what speaks for a class (Grad-CAM)",
    .details =
        "IMAGE is a JPEG, PNG, BMP, GIF, WebP or TIFF file, or a folder of them; a single one may also be a folder "
        "with a subfolder a class, a .txt file with a path a line, a .csv table with rows of a path and a label, or "
        "an array file. One line an image: the path, the class explained and its probability. Pictures show the image "
        "as it was decoded: smaller with --decode fast.\nThe map is the sum of the layer's channels, each weighed by "
        "the mean gradient of the class's score with respect to it, without what is negative. The score is the number "
        "before softmax; with one sigmoid unit, the number before it speaks for class 1, its negative for class "
        "0.\nJSON: output, map [h, w], images: [{path, class, label, probability}]",
    .needs = "IMAGE",
    .groups = groups,
    .min = 1,
    .max = -1,
    .size = sizeof(struct explain),
    .defaults = &defaults,
    .run = run,
};
