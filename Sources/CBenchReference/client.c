// The client of both servers, and what starts them.

#define _GNU_SOURCE

#include "ref_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST_PACKET = 65792, REPLY_BIT = 0x8000, HEALTH = 3 };

// Of smmu_broker.h, as far as it is looked at.
struct reply {
    uint16_t type, text_size;
    uint32_t size;
    uint64_t cookie;
    uint32_t status, reason, cerror, completed;
};

int ref_client_send(struct ref_client client, struct ref_script script, uint64_t number) {
    const struct ref_packet *packet = &script.packets[number % script.count];
    ssize_t sent = send(client.fd, script.bytes + packet->offset, packet->size, MSG_NOSIGNAL);
    return sent < 0 ? -errno : 0;
}

static _Alignas(8) uint8_t buffer[LARGEST_PACKET];

int ref_client_receive_reply(struct ref_client client, struct ref_script script, uint64_t number) {
    const struct ref_packet *packet = &script.packets[number % script.count];
    struct reply reply;
    ssize_t received = recv(client.fd, buffer, sizeof buffer, 0);
    if (received < 0) return -errno;
    if (received != packet->reply || (size_t)received < sizeof reply) return -EPROTO;
    memcpy(&reply, buffer, sizeof reply);
    return (reply.type & REPLY_BIT) && reply.status == 0 ? 0 : -EPROTO;
}

int ref_client_receive_event(struct ref_client client, struct ref_script script, uint64_t number) {
    const struct ref_packet *packet = &script.packets[number % script.count];
    if (!packet->event) return 0;
    for (;;) {
        ssize_t received = recv(client.events, buffer, sizeof buffer, 0);
        if (received < 0) return -errno;
        if (received == packet->event) return 0;
        // Many faults make a device suspect, of which the owner is told in a packet of its own.
        uint16_t type = 0;
        if ((size_t)received >= sizeof type) memcpy(&type, buffer, sizeof type);
        if (type != HEALTH) return -EPROTO;
    }
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int ref_client_run(struct ref_client client, struct ref_script script, uint64_t first, uint64_t count,
                   uint32_t *nanoseconds) {
    uint64_t before = now();
    for (uint64_t i = 0; i < count; i++) {
        int error = ref_client_send(client, script, first + i);
        if (!error) error = ref_client_receive_reply(client, script, first + i);
        if (!error) error = ref_client_receive_event(client, script, first + i);
        if (error) return error;
        uint64_t after = now();
        nanoseconds[i] = (uint32_t)(after - before);
        before = after;
    }
    return 0;
}

pid_t ref_echo_start(struct ref_client *client, bool with_events, uint32_t access_reply) {
    int requests[2], events[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, requests) < 0) return -errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, events) < 0) return -errno;
    pid_t pid = fork();
    if (pid < 0) return -errno;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(requests[0]);
        close(events[0]);
        struct ref_echo *echo = ref_echo_create(requests[1], with_events ? events[1] : -1, access_reply);
        if (!echo) _exit(1);
        while (ref_echo_turn(echo)) {}
        _exit(0);
    }
    close(requests[1]);
    close(events[1]);
    *client = (struct ref_client){requests[0], events[0]};
    return pid;
}

pid_t ref_spawn(const char *program, const char *option, const char *value) {
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) return -errno;
    if (pid > 0) return pid;
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (null >= 0 && getppid() == parent && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        dup2(null, STDERR_FILENO) >= 0)
        execl(program, program, option, value, (char *)NULL);
    _exit(127);
}

int ref_end(pid_t pid, int signal) {
    int status = 0;
    if (kill(pid, signal) < 0) return -errno;
    return waitpid(pid, &status, 0) < 0 ? -errno : status;
}

int ref_pin(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (processor < 0 || processor == i) CPU_SET((size_t)i, &set);
    return sched_setaffinity(0, sizeof set, &set) < 0 ? -errno : 0;
}

__attribute__((noinline)) void ref_counted(void (*body)(void *), void *context) {
    body(context);
    // The call must not become a jump, or callgrind would see no end of this function.
    __asm__ volatile("");
}
