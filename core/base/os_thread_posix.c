#include "core/base/os_thread.h"

#include <stdlib.h>
#include <time.h>

void vgg_os_mutex_init(struct vgg_os_mutex *mutex)
{
    pthread_mutex_init(&mutex->own, NULL);
}

void vgg_os_mutex_finish(struct vgg_os_mutex *mutex)
{
    pthread_mutex_destroy(&mutex->own);
}

void vgg_os_mutex_lock(struct vgg_os_mutex *mutex)
{
    pthread_mutex_lock(&mutex->own);
}

void vgg_os_mutex_unlock(struct vgg_os_mutex *mutex)
{
    pthread_mutex_unlock(&mutex->own);
}

void vgg_os_cond_init(struct vgg_os_cond *cond)
{
    pthread_cond_init(&cond->own, NULL);
}

void vgg_os_cond_finish(struct vgg_os_cond *cond)
{
    pthread_cond_destroy(&cond->own);
}

void vgg_os_cond_wait(struct vgg_os_cond *cond, struct vgg_os_mutex *mutex)
{
    pthread_cond_wait(&cond->own, &mutex->own);
}

void vgg_os_cond_wake_one(struct vgg_os_cond *cond)
{
    pthread_cond_signal(&cond->own);
}

void vgg_os_cond_wake_all(struct vgg_os_cond *cond)
{
    pthread_cond_broadcast(&cond->own);
}

bool vgg_os_thread_start(struct vgg_os_thread *thread, void *(*run)(void *argument), void *argument)
{
    return pthread_create(&thread->own, NULL, run, argument) == 0;
}

void vgg_os_thread_join(struct vgg_os_thread *thread)
{
    pthread_join(thread->own, NULL);
}

/* A thread of vgg_os_threads_possible waits until all are there. */
static void *wait_at_gate(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

int vgg_os_threads_possible(int wanted)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = wanted > 1 ? malloc((size_t)(wanted - 1) * sizeof *threads) : NULL;
    int started = 0;
    if (!threads) return 1;
    pthread_mutex_lock(&gate);
    while (started < wanted - 1 && pthread_create(&threads[started], NULL, wait_at_gate, &gate) == 0)
        started++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&gate);
    free(threads);
    /* The system counts a thread a moment longer than until it is joined. */
    if (started < wanted - 1) nanosleep(&(struct timespec) { .tv_nsec = 10000000 }, NULL);
    return 1 + started;
}

void vgg_os_once(struct vgg_os_once *once, void (*run)(void))
{
    pthread_once(&once->own, run);
}
