// What a round trip over a socket costs in plain C: a client that keeps time, and an echo server for it to talk to. The
// same client talks to smmu-brokerd.

#ifndef REF_SOCKETS_H
#define REF_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// A packet of smmu_broker.h: `size` bytes from `offset`. `reply` bytes answer it; after them `event` bytes come on the
// event socket, if that is not 0.
struct ref_packet {
    uint32_t offset;
    uint32_t size;
    uint32_t reply;
    uint32_t event;
};

// Packets to be sent one after the other, again from the first when all have been.
struct ref_script {
    const uint8_t *bytes;
    const struct ref_packet *packets;
    uint32_t count;
};

// Both ends are blocking; `events` is -1 where no packet waits for an event.
struct ref_client {
    int fd;
    int events;
};

// Packets first ... first + count - 1, each sent when the one before has been answered. `nanoseconds` gets the time of
// each. 0, or -errno: EPROTO when an answer has another size than was said, or is a refusal.
int ref_client_run(struct ref_client client, struct ref_script script, uint64_t first, uint64_t count,
                   uint32_t *nanoseconds);
// The parts of it for one packet, for a server that runs in the same thread in between. -EAGAIN from a non-blocking
// socket: nothing has come yet.
int ref_client_send(struct ref_client client, struct ref_script script, uint64_t number);
int ref_client_receive_reply(struct ref_client client, struct ref_script script, uint64_t number);
int ref_client_receive_event(struct ref_client client, struct ref_script script, uint64_t number);

// epoll, recvmsg with room for 16 descriptors, sendmsg: answers with as many bytes as smmu-brokerd would. With an event
// socket each TRANSLATE puts a record into a ring and signals an eventfd, and the loop forwards what the ring has. The
// reply to a TRANSLATE has `access_reply` bytes, at most 128.
struct ref_echo;
struct ref_echo *ref_echo_create(int fd, int events, uint32_t access_reply);
void ref_echo_destroy(struct ref_echo *echo);
// Waits for something to do and does it; false when the client has gone, or something failed.
bool ref_echo_turn(struct ref_echo *echo);

// Runs an echo server in a process of its own, which ends when the client closes its sockets. Its pid, or -errno.
pid_t ref_echo_start(struct ref_client *client, bool with_events, uint32_t access_reply);

// Starts `program` with an option and its value; it is killed when this process ends. What it says is dropped. Its pid,
// or -errno.
pid_t ref_spawn(const char *program, const char *option, const char *value);
// Sends a signal, and waits for the end: the status of waitpid, or -errno.
int ref_end(pid_t pid, int signal);
// Keeps this thread, and what it starts, on one processor; a negative one: on any. 0, or -errno.
int ref_pin(int processor);

// Calls `body` under a name that callgrind can be told to count.
void ref_counted(void (*body)(void *), void *context);

#endif
