/* store.h: the inside of a data set, which the readers of sources fill and select from. */
#ifndef CORE_DATA_STORE_H
#define CORE_DATA_STORE_H

#include "core/data/data.h"
#include "core/data/origin.h"
#include "core/image/image.h"

/* Items as they lie in files or memory; what data sets and their parts point into. */
struct vgg_data_store {
    size_t count;
    struct vgg_data_shape shape;

    char **paths; /* of image files, owned */
    char **shown; /* the same as they are written, NULL where that is no other; NULL: nowhere. Owned */
    char *list;   /* the file that listed them, owned; NULL: none */
    size_t *line; /* and where, from 1; owned, in step with `paths` */
    size_t lines, line_room;

    const void *values; /* or an array of items h*w*c, borrowed from `owned` or the caller */
    int source;         /* or one in a file, of vgg_os_open, read item by item: -1: none */
    uint64_t offset;    /* of its first item */
    enum vgg_dtype dtype;
    int h, w, c;              /* images: c is 1 or 3 */
    char *names;              /* "FILE#3" of each, owned */
    size_t names_pitch;       /* bytes from one to the next */
    struct vgg_st *file;      /* that of `source`, or NULL */
    void *owned;              /* owner of `values` (malloc), or NULL */
    char *array;              /* path of `file`, owned */
    struct vgg_origin origin; /* of features; points into `file` */
    bool recorded;            /* is there one? */
};

/* A selection of a store's items with labels. */
struct vgg_data {
    struct vgg_data_store *store;
    bool owns_store;
    size_t count;
    size_t *pick; /* count positions in the store; NULL: all of them in order */
    int *labels;  /* count; NULL: no labels */
    char **classes;
    int class_count;
};

enum { VGG_DATA_MAX_CLASSES = 65536 };

/* An empty data set with an empty store of its own; `what` is named when memory is out. */
enum vgg_status vgg_data_create(struct vgg_data **out, const char *what);
/* Fills the names "FILE#0", "FILE#1", ... of a store with `count` set. */
enum vgg_status vgg_data_name_items(struct vgg_data_store *store, const char *file);
/* One more image was listed, in line `line` of the file `list`. */
enum vgg_status vgg_data_add_line(struct vgg_data_store *store, const char *list, size_t line);
/* Puts the list and the line before what is wrong with an image, "list.csv:3: ...", where it was listed. */
void vgg_data_locate(char *why, const struct vgg_data *data, size_t index);
/* Is it an array, rather than image files? */
bool vgg_data_is_array(const struct vgg_data_store *store);
/* Bytes of an array's item. */
size_t vgg_data_item_size(const struct vgg_data_store *store);
/* The values of an array's item at position `at`: *values, which end with *copy, by malloc or NULL. Nothing is logged.
 * VGG_ERR_IO: the file was cut short meanwhile, or errno says what. */
enum vgg_status vgg_data_item(const void **values, void **copy, const struct vgg_data_store *store, size_t at);
/* The path of an image file as the system has it; vgg_data_path gives it as it is written. NULL: the item is in no file
 * of its own. */
const char *vgg_data_image(const struct vgg_data *data, size_t index);
/* Takes labels (int64, count) over, checking 0 <= label < VGG_DATA_MAX_CLASSES, or < the number of names when
 * class names are set already; sets names "0", "1", ... otherwise. `what` names the file. */
enum vgg_status vgg_data_set_labels(struct vgg_data *data, const int64_t *labels, size_t count, const char *what);
/* As if there had been no labels. */
void vgg_data_forget_labels(struct vgg_data *data);
/* Room for `count` class names; each is then set by the caller (vgg_mem_strdup). */
enum vgg_status vgg_data_reserve_classes(struct vgg_data *data, int count, const char *what);

#endif
