/* left_out.h: what lies in a data set's folders and is not read, counted by kind, so that it is said once. */
#ifndef CORE_DATA_LEFT_OUT_H
#define CORE_DATA_LEFT_OUT_H

#include "core/vgg16.h"

enum { VGG_LEFT_KINDS = 64, VGG_LEFT_FOLDERS = 10, VGG_LEFT_TEXT = 320 };

/* Of one folder, or of several together. From zero. */
struct vgg_left_out {
    struct vgg_left_kind {
        char name[16]; /* ".webp", in lower case, or "without suffix" */
        size_t count;
    } kind[VGG_LEFT_KINDS];
    size_t kinds, others;     /* others: files of kinds for which there was no room */
    size_t images;            /* beside class folders */
    size_t subfolders, below; /* subfolders of a class, and images found below them */
    bool bounded;             /* there was more below them than was looked at */
    bool notable; /* something that may be a picture; companions such as .txt, .json and Thumbs.db are not */
};

/* A file whose name is not an image's. Hidden names (".DS_Store") are the caller's to leave out. */
void vgg_left_out_file(struct vgg_left_out *left, const char *name);
void vgg_left_out_images(struct vgg_left_out *left, size_t count);
/* A subfolder of a class. Looks for images below it as long as *effort, in entries, lasts; links are not followed. */
void vgg_left_out_subfolder(struct vgg_left_out *left, const char *path, size_t *effort);
/* "6 .webp, 1 .heic, 1 without suffix, 2 subfolders (5 images in them)": most frequent first, then by name; of a long
 * tail "and 12 of 7 other kinds". Empty where nothing is left out. Sorts the kinds. */
void vgg_left_out_describe(char text[VGG_LEFT_TEXT], struct vgg_left_out *left);

/* What one data set leaves out: a line for each of the first folders, then one for the others together. */
struct vgg_left_report {
    const char *folder[VGG_LEFT_FOLDERS]; /* borrowed */
    char text[VGG_LEFT_FOLDERS][VGG_LEFT_TEXT];
    size_t folders;
    struct vgg_left_out rest; /* of those without a line of their own */
    size_t effort;
};
void vgg_left_report_init(struct vgg_left_report *report);
/* Folders that leave out companions alone are told at VGG_LOG_DEBUG only. */
void vgg_left_report_add(struct vgg_left_report *report, const char *folder, struct vgg_left_out *left);
/* Logs the lines as warnings. */
void vgg_left_report_say(struct vgg_left_report *report, const char *data);

/* Fails for class folder number `index` of `data`, which holds no images: says what it holds instead, and where
 * pictures lie deeper what to do or, where `data` looks like the parent of data sets, what to give. */
enum vgg_status vgg_left_out_refuse(const char *data, char *const *folders, size_t count, size_t index,
                                    struct vgg_left_out *left);

#endif
