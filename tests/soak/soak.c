/* soak BACKEND SECONDS IMAGES FOLDER: trains all layers over checkpoints, goes on from them, evaluates, extracts and
 * saves in one process, from nothing to the end and anew, for so long and once at least. IMAGES: images, damaged ones
 * among them; FOLDER: scratch. Resident memory and open descriptors are printed and must not grow; results must be
 * those of the first round. Without Criterion, for sanitizers that do not bear it. */
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/os.h"
#include "core/format/safetensors.h"

enum { ITEMS = 10, SIZE = 32, WARM = 3 };
static const size_t slack = 2 << 20; /* bytes that resident memory may move by */

struct setting {
    const char *backend, *images, *folder;
};

static const char *in_folder(char path[256], const struct setting *setting, const char *name)
{
    snprintf(path, 256, "%s/%s", setting->folder, name);
    return path;
}

/* Messages about damaged images and devices are no news; what fails is. */
static void say(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    if (level == VGG_LOG_ERROR && *line) fprintf(stderr, "%s\n", line);
}

static enum vgg_status write_data(const struct setting *setting)
{
    static uint8_t x[ITEMS][SIZE][SIZE][3];
    static const int64_t y[ITEMS] = { 0, 1, 1, 0, 1, 0, 0, 1, 0, 1 };
    char path[256];
    for (size_t i = 0; i < sizeof x; i++)
        (&x[0][0][0][0])[i] = (uint8_t)(i * 2654435761u >> 21);
    const struct vgg_st_tensor tensors[] = {
        { "x", VGG_DTYPE_U8, 4, { ITEMS, SIZE, SIZE, 3 }, x, sizeof x },
        { "y", VGG_DTYPE_I64, 1, { ITEMS }, (void *)(uintptr_t)y, sizeof y },
    };
    return vgg_st_write(in_folder(path, setting, "data.safetensors"), tensors, 2, NULL, 0);
}

static enum vgg_status train(struct vgg_engine *engine, struct vgg_model *model, const struct vgg_data *data,
                             const struct vgg_data *validation, const struct setting *setting)
{
    char checkpoint[256], log[256];
    struct vgg_train_options options = { .trainable = "all",
                                         .images = { .preprocess = VGG_PREPROCESS_RESCALE },
                                         .augment = { .rotate = 20, .flip = true },
                                         .optimizer = VGG_OPTIMIZER_ADAM,
                                         .epochs = 1,
                                         .batch = 4,
                                         .seed = 5,
                                         .checkpoint = in_folder(checkpoint, setting, "checkpoint"),
                                         .overwrite = true,
                                         .log = in_folder(log, setting, "log.csv") };
    enum vgg_status status = vgg_train(engine, model, data, validation, &options);
    options.overwrite = false, options.resume = true, options.epochs = 2;
    return status ? status : vgg_train(engine, model, data, validation, &options);
}

/* *loss: of the trained model as it was saved. */
static enum vgg_status work(double *loss, const struct setting *setting)
{
    char data_path[256], model_path[256], features_path[256];
    struct vgg_engine *engine = NULL;
    struct vgg_data *data = NULL, *rest = NULL, *held_out = NULL, *images = NULL;
    struct vgg_model *model = NULL, *loaded = NULL;
    struct vgg_features *features = NULL;
    struct vgg_evaluation *evaluation = NULL;
    struct vgg_model_options network = { .arch = "vgg11",
                                         .weights = "random",
                                         .last = "block2_pool",
                                         .head = "gap,dropout:0.5,dense:2:softmax",
                                         .height = SIZE,
                                         .width = SIZE,
                                         .seed = 3 };
    struct vgg_features_options extract = { .layer = "block1_pool", .pooling = VGG_POOLING_AVG, .batch = 3 };
    struct vgg_image_options reading = { .preprocess = VGG_PREPROCESS_RESCALE, .skip_bad = true };
    struct vgg_evaluate_options evaluate = { .images = reading, .batch = 3 };
    enum vgg_status status =
        vgg_engine_create(&engine, &(struct vgg_engine_options) { .backend = setting->backend, .threads = 2 });
    if (!status) status = vgg_data_open(&data, in_folder(data_path, setting, "data.safetensors"));
    if (!status) status = vgg_data_open(&images, setting->images);
    if (!status) status = vgg_data_split(&rest, &held_out, data, 0.3, 1);
    if (!status) status = vgg_model_create(&model, &network);
    if (!status) status = train(engine, model, rest, held_out, setting);
    if (!status) status = vgg_model_save(model, in_folder(model_path, setting, "model.safetensors"));
    if (!status) status = vgg_model_load(&loaded, model_path);
    if (!status) status = vgg_evaluate(&evaluation, engine, loaded, data, &evaluate);
    if (!status) *loss = evaluation->loss;
    if (!status) status = vgg_features_create(&features, engine, loaded, &extract);
    in_folder(features_path, setting, "features.h5");
    if (!status) status = vgg_features_extract(features, features_path, images, &reading, NULL, NULL);
    vgg_evaluation_destroy(evaluation);
    vgg_features_destroy(features);
    vgg_model_destroy(loaded);
    vgg_model_destroy(model);
    vgg_data_destroy(held_out);
    vgg_data_destroy(rest);
    vgg_data_destroy(images);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
    return status;
}

static size_t resident(void)
{
    unsigned long all = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &all, &pages) != 2) pages = 0;
    if (file) fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder))
        count++;
    if (folder) closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    const struct setting setting = { argv[1], argv[3], argv[4] };
    const double length = strtod(argv[2], NULL), begin = vgg_os_seconds();
    size_t middle = 0, late = 0; /* the most in the second and the last third of the time */
    int open_first = 0, open_last = 0;
    long rounds = 0;
    double first = NAN, loss = NAN, told = 0;
    vgg_log_set(say, NULL, VGG_LOG_ERROR);
    if (write_data(&setting) != VGG_OK) return 2;
    for (double at = 0; at < length || rounds == 0; at = vgg_os_seconds() - begin) {
        if (work(&loss, &setting) != VGG_OK) return 1;
        if (rounds++ == 0) first = loss;
        if (loss != first) {
            fprintf(stderr, "round %ld: a loss of %.9g, at first %.9g\n", rounds, loss, first);
            return 1;
        }
        size_t now = resident();
        open_last = descriptors();
        if (rounds <= WARM) open_first = open_last;
        if (rounds > WARM && at > length / 3 && at <= 2 * length / 3 && now > middle) middle = now;
        if (rounds > WARM && at > 2 * length / 3 && now > late) late = now;
        if (at < told && rounds > 1) continue;
        printf("%5.0f s, round %5ld: %7.1f MiB, %d descriptors\n", at, rounds, (double)now / (1 << 20), open_last);
        fflush(stdout);
        told = at + length / 10;
    }
    bool flat = !middle || late <= middle + slack, closed = rounds <= WARM || open_last <= open_first;
    printf("[%s] soak::%s: %ld rounds, at most %.1f MiB in the second third of the time and %.1f in the last, %d "
           "descriptors\n",
           flat && closed ? "PASS" : "FAIL", argv[1], rounds, (double)middle / (1 << 20), (double)late / (1 << 20),
           open_last);
    return !(flat && closed);
}
