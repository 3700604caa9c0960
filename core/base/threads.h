/* threads.h: the threads that OpenMP's loops run on. */
#ifndef CORE_BASE_THREADS_H
#define CORE_BASE_THREADS_H

/* Starts the threads that the calling thread's loops will run on, itself among them, and tells how many there are: a
 * runtime that finds none in the middle of a loop ends the process. Where the system has fewer than `wanted`, a warning
 * says so, and some are left to whom else needs them, such as the loader. The runtime keeps them. 0: those that are
 * there, else as many as OpenMP takes by itself. */
int vgg_threads_start(int wanted);

#endif
