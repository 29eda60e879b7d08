#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

_Static_assert(CLINUX_READABLE == EPOLLIN, "");
_Static_assert(CLINUX_WRITABLE == EPOLLOUT, "");
_Static_assert(CLINUX_ERROR == EPOLLERR, "");
_Static_assert(CLINUX_HANGUP == EPOLLHUP, "");
_Static_assert(CLINUX_PEER_CLOSED == EPOLLRDHUP, "");

static int result(int value) { return value < 0 ? -errno : value; }

int clinux_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    return result(epoll_ctl(epoll, operation, fd, &event));
}

int clinux_epoll_add(int epoll, int fd, uint32_t events, uint64_t data) {
    return control(epoll, EPOLL_CTL_ADD, fd, events, data);
}

int clinux_epoll_modify(int epoll, int fd, uint32_t events, uint64_t data) {
    return control(epoll, EPOLL_CTL_MOD, fd, events, data);
}

int clinux_epoll_remove(int epoll, int fd) { return control(epoll, EPOLL_CTL_DEL, fd, 0, 0); }

int clinux_epoll_wait(int epoll, struct clinux_ready *ready, int capacity, int timeout_ms) {
    enum { MOST = 64 };
    struct epoll_event events[MOST];
    int count = epoll_wait(epoll, events, capacity < MOST ? capacity : MOST, timeout_ms);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++)
        ready[i] = (struct clinux_ready){.data = events[i].data.u64, .events = events[i].events};
    return count;
}

int clinux_eventfd(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int clinux_eventfd_signal(int fd) {
    uint64_t one = 1;
    /* A counter that is full is signalled already. */
    if (write(fd, &one, sizeof one) < 0 && errno != EAGAIN)
        return -errno;
    return 0;
}

int clinux_eventfd_signal_if_room(int fd) {
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    int ready = poll(&room, 1, 0);
    if (ready < 0)
        return errno == EINTR ? clinux_eventfd_signal(fd) : -errno;
    return ready == 0 || (room.revents & POLLOUT) == 0 ? 0 : clinux_eventfd_signal(fd);
}

int clinux_signaller_open(uint64_t *context) {
    aio_context_t made = 0;
    if (syscall(SYS_io_setup, 1, &made) < 0)
        return -errno;
    *context = made;
    return 0;
}

int clinux_signaller_signal(uint64_t context, int ready, int eventfd) {
    struct iocb operation = {
        .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (uint32_t)ready, .aio_buf = POLLOUT,
        .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = (uint32_t)eventfd};
    struct iocb *operations[] = {&operation};
    /* What is ready already ends within the call; its result is taken out, so that there is room for the next. */
    if (syscall(SYS_io_submit, (aio_context_t)context, 1, operations) < 0)
        return -errno;
    struct io_event result;
    struct timespec none = {0};
    return syscall(SYS_io_getevents, (aio_context_t)context, 1, 1, &result, &none) < 0 ? -errno : 0;
}

int clinux_signaller_close(uint64_t context) {
    return syscall(SYS_io_destroy, (aio_context_t)context) < 0 ? -errno : 0;
}

static int64_t take(int fd) {
    uint64_t count = 0;
    if (read(fd, &count, sizeof count) < 0)
        return -errno;
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

int64_t clinux_eventfd_take(int fd) { return take(fd); }

int clinux_timerfd(void) { return result(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)); }

int clinux_timerfd_set(int fd, uint64_t deadline_ns) {
    struct itimerspec timer = {
        .it_value = {.tv_sec = (time_t)(deadline_ns / 1000000000), .tv_nsec = (long)(deadline_ns % 1000000000)}};
    return result(timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, NULL));
}

int64_t clinux_timerfd_take(int fd) { return take(fd); }

int clinux_signalfd(const int *signals, size_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++)
        if (sigaddset(&set, signals[i]) < 0)
            return -errno;
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error != 0)
        return -error;
    return result(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int clinux_signalfd_take(int fd) {
    struct signalfd_siginfo info;
    ssize_t size = read(fd, &info, sizeof info);
    if (size < 0)
        return -errno;
    return size == (ssize_t)sizeof info ? (int)info.ssi_signo : -EIO;
}

uint64_t clinux_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t clinux_realtime_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int clinux_wait(int fd, uint32_t events, int timeout_ms) {
    short wanted = (short)(((events & CLINUX_READABLE) != 0 ? POLLIN : 0) | ((events & CLINUX_WRITABLE) != 0 ? POLLOUT : 0));
    uint64_t end = clinux_monotonic_ns() / 1000000 + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
    for (;;) {
        uint64_t now = clinux_monotonic_ns() / 1000000;
        struct pollfd entry = {.fd = fd, .events = wanted};
        int ready = poll(&entry, 1, timeout_ms < 0 ? -1 : now < end ? (int)(end - now) : 0);
        if (ready > 0)
            return (entry.revents & POLLNVAL) != 0 ? -EBADF : 1;
        if (ready == 0 || errno != EINTR)
            return ready == 0 ? 0 : -errno;
    }
}
