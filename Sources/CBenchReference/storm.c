// Who makes storms, and who receives what comes of them: each a process of its own.

#define _GNU_SOURCE

#include "ref_forward.h"
#include "ref_sockets.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 1, MONITOR_LOST = 3, EVENTS_LOST = 2, BURST = 128, LARGEST_PACKET = 65792 };

pid_t ref_storm_start(int source, uint64_t count) {
    pid_t pid = fork();
    if (pid < 0) return -errno;
    if (pid > 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint64_t written = 0; count == 0 || written < count;) {
        uint64_t left = count == 0 ? BURST : count - written;
        uint32_t burst = left < BURST ? (uint32_t)left : BURST;
        if (ref_forward_write(source, burst) < 0) _exit(1);
        written += burst;
    }
    _exit(0);
}

// Written by the receiver's process, read by the one that started it.
struct shared {
    _Atomic uint64_t delivered, lost, packets, wrong;
    // From how many on the time is wanted, and the time.
    _Atomic uint64_t target, reached;
};

struct ref_receiver {
    pid_t pid;
    struct shared *shared;
};

// The first fields are the same on both kinds of sockets.
struct header {
    uint16_t type, count;
    uint32_t size;
    uint64_t sequence;
};

static void add(_Atomic uint64_t *count, uint64_t more) {
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more, memory_order_release);
}

static uint64_t lost_in(const uint8_t *packet, size_t header) {
    uint64_t count;
    memcpy(&count, packet + header, sizeof count);
    return count;
}

static void note(struct shared *shared, const uint8_t *packet, ssize_t size, bool monitor) {
    struct header header;
    size_t header_size = monitor ? 16 : 24;
    memcpy(&header, packet, sizeof header);
    if (size < (ssize_t)header_size || header.size != (size_t)size) {
        add(&shared->wrong, 1);
        return;
    }
    uint64_t before = shared->delivered + shared->lost;
    // The owner's records are numbered from 0, a monitor's packets from 1.
    uint64_t expected = monitor ? shared->packets + 1 : before;
    if (header.type == EVENTS) {
        if (header.sequence != expected) add(&shared->wrong, 1);
        add(&shared->delivered, header.count);
    } else if (header.type == (monitor ? MONITOR_LOST : EVENTS_LOST) && size >= (ssize_t)header_size + 8) {
        if (header.sequence != expected) add(&shared->wrong, 1);
        add(&shared->lost, lost_in(packet, header_size));
    }
    add(&shared->packets, 1);
    uint64_t target = shared->target;
    if (before < target && shared->delivered + shared->lost >= target) shared->reached = ref_now();
}

struct ref_receiver *ref_receiver_start(int socket, bool monitor) {
    struct ref_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver) return NULL;
    receiver->shared = mmap(NULL, sizeof *receiver->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (receiver->shared == MAP_FAILED || (receiver->pid = fork()) < 0) {
        free(receiver);
        return NULL;
    }
    if (receiver->pid > 0) return receiver;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    static uint8_t packet[LARGEST_PACKET];
    ssize_t size;
    while ((size = recv(socket, packet, sizeof packet, 0)) > 0) note(receiver->shared, packet, size, monitor);
    _exit(0);
}

struct ref_received ref_receiver_counts(const struct ref_receiver *receiver) {
    const struct shared *shared = receiver->shared;
    return (struct ref_received){shared->delivered, shared->lost, shared->packets, shared->wrong};
}

static uint64_t total(const struct shared *shared) { return shared->delivered + shared->lost; }

uint64_t ref_receiver_wait(struct ref_receiver *receiver, uint64_t records, int milliseconds) {
    struct shared *shared = receiver->shared;
    struct timespec moment = {.tv_nsec = 1000000};
    shared->reached = 0;
    shared->target = records;
    // What had come before the target was set was nobody's to time.
    if (total(shared) >= records) return ref_now();
    for (int i = 0; i < milliseconds && shared->reached == 0; i++) nanosleep(&moment, NULL);
    return shared->reached;
}

void ref_receiver_end(struct ref_receiver *receiver) {
    ref_end(receiver->pid, SIGKILL);
    munmap(receiver->shared, sizeof *receiver->shared);
    free(receiver);
}

uint64_t ref_processor_time(pid_t pid) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0) return 0;
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}
