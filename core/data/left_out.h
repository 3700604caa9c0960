/* left_out.h: what lies in a data set's folders and is not read, counted by kind, so that it is said once. */
#ifndef CORE_DATA_LEFT_OUT_H
#define CORE_DATA_LEFT_OUT_H

#include "core/vgg16.h"

enum { VGG_LEFT_KINDS = 64, VGG_LEFT_FOLDERS = 10, VGG_LEFT_TEXT = 320 };

/* Of one folder, or of several together. From zero. */
struct vgg_left_out {
    struct vgg_left_kind {
        char name[16]; /* ".avif", in lower case, or "without suffix" */
        size_t count;
    } kind[VGG_LEFT_KINDS];
    size_t kinds, others; /* others: files of kinds for which there was no room */
    size_t images;        /* beside class folders */
    bool notable;         /* something that may be a picture; companions such as .txt, .json and Thumbs.db are not */
};

/* A file whose name is not an image's. Hidden names (".DS_Store") are the caller's to leave out. */
void vgg_left_out_file(struct vgg_left_out *left, const char *name);
void vgg_left_out_images(struct vgg_left_out *left, size_t count);
/* "6 .avif, 1 .heic, 1 without suffix": most frequent first, then by name; of a long
 * tail "and 12 of 7 other kinds". Empty where nothing is left out. Sorts the kinds. */
void vgg_left_out_describe(char text[VGG_LEFT_TEXT], struct vgg_left_out *left);

/* What one data set leaves out: a line for each of the first folders, then one for the others together. */
struct vgg_left_report {
    const char *folder[VGG_LEFT_FOLDERS]; /* borrowed */
    char text[VGG_LEFT_FOLDERS][VGG_LEFT_TEXT];
    size_t folders;
    struct vgg_left_out rest; /* of those without a line of their own */
};
void vgg_left_report_init(struct vgg_left_report *report);
/* Folders that leave out companions alone are told at VGG_LOG_DEBUG only. */
void vgg_left_report_add(struct vgg_left_report *report, const char *folder, struct vgg_left_out *left);
/* Logs the lines as warnings. */
void vgg_left_report_say(struct vgg_left_report *report, const char *data);

/* Fails where `data`, a folder of folders without images of their own, looks like the parent of data sets: its folders
 * are called train, validation, test, or one is and shares a class with its neighbour, or there is one folder alone
 * with several classes. Says which to give. */
enum vgg_status vgg_left_out_check_parent(const char *data, char *const *folders, size_t count);
/* Fails for a class folder that holds no images, nor any folder below it: says what it holds instead. */
enum vgg_status vgg_left_out_refuse(const char *folder, struct vgg_left_out *left);

#endif
