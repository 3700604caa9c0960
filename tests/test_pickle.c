/* Files that look like PyTorch's and would run code or take all memory or time: each refused in one line that names
 * what it asked for, at once and in little memory. And one of instructions that are allowed and seldom seen. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "core/format/torch.h"
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
    cr_assert(files > 110, "%d", files);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    cr_assert(usage.ru_maxrss < 600 << 10, "%ld KiB", usage.ru_maxrss);
}

/* A dictionary of pairs, as Python 2 wrote it; integers, texts and tensors in all the forms that there have been. */
Test(pickle, unusual_instructions)
{
    static const char *const names[] = { "plain", "parameter", "typed", "eight?" };
    weight_files_need_zip();
    char *path = weight_files_path("unusual.pth");
    struct vgg_zip *zip;
    struct vgg_torch *torch;
    weight_files_listen();
    cr_assert_eq(vgg_zip_open(&zip, path), VGG_OK, "%s", weight_files_lines());
    cr_assert(vgg_torch_is(zip));
    cr_assert_eq(vgg_torch_open(&torch, zip, path), VGG_OK, "%s", weight_files_lines());
    cr_assert_eq(vgg_torch_count(torch), 4u);
    for (size_t i = 0; i < 4; i++) {
        const struct vgg_tensor *tensor = vgg_torch_at(torch, i);
        bool eight = i == 3;
        float value;
        cr_expect_str_eq(tensor->name, names[i]);
        cr_expect_eq(tensor->dtype, eight ? VGG_DTYPE_OTHER : VGG_DTYPE_F32);
        cr_expect_str_eq(tensor->word, eight ? "F8_E5M2" : "F32");
        cr_assert(tensor->rank == 2 && tensor->shape[0] == 2 && tensor->shape[1] == 2 && tensor->strided);
        cr_expect(tensor->stride[0] == 1 && tensor->stride[1] == 2);
        memcpy(&value, (const char *)tensor->data + (eight ? 3 : 0), sizeof value); /* from byte 1 on */
        cr_expect_eq(value, 4.0f, "%s: %g", names[i], (double)value);
        cr_expect_eq(vgg_torch_check(torch, tensor), VGG_OK);
    }
    cr_expect_null(vgg_torch_at(torch, 4));
    vgg_torch_close(torch);
    free(path);
}
