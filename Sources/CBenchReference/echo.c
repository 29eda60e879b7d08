// The echo server.

#define _GNU_SOURCE

#include "ref_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COMMANDS = 13, TRANSLATE = 17, REPLY_BIT = 0x8000, EVENT = 1 };
enum { READY = 64, DESCRIPTORS = 16, RECORDS = 64, LARGEST_PACKET = 65792 };

// Of smmu_broker.h: the sizes and what is filled in.
struct request {
    uint16_t type, reserved;
    uint32_t size;
    uint64_t cookie;
    uint32_t vsmmu, count;
};

struct reply {
    uint16_t type, text_size;
    uint32_t size;
    uint64_t cookie;
    uint32_t status, reason, cerror, completed;
    uint64_t rest[12];
};

struct record {
    uint64_t words[4];
};

struct events {
    uint16_t type, count;
    uint32_t size;
    uint64_t sequence;
    uint32_t vsmmu, generation;
    struct record records[RECORDS];
};

struct ref_echo {
    int epoll, fd, events, signal;
    uint32_t access_reply, head, tail;
    uint64_t sequence;
    struct record ring[RECORDS];
    struct events packet;
    _Alignas(8) uint8_t buffer[LARGEST_PACKET];
};

static bool watch(struct ref_echo *echo, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(echo->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct ref_echo *ref_echo_create(int fd, int events, uint32_t access_reply) {
    struct ref_echo *echo = calloc(1, sizeof *echo);
    if (!echo) return NULL;
    echo->access_reply = access_reply;
    echo->fd = fd;
    echo->events = events;
    echo->epoll = epoll_create1(EPOLL_CLOEXEC);
    echo->signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (echo->epoll < 0 || echo->signal < 0 || !watch(echo, fd) || !watch(echo, echo->signal)) {
        ref_echo_destroy(echo);
        return NULL;
    }
    return echo;
}

void ref_echo_destroy(struct ref_echo *echo) {
    if (echo->epoll >= 0) close(echo->epoll);
    if (echo->signal >= 0) close(echo->signal);
    free(echo);
}

// As smmu_brokerd receives: it cannot know which packet has descriptors.
static ssize_t receive(struct ref_echo *echo) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS)];
        struct cmsghdr align;
    } control;
    struct iovec vector = {.iov_base = echo->buffer, .iov_len = sizeof echo->buffer};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t size = recvmsg(echo->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); size >= 0 && part; part = CMSG_NXTHDR(&message, part))
        return -1;
    return size;
}

static bool transmit(int fd, void *bytes, size_t size) {
    struct iovec vector = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

static bool answer(struct ref_echo *echo) {
    struct request request;
    ssize_t size = receive(echo);
    if (size < (ssize_t)sizeof request) return false;
    memcpy(&request, echo->buffer, sizeof request);
    struct reply reply = {.type = request.type | REPLY_BIT, .cookie = request.cookie,
                          .size = request.type == TRANSLATE ? echo->access_reply : sizeof reply - sizeof reply.rest,
                          .completed = request.type == COMMANDS ? request.count : 0};
    if (request.type == TRANSLATE && echo->events >= 0) {
        uint64_t one = 1;
        echo->ring[echo->head++ % RECORDS] = (struct record){{request.cookie}};
        if (write(echo->signal, &one, sizeof one) != sizeof one) return false;
    }
    return transmit(echo->fd, &reply, reply.size);
}

static bool forward(struct ref_echo *echo) {
    uint64_t signals;
    if (read(echo->signal, &signals, sizeof signals) != sizeof signals) return false;
    struct events *packet = &echo->packet;
    packet->type = EVENT;
    packet->count = 0;
    packet->sequence = echo->sequence + 1;
    while (echo->tail != echo->head) packet->records[packet->count++] = echo->ring[echo->tail++ % RECORDS];
    echo->sequence += packet->count;
    packet->size = (uint32_t)(24 + packet->count * sizeof *packet->records);
    return transmit(echo->events, packet, packet->size);
}

bool ref_echo_turn(struct ref_echo *echo) {
    struct epoll_event ready[READY];
    int count = epoll_wait(echo->epoll, ready, READY, -1);
    if (count < 0) return errno == EINTR;
    for (int i = 0; i < count; i++)
        if (!(ready[i].data.fd == echo->fd ? answer(echo) : forward(echo))) return false;
    return true;
}
