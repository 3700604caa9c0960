/* loader_threads FOLDER: the loader's threads without Criterion, whose way of starting tests ThreadSanitizer does not
 * bear. Decodes and augments the folder's images, damaged ones among them, with 1 to 4 workers: the batches must be the
 * same, and giving up midway must end the threads. Prints and returns what Criterion would. */
#include <stdio.h>
#include <string.h>

#include "core/data/loader.h"

enum { SIZE = 24, PASSES = 3 };

/* Messages about the damaged images come from several threads; they are counted, under the library's own lock. */
static void count_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)level, (void)line;
    ++*(size_t *)user;
}

/* A number made of every value, label, place and order of `passes` passes (at most `batches` batches); 0: failed. */
static uint64_t digest_of(const struct vgg_data *data, int workers, uint64_t batches)
{
    struct vgg_loader_options options = { .images = { .height = SIZE,
                                                      .width = SIZE,
                                                      .preprocess = VGG_PREPROCESS_CAFFE,
                                                      .resize = VGG_RESIZE_BILINEAR,
                                                      .skip_bad = true },
                                          .augment = { .rotate = 40, .zoom = 0.2f, .flip = true },
                                          .batch = 4,
                                          .shuffle = true,
                                          .repeat = true,
                                          .seed = 5,
                                          .workers = workers };
    struct vgg_loader *loader;
    struct vgg_batch batch;
    uint64_t digest = 14695981039346656037u; /* FNV-1a over 32-bit words */
    if (vgg_loader_create(&loader, data, &options) != VGG_OK) return 0;
    for (uint64_t done = 0; done < batches; done++) {
        if (vgg_loader_next(loader, &batch) != VGG_OK) {
            digest = 0;
            break;
        }
        for (int i = 0; i < batch.count; i++)
            digest = (digest ^ batch.index[i]) * 1099511628211u;
        for (int i = 0; i < batch.count * SIZE * SIZE * 3; i++) {
            uint32_t word;
            memcpy(&word, &batch.x[i], sizeof word);
            digest = (digest ^ word) * 1099511628211u;
        }
    }
    vgg_loader_destroy(loader);
    return digest;
}

static int failures;

static void check(bool passed, const char *what)
{
    printf("[%s] loader_threads::%s\n", passed ? "PASS" : "FAIL", what);
    failures += !passed;
}

int main(int argc, char **argv)
{
    struct vgg_data *data;
    size_t lines = 0;
    if (argc != 2) return 2;
    vgg_log_set(count_line, &lines, VGG_LOG_WARNING);
    if (vgg_data_open(&data, argv[1]) != VGG_OK) return 2;
    uint64_t batches = PASSES * ((vgg_data_count(data) + 3) / 4), one = digest_of(data, 1, batches);
    check(one != 0, "one_worker");
    check(digest_of(data, 2, batches) == one, "two_workers_same_batches");
    check(digest_of(data, 4, batches) == one, "four_workers_same_batches");
    check(digest_of(data, 4, 1) != 0 && digest_of(data, 4, 0) != 0, "given_up_midway");
    check(lines > 0, "damaged_images_told");
    vgg_data_destroy(data);
    return failures != 0;
}
