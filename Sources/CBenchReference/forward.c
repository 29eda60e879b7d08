// The forwarder, and the client that times it.

#define _GNU_SOURCE

#include "ref_forward.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 1, RECORDS = 1024, PACKET = 128, MONITOR_PACKET = 64, LARGEST_RECORD = 256, LARGEST_PACKET = 65792 };
enum { F_TRANSLATION = 0x10, STREAM = 8 };

struct record {
    uint64_t words[4];
};

// Of smmu_broker.h.
struct header {
    uint16_t type, count;
    uint32_t size;
    uint64_t sequence;
    uint32_t vsmmu, generation;
};

// Of smmu_broker_admin.h.
struct monitor_header {
    uint16_t type, count;
    uint32_t size;
    uint64_t sequence;
};

struct monitor {
    int fd;
    uint64_t packets, lost;
};

struct ref_forwarder {
    int epoll, source, owner;
    struct monitor monitors[2];
    uint32_t monitor_record;
    uint64_t sequence;
    uint64_t counts[256];
    struct record records[RECORDS];
    struct {
        struct header header;
        struct record records[PACKET];
    } packet;
    struct {
        struct monitor_header header;
        uint8_t records[MONITOR_PACKET * LARGEST_RECORD];
    } told;
};

struct ref_forwarder *ref_forwarder_create(int source, int owner, int monitor, int other_monitor,
                                           uint32_t monitor_record) {
    if (monitor_record < 48 || monitor_record > LARGEST_RECORD) return NULL;
    struct ref_forwarder *forwarder = calloc(1, sizeof *forwarder);
    if (!forwarder) return NULL;
    forwarder->source = source;
    forwarder->owner = owner;
    forwarder->monitors[0].fd = monitor;
    forwarder->monitors[1].fd = other_monitor;
    forwarder->monitor_record = monitor_record;
    forwarder->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = source};
    if (forwarder->epoll < 0 || epoll_ctl(forwarder->epoll, EPOLL_CTL_ADD, source, &event) < 0) {
        ref_forwarder_destroy(forwarder);
        return NULL;
    }
    return forwarder;
}

void ref_forwarder_destroy(struct ref_forwarder *forwarder) {
    if (forwarder->epoll >= 0) close(forwarder->epoll);
    free(forwarder);
}

static bool transmit(int fd, void *bytes, size_t size, int flags) {
    struct iovec vector = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return sendmsg(fd, &message, MSG_NOSIGNAL | flags) == (ssize_t)size;
}

static bool forward(struct ref_forwarder *forwarder, const struct record *records, size_t count) {
    size_t size = sizeof(struct header) + count * sizeof *records;
    forwarder->packet.header = (struct header){.type = EVENTS, .count = (uint16_t)count, .size = (uint32_t)size,
                                               .sequence = forwarder->sequence, .vsmmu = 1};
    memcpy(forwarder->packet.records, records, count * sizeof *records);
    return transmit(forwarder->owner, &forwarder->packet, size, 0);
}

