#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(pthread_t) <= sizeof(uint64_t), "a handle holds a pthread_t");

struct start {
    void (*entry)(void *context);
    void *context;
    /* The kernel's limit, with the 0. */
    char name[16];
};

static void *run(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    pthread_setname_np(pthread_self(), start.name);
    start.entry(start.context);
    return NULL;
}

static int start_thread(struct start *start, size_t stack_size, pthread_t *thread) {
    size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    error = pthread_attr_setstacksize(&attributes, stack_size > least ? stack_size : least);
    if (error == 0)
        error = pthread_create(thread, &attributes, run, start);
    pthread_attr_destroy(&attributes);
    return -error;
}

int clinux_thread_start(
    const char *name, size_t stack_size, void (*entry)(void *context), void *context, uint64_t *thread) {
    struct start *start = calloc(1, sizeof *start);
    if (start == NULL)
        return -ENOMEM;
    start->entry = entry;
    start->context = context;
    strncpy(start->name, name, sizeof start->name - 1);
    pthread_t started;
    int status = start_thread(start, stack_size, &started);
    if (status < 0) {
        free(start);
        return status;
    }
    *thread = (uint64_t)started;
    return 0;
}

int clinux_thread_join(uint64_t thread) { return -pthread_join((pthread_t)thread, NULL); }

int clinux_thread_detach(uint64_t thread) { return -pthread_detach((pthread_t)thread); }
