// What forwarding faults costs in plain C: a source of records, a forwarder, and whoever receives them. The same source
// and the same receivers are at both ends of smmu-brokerd.

#ifndef REF_FORWARD_H
#define REF_FORWARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// Nobody there.
enum { REF_NO_SOCKET = -1 };

// epoll, one read of as many records as there are (1024 at most), each counted by its number; then packets of 128 for the
// owner, which are waited for, and packets of 64 for two monitors, which are not. The records of those are `monitor_record`
// bytes, at least 48: what smmu-brokerd tells its monitors of each.
struct ref_forwarder;
struct ref_forwarder *ref_forwarder_create(int source, int owner, int monitor, int other_monitor,
                                           uint32_t monitor_record);
void ref_forwarder_destroy(struct ref_forwarder *forwarder);
// Waits for something to do and does it; false when something failed.
bool ref_forwarder_turn(struct ref_forwarder *forwarder);
// In a process of its own, which ref_end ends. Its pid, or -errno.
pid_t ref_forwarder_start(int source, int owner, int monitor, int other_monitor, uint32_t monitor_record);

// Times how long `records` records (128 at most) that are written to `source` in one go take until all of them have come
// out of `events`: `count` times. 0, or -errno; EPROTO when what comes out is not what went in.
int ref_forward_run(int source, int events, uint32_t records, uint64_t count, uint32_t *nanoseconds);
// The parts of it, for a forwarder that runs in the same thread in between. `received` is counted on; -EAGAIN from a
// non-blocking socket: nothing has come yet.
int ref_forward_write(int source, uint32_t records);
int ref_forward_receive(int events, uint32_t *received);
// The same from the socket of a monitor.
int ref_monitor_receive(int socket, uint32_t *received);

// Writes `count` records to `source`, 128 at a time, as fast as that takes them; 0: for ever. In a process of its own, or
// -errno.
pid_t ref_storm_start(int source, uint64_t count);

// What has come out of a socket.
struct ref_received {
    uint64_t delivered;
    // That a LOST speaks for.
    uint64_t lost;
    uint64_t packets;
    // Packets of records that were not the next in order, and bytes that are no packet.
    uint64_t wrong;
};

// Receives in a process of its own, and says so far what.
struct ref_receiver;
struct ref_receiver *ref_receiver_start(int socket, bool monitor);
struct ref_received ref_receiver_counts(const struct ref_receiver *receiver);
// Waits until `records` have been delivered or lost; the time of CLOCK_MONOTONIC at which that was. 0: not within
// `milliseconds`.
uint64_t ref_receiver_wait(struct ref_receiver *receiver, uint64_t records, int milliseconds);
void ref_receiver_end(struct ref_receiver *receiver);

// CLOCK_MONOTONIC, nanoseconds.
uint64_t ref_now(void);
// Nanoseconds of processor time that a process has had; 0 when there is none.
uint64_t ref_processor_time(pid_t pid);

#endif
