#include "core/base/os_thread.h"

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

void vgg_os_once(struct vgg_os_once *once, void (*run)(void))
{
    pthread_once(&once->own, run);
}
