/* dump KIND FILE...: what this library's readers find in files, for test_readers.py to compare. KIND: hdf, safetensors,
 * torch. For each file a line "file NUMBER", then
 *   data NAME RANK EXTENT... : VALUE...     values as the bits of fp32, in hex digits
 *   other NAME                              of a kind that has no values here
 *   bad NAME                                what is there and cannot be read
 *   text NAME ATTRIBUTE : HEX...            strings of an attribute, or one of the metadata
 * and "refused" where it is not opened. Names are in hex digits, too. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/hdf.h"
#include "core/format/hdf_data.h"
#include "core/format/torch.h"

enum { MOST_VALUES = 1 << 16 };

static void put_hex(const char *text)
{
    putchar(' ');
    if (!*text) putchar('-');
    for (; *text; text++)
        printf("%02x", (unsigned char)*text);
}

static void put_data(const char *name, int rank, const uint64_t *shape, const float *values, size_t count)
{
    printf("data");
    put_hex(name);
    printf(" %d", rank);
    for (int i = 0; i < rank; i++)
        printf(" %" PRIu64, shape[i]);
    printf(" :");
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        printf(" %x", bits);
    }
    putchar('\n');
}

static void put_name(const char *what, const char *name)
{
    fputs(what, stdout);
    put_hex(name);
    putchar('\n');
}

/* ---- HDF5 ---- */

struct place {
    const struct vgg_hdf *hdf;
    char path[512];
    int depth, *left;
};

static void visit(struct place *place, uint64_t object);

static bool visit_link(void *user, const char *name, uint64_t object)
{
    const struct place *above = user;
    struct place place = { .hdf = above->hdf, .depth = above->depth + 1, .left = above->left };
    int n = snprintf(place.path, sizeof place.path, "%s/%s", above->path, name);
    if (n < (int)sizeof place.path) visit(&place, object);
    return true;
}

static void visit(struct place *place, uint64_t object)
{
    struct vgg_hdf_data data;
    const char *why;
    char name[128], **strings;
    size_t count;
    if (place->depth > 8 || --*place->left < 0) return;
    for (int i = 0; vgg_hdf_attribute(place->hdf, object, i, name, sizeof name); i++) {
        if (vgg_hdf_strings(&strings, &count, place->hdf, object, name) != VGG_OK) continue;
        printf("text");
        put_hex(place->path);
        put_hex(name);
        printf(" :");
        for (size_t k = 0; k < count; k++)
            put_hex(strings[k]);
        putchar('\n');
        vgg_hdf_strings_free(strings, count);
    }
    if (vgg_hdf_is_group(place->hdf, object)) {
        if (vgg_hdf_is_dense(place->hdf, object)) put_name("other", place->path);
        if (!vgg_hdf_list(place->hdf, object, visit_link, place)) put_name("bad", place->path);
        return;
    }
    if (!vgg_hdf_describe(&data, place->hdf, object, &why)) {
        put_name(strstr(why, "floating-point") ? "other" : "bad", place->path);
        return;
    }
    if (data.count > MOST_VALUES) return;
    float *values = calloc(data.count + 1, sizeof *values);
    if (values && vgg_hdf_read(values, place->hdf, &data) == VGG_OK) {
        put_data(place->path, data.rank, data.shape, values, data.count);
    } else {
        put_name("bad", place->path);
    }
    free(values);
}

static bool dump_hdf(const char *path)
{
    struct vgg_hdf hdf;
    int left = 256;
    if (vgg_hdf_open(&hdf, path) != VGG_OK) return false;
    visit(&(struct place) { .hdf = &hdf, .left = &left }, hdf.root);
    vgg_hdf_close(&hdf);
    return true;
}

/* ---- named tensors ---- */

static void dump_tensor(const struct vgg_tensor *tensor)
{
    size_t count = 1;
    for (int i = 0; i < tensor->rank; i++)
        count = tensor->shape[i] > MOST_VALUES || count > MOST_VALUES ? MOST_VALUES + 1 : count * tensor->shape[i];
    float *values = calloc(count + 1, sizeof *values);
    if (tensor->dtype == VGG_DTYPE_OTHER || count > MOST_VALUES || !values) {
        put_name("other", tensor->name);
    } else {
        vgg_tensor_read(values, tensor, 0, count);
        put_data(tensor->name, tensor->rank, tensor->shape, values, count);
    }
    free(values);
}

static void put_meta(const struct vgg_st_meta *meta)
{
    printf("text -");
    put_hex(meta->key);
    printf(" :");
    put_hex(meta->value);
    putchar('\n');
}

static bool dump_safetensors(const char *path)
{
    struct vgg_st *st;
    struct vgg_st_meta meta;
    if (vgg_st_open(&st, path) != VGG_OK) return false;
    for (size_t i = 0; i < vgg_st_count(st); i++) {
        const struct vgg_st_tensor *t = vgg_st_at(st, i);
        struct vgg_tensor tensor = { .name = t->name, .dtype = t->dtype, .rank = t->rank, .data = t->data };
        memcpy(tensor.shape, t->shape, sizeof tensor.shape);
        dump_tensor(&tensor);
    }
    for (size_t i = 0; vgg_st_meta_at(st, i, &meta); i++)
        put_meta(&meta);
    vgg_st_close(st);
    return true;
}

static bool dump_torch(const char *path)
{
    struct vgg_torch *torch;
    struct vgg_zip *zip = NULL;
    char head[2] = "";
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(head, 1, sizeof head, file) : 0;
    if (file) fclose(file);
    if (got == 2 && memcmp(head, "PK", 2) == 0) {
        if (vgg_zip_open(&zip, path) != VGG_OK) return false;
        if (!vgg_torch_is(zip)) {
            vgg_zip_close(zip);
            return false;
        }
        if (vgg_torch_open(&torch, zip, path) != VGG_OK) return false;
    } else if (vgg_torch_open_old(&torch, path) != VGG_OK) {
        return false;
    }
    for (size_t i = 0; i < vgg_torch_count(torch); i++) {
        if (vgg_torch_check(torch, vgg_torch_at(torch, i)) == VGG_OK) {
            dump_tensor(vgg_torch_at(torch, i));
        } else {
            put_name("bad", vgg_torch_at(torch, i)->name);
        }
    }
    vgg_torch_close(torch);
    return true;
}

static void quiet(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level, (void)line;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool (*dump)(const char *);
    } kinds[] = { { "hdf", dump_hdf }, { "safetensors", dump_safetensors }, { "torch", dump_torch } };
    vgg_log_set(quiet, NULL, VGG_LOG_ERROR);
    for (size_t k = 0; argc > 1 && k < sizeof kinds / sizeof *kinds; k++) {
        if (strcmp(argv[1], kinds[k].name) != 0) continue;
        for (int i = 2; i < argc; i++) {
            printf("file %d\n", i - 2);
            if (!kinds[k].dump(argv[i])) puts("refused");
        }
        return 0;
    }
    return 2;
}
