/* Files that look like PyTorch's and would run code or take all memory or time: each refused in one line that names
 * what it asked for, at once and in little memory. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "weight_files.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

Test(pickle, hostile_files_are_refused, .timeout = 120)
{
    weight_files_need_zip();
    char *list = weight_files_path("hostile.txt"), line[512];
    FILE *stream = fopen(list, "r");
    int files = 0;
    cr_assert(stream != NULL);
    while (fgets(line, sizeof line, stream)) {
        char *words = strchr(line, '\t'), name[256];
        cr_assert(words && line[strlen(line) - 1] == '\n');
        *words++ = '\0';
        words[strlen(words) - 1] = '\0';
        snprintf(name, sizeof name, "hostile_%.200s.pth", line);
        char *path = weight_files_path(name);
        struct vgg_weights *weights;
        weight_files_listen();
        double start = now();
        enum vgg_status status = vgg_weights_open(&weights, path);
        double took = now() - start;
        cr_expect(status == VGG_ERR_UNSUPPORTED || status == VGG_ERR_FORMAT, "%s: %s", name, vgg_status_text(status));
        cr_expect(weights == NULL);
        const char *said = weight_files_error();
        cr_expect(strstr(said, path) && strstr(said, words), "%s: wanted \"%s\": %s", name, words, said);
        cr_expect(strlen(said) < 1024 + strlen(path));
        cr_expect(took < 5, "%s: took %.1f s", name, took);
        free(path);
        files++;
    }
    fclose(stream);
    free(list);
    cr_assert(files > 60, "%d", files);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    cr_assert(usage.ru_maxrss < 600 << 10, "%ld KiB", usage.ru_maxrss);
}
