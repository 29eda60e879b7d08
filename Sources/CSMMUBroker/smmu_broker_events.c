/* Events on their way to the guest: from the broker's socket, and into the guest's event queue. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "connection.h"

#define RECORD_BYTES 32u
#define MAXIMUM_QUEUE_LOG2 19u
#define QUEUE_ADDRESS UINT64_C(0x00ffffffffffffe0)
/* OVFLG of EVENTQ_PROD, OVACKFLG of EVENTQ_CONS. */
#define OVERFLOW_FLAG 0x80000000u
/* STALL of a record, in word 1: the transaction waits for an answer. */
#define STALL (UINT64_C(1) << 31)

/* ---- The event socket -------------------------------------------------------------------------------------------- */

int smmu_broker_event_sockets(int fds[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ? -errno : 0;
}

/* Whether `size` bytes of `events` are a packet that the protocol allows. */
static bool is_allowed(const struct smmu_broker_events *events, size_t size) {
    const struct smmu_broker_event_header *header = &events->header;
    if (size < sizeof *header || header->size != size)
        return false;
    size_t follows = size - sizeof *header;
    switch (header->type) {
    case SMMU_BROKER_EVENT:
        return header->count >= 1 && header->count <= SMMU_BROKER_MAXIMUM_EVENTS
            && follows == header->count * (size_t)RECORD_BYTES;
    case SMMU_BROKER_LOST:
        return header->count == 1 && follows == sizeof events->body.lost && events->body.lost.reserved == 0;
    case SMMU_BROKER_HEALTH:
    case SMMU_BROKER_DEVICE_GONE:
        return header->count == 1 && follows == sizeof events->body.health
            && events->body.health.state <= SMMU_BROKER_RECOVERED;
    case SMMU_BROKER_EPOCH:
        return header->count == 1 && follows == sizeof events->body.epoch;
    default:
        return false;
    }
}

int smmu_broker_receive_events(int fd, struct smmu_broker_events *events) {
    struct iovec vector = {.iov_base = events, .iov_len = sizeof *events};
    /* Without room for them the kernel closes descriptors that come along. */
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t size;
    do
        size = recvmsg(fd, &message, MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return -errno;
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return -EPROTO;
    if (size == 0)
        return 0;
    return is_allowed(events, (size_t)size) ? 1 : -EPROTO;
}

uint32_t smmu_broker_first_new(const struct smmu_broker_events *events, uint64_t *next) {
    uint64_t first = events->header.sequence;
    uint64_t covered = events->header.type == SMMU_BROKER_EVENT  ? events->header.count
                       : events->header.type == SMMU_BROKER_LOST ? events->body.lost.count
                                                                 : 0;
    uint64_t seen = *next > first ? *next - first : 0;
    if (covered > seen)
        *next = first + covered;
    return seen < events->header.count ? (uint32_t)seen : events->header.count;
}

/* ---- A shared queue ---------------------------------------------------------------------------------------------- */

int smmu_broker_take_events(
    struct smmu_broker_event_ring *ring, struct smmu_broker_event_record *records, uint32_t capacity) {
    if (ring->log2 < 1 || ring->log2 > MAXIMUM_QUEUE_LOG2 || capacity > INT32_MAX)
        return -EINVAL;
    uint32_t size = 1u << ring->log2;
    uint32_t mask = 2 * size - 1;
    uint32_t *registers = ring->registers;
    uint32_t prod = __atomic_load_n(&registers[0], __ATOMIC_ACQUIRE);
    uint32_t waiting = (prod - ring->cons) & mask;
    if (waiting > size)
        return -EPROTO;
    uint32_t count = waiting < capacity ? waiting : capacity;
    const unsigned char *slots = ring->records;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (ring->cons + i) & (size - 1);
        memcpy(records[i].words, slots + (size_t)slot * RECORD_BYTES, RECORD_BYTES);
    }
    ring->lost = ((prod ^ ring->cons) & OVERFLOW_FLAG) != 0;
    if (count > 0 || ring->lost) {
        ring->cons = (prod & OVERFLOW_FLAG) | ((ring->cons + count) & mask);
        __atomic_store_n(&registers[1], ring->cons, __ATOMIC_RELEASE);
    }
    return (int)count;
}

/* ---- The guest's event queue ------------------------------------------------------------------------------------- */

/* A queue's size and place. */
struct ring {
    uint64_t base;
    uint32_t log2_size;
};

static bool is_full(const struct smmu_broker_eventq *queue, const struct ring *ring) {
    uint32_t used = (queue->prod - queue->cons) & ((2u << ring->log2_size) - 1);
    return used >= 1u << ring->log2_size;
}

static void overflow(struct smmu_broker_eventq *queue) {
    queue->dropped++;
    /* A second overflow cannot be told before the guest has acknowledged the first. */
    if (((queue->prod ^ queue->cons) & OVERFLOW_FLAG) == 0)
        queue->prod ^= OVERFLOW_FLAG;
}

/* Writes a record, and shows it to the guest by moving PROD. */
static int append(
    struct smmu_broker_eventq *queue, const struct ring *ring, const struct smmu_broker_event_record *record) {
    uint32_t position = queue->prod & ((2u << ring->log2_size) - 1);
    uint64_t address = ring->base + (uint64_t)(position & ((1u << ring->log2_size) - 1)) * RECORD_BYTES;
    if (queue->memory.write(queue->memory.user, address, record->words, RECORD_BYTES) < 0)
        return -EFAULT;
    position = (position + 1) & ((2u << ring->log2_size) - 1);
    queue->prod = (queue->prod & OVERFLOW_FLAG) | position;
    queue->appended++;
    queue->interrupt = 1;
    return 0;
}

int smmu_broker_append_events(
    struct smmu_broker_eventq *queue, const struct smmu_broker_event_record *records, uint32_t count) {
    queue->appended = queue->dropped = queue->interrupt = queue->aborted = 0;
    uint32_t asked = (uint32_t)(queue->base & 0x1f);
    uint32_t supported = (queue->idr1 >> 16) & 0x1f;
    struct ring ring = {.log2_size = asked < supported ? asked : supported};
    if (ring.log2_size > MAXIMUM_QUEUE_LOG2 || count > INT32_MAX)
        return -EINVAL;
    ring.base = (queue->base & QUEUE_ADDRESS) >> (ring.log2_size + 5) << (ring.log2_size + 5);
    for (uint32_t i = 0; i < count; i++) {
        if (is_full(queue, &ring)) {
            if ((records[i].words[1] & STALL) != 0)
                return (int)i;
            overflow(queue);
        } else if (append(queue, &ring, &records[i]) < 0) {
            queue->aborted = 1;
            queue->dropped += count - i;
            break;
        }
    }
    return (int)count;
}