// A record that names whose it is and when it came, for both monitors; what a socket has no room for is counted.
static bool tell(struct ref_forwarder *forwarder, const struct record *records, size_t count, uint64_t time) {
    uint32_t record = forwarder->monitor_record;
    for (size_t i = 0; i < count; i++) {
        uint8_t *place = forwarder->told.records + i * record;
        uint64_t origin[2] = {forwarder->sequence + i, time};
        memcpy(place, origin, sizeof origin);
        memcpy(place + sizeof origin, &records[i], sizeof *records);
    }
    size_t size = sizeof(struct monitor_header) + count * record;
    for (int i = 0; i < 2; i++) {
        struct monitor *monitor = &forwarder->monitors[i];
        forwarder->told.header = (struct monitor_header){.type = EVENTS, .count = (uint16_t)count,
                                                         .size = (uint32_t)size, .sequence = monitor->packets + 1};
        if (transmit(monitor->fd, &forwarder->told, size, MSG_DONTWAIT))
            monitor->packets++;
        else if (errno == EAGAIN)
            monitor->lost += count;
        else
            return false;
    }
    return true;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static bool work(struct ref_forwarder *forwarder) {
    ssize_t bytes = read(forwarder->source, forwarder->records, sizeof forwarder->records);
    if (bytes < 0) return errno == EAGAIN;
    if (bytes == 0 || (size_t)bytes % sizeof(struct record)) return false;
    size_t count = (size_t)bytes / sizeof(struct record), told = 0;
    struct timespec time = {0};
    bool tells = forwarder->monitors[0].fd != REF_NO_SOCKET;
    if (tells) clock_gettime(CLOCK_REALTIME, &time);
    for (size_t i = 0; i < count; i++) forwarder->counts[forwarder->records[i].words[0] & 0xff]++;
    for (size_t sent = 0; sent < count;) {
        size_t part = smaller(count - sent, PACKET);
        if (!forward(forwarder, forwarder->records + sent, part)) return false;
        for (told = 0; tells && told < part; told += smaller(part - told, MONITOR_PACKET))
            if (!tell(forwarder, forwarder->records + sent + told, smaller(part - told, MONITOR_PACKET),
                      (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec))
                return false;
        forwarder->sequence += part;
        sent += part;
    }
    return true;
}

bool ref_forwarder_turn(struct ref_forwarder *forwarder) {
    struct epoll_event ready[64];
    int count = epoll_wait(forwarder->epoll, ready, 64, -1);
    if (count < 0) return errno == EINTR;
    for (int i = 0; i < count; i++)
        if (!work(forwarder)) return false;
    return true;
}

pid_t ref_forwarder_start(int source, int owner, int monitor, int other_monitor, uint32_t monitor_record) {
    pid_t pid = fork();
    if (pid < 0) return -errno;
    if (pid > 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct ref_forwarder *forwarder =
        ref_forwarder_create(source, owner, monitor, other_monitor, monitor_record);
    while (forwarder && ref_forwarder_turn(forwarder)) {}
    _exit(1);
}

uint64_t ref_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int ref_forward_write(int source, uint32_t records) {
    static uint64_t page;
    struct record burst[PACKET];
    if (records == 0 || records > PACKET) return -EINVAL;
    // Another page each: nobody may take two of them for the same fault.
    for (uint32_t i = 0; i < records; i++)
        burst[i] = (struct record){{F_TRANSLATION | (uint64_t)STREAM << 32, 0, (++page & 0xffffffff) << 12, 0}};
    ssize_t written = write(source, burst, records * sizeof *burst);
    if (written < 0) return -errno;
    return (size_t)written == records * sizeof *burst ? 0 : -EPROTO;
}

int ref_forward_receive(int events, uint32_t *received) {
    static uint8_t packet[LARGEST_PACKET];
    struct header header;
    ssize_t size = recv(events, packet, sizeof packet, 0);
    if (size < 0) return -errno;
    if (size < (ssize_t)sizeof header) return -EPROTO;
    memcpy(&header, packet, sizeof header);
    // What else there is to tell the owner is no record.
    if (header.type != EVENTS) return 0;
    if ((size_t)size != sizeof header + header.count * sizeof(struct record)) return -EPROTO;
    *received += header.count;
    return 0;
}

int ref_monitor_receive(int socket, uint32_t *received) {
    static uint8_t packet[LARGEST_PACKET];
    struct monitor_header header;
    ssize_t size = recv(socket, packet, sizeof packet, 0);
    if (size < 0) return -errno;
    if (size < (ssize_t)sizeof header) return -EPROTO;
    memcpy(&header, packet, sizeof header);
    if (header.type == EVENTS) *received += header.count;
    return 0;
}

int ref_forward_run(int source, int events, uint32_t records, uint64_t count, uint32_t *nanoseconds) {
    uint64_t before = ref_now();
    for (uint64_t i = 0; i < count; i++) {
        uint32_t received = 0;
        int error = ref_forward_write(source, records);
        while (!error && received < records) error = ref_forward_receive(events, &received);
        if (!error && received != records) error = -EPROTO;
        if (error) return error;
        uint64_t after = ref_now();
        nanoseconds[i] = (uint32_t)(after - before);
        before = after;
    }
    return 0;
}
