/* limits.h: how many processors and how much memory this process may use: the machine's, or less where the scheduler's
 * affinity or a container (control groups, v1 and v2) gives less. Files are read anew at each call; what is missing or
 * malformed counts as no limit.
 * Source: Linux, Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, scheduler/sched-bwc.rst. */
#ifndef CORE_BASE_LIMITS_H
#define CORE_BASE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct vgg_limits {
    int processors;       /* the lesser of the two below, at least 1 */
    int affinity;         /* processors that this process may be scheduled on; a group's cpuset is part of it */
    int quota;            /* processors' time that the groups give, rounded up; INT_MAX: all */
    uint64_t memory;      /* bytes of the machine, or the least limit of the groups; 0: unknown */
    uint64_t host_memory; /* bytes of the machine; 0: unknown */
    /* Bytes that can still be taken, at least a page; 0: unknown. The groups' inactive page cache and half of the
     * active one count as free. */
    uint64_t available;
};

/* root: "", or a folder whose proc/ and mounts are read instead; affinity: as in the structure. */
void vgg_limits_read(struct vgg_limits *limits, const char *root, int affinity);
/* The same of this process. */
void vgg_limits_get(struct vgg_limits *limits);
/* "a container allows 2 of 16 processors, 4.0 of 62.5 GiB memory", or an empty string where no group gives less. */
void vgg_limits_describe(char *text, size_t size, const struct vgg_limits *limits);

int vgg_limits_processors(void);
uint64_t vgg_limits_memory(void);
uint64_t vgg_limits_available(void);
/* Processors that the machine runs, whoever may use them: those that /proc/stat counts. */
int vgg_limits_online(void);

#endif
