/* os_thread.h: threads and what they wait for, as the operating system has them; os_thread_posix.c answers. POSIX's own
 * objects, which ThreadSanitizer knows, lie inside. */
#ifndef CORE_BASE_OS_THREAD_H
#define CORE_BASE_OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>

struct vgg_os_mutex {
    pthread_mutex_t own;
};
struct vgg_os_cond {
    pthread_cond_t own;
};
struct vgg_os_thread {
    pthread_t own;
};
struct vgg_os_once {
    pthread_once_t own;
};

/* For objects of static storage. */
#define VGG_OS_MUTEX_INIT         \
    {                             \
        PTHREAD_MUTEX_INITIALIZER \
    }
#define VGG_OS_ONCE_INIT  \
    {                     \
        PTHREAD_ONCE_INIT \
    }

void vgg_os_mutex_init(struct vgg_os_mutex *mutex);
void vgg_os_mutex_finish(struct vgg_os_mutex *mutex);
void vgg_os_mutex_lock(struct vgg_os_mutex *mutex); /* not recursive */
void vgg_os_mutex_unlock(struct vgg_os_mutex *mutex);

void vgg_os_cond_init(struct vgg_os_cond *cond);
void vgg_os_cond_finish(struct vgg_os_cond *cond);
/* Releases the mutex while it waits for a call of wake; it may also return without one. */
void vgg_os_cond_wait(struct vgg_os_cond *cond, struct vgg_os_mutex *mutex);
void vgg_os_cond_wake_one(struct vgg_os_cond *cond);
void vgg_os_cond_wake_all(struct vgg_os_cond *cond);

/* False: no thread can be started. */
bool vgg_os_thread_start(struct vgg_os_thread *thread, void *(*run)(void *argument), void *argument);
void vgg_os_thread_join(struct vgg_os_thread *thread);
/* How many threads, up to `wanted`, can run at once, the calling one among them: the others are started, and ended. */
int vgg_os_threads_possible(int wanted);

/* Calls `run` the first time; who comes meanwhile waits for its end. */
void vgg_os_once(struct vgg_os_once *once, void (*run)(void));

#endif
