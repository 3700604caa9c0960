/* pull.h: downloads that are verified before they appear. */
#ifndef CORE_WEIGHTS_PULL_H
#define CORE_WEIGHTS_PULL_H

#include "core/vgg16.h"

/* Downloads url to path: into PATH.part, which a later call goes on with; verified by its MD5 (32 hex digits), then
 * renamed. Only https is spoken, or http too where the address begins with it; redirects go to https only. Gives up
 * after 30 seconds without a byte. A file with another digest is deleted: VGG_ERR_FORMAT. */
enum vgg_status vgg_pull_file(const char *url, const char *path, const char *md5, vgg_progress_fn *progress,
                              void *user);

#endif
