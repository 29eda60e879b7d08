#define _GNU_SOURCE
#include "CSeccompProbe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smmu_broker_client.h"

enum { BIND = 0x3b76, ATTACH = 0x3b77, DETACH = 0x3b78, ROOM = 64 };

int seccomp_probe_rule_length(uint32_t capacity) {
    struct sock_filter room[ROOM];
    return smmu_broker_seccomp_rule(room, capacity);
}

/* Classic BPF, of which the rule uses four instructions; any other, and running out of the program, is "kill". */
uint32_t seccomp_probe_verdict(uint32_t architecture, uint32_t number, uint64_t second_argument) {
    struct sock_filter rule[ROOM];
    int length = smmu_broker_seccomp_rule(rule, ROOM);
    struct seccomp_data call = {.nr = (int)number, .arch = architecture, .args = {7, second_argument}};
    uint32_t word = 0;
    for (int at = 0; at < length; at++) {
        const struct sock_filter *instruction = &rule[at];
        switch (instruction->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (instruction->k > sizeof call - sizeof word)
                return SECCOMP_RET_KILL_PROCESS;
            memcpy(&word, (const unsigned char *)&call + instruction->k, sizeof word);
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += word == instruction->k ? instruction->jt : instruction->jf;
            break;
        case BPF_RET | BPF_K:
            return instruction->k;
        default:
            return SECCOMP_RET_KILL_PROCESS;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}

/* The system call itself: the C library may cut the request off. */
static int32_t request(int fd, uint64_t number) {
    int argument = 0;
    return syscall(SYS_ioctl, fd, number, &argument) < 0 ? errno : 0;
}

struct bystander {
    int fd;
    int wait;
    int32_t result;
};

static void *ask_when_told(void *user) {
    struct bystander *bystander = user;
    char byte;
    if (read(bystander->wait, &byte, 1) == 1)
        bystander->result = request(bystander->fd, ATTACH);
    return NULL;
}

static void probe_in_child(struct seccomp_probe *probe, int fd, const int told[2]) {
    struct bystander bystander = {.fd = fd, .wait = told[0], .result = -1};
    pthread_t thread;
    if (pthread_create(&thread, NULL, ask_when_told, &bystander) != 0)
        _exit(2);
    probe->before = request(fd, ATTACH);
    probe->install = smmu_broker_deny_attach();
    probe->bind = request(fd, BIND);
    probe->attach = request(fd, ATTACH);
    probe->attach_upper = request(fd, UINT64_C(1) << 32 | ATTACH);
    probe->detach = request(fd, DETACH);
    probe->below = request(fd, BIND - 1);
    probe->above = request(fd, DETACH + 1);
    probe->other = request(fd, FIONREAD);
    if (write(told[1], "", 1) != 1 || pthread_join(thread, NULL) != 0)
        _exit(2);
    probe->thread = bystander.result;
    pid_t child = fork();
    if (child == 0)
        _exit(request(fd, ATTACH));
    int status = 0;
    probe->child = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    probe->again = smmu_broker_deny_attach();
    _exit(0);
}

int seccomp_probe_run(struct seccomp_probe *probe) {
    struct seccomp_probe *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -errno;
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        munmap(shared, sizeof *shared);
        return -errno;
    }
    pid_t process = fork();
    if (process == 0)
        probe_in_child(shared, pipes[0], pipes);
    int status = -1;
    while (process > 0 && waitpid(process, &status, 0) < 0 && errno == EINTR)
        ;
    close(pipes[0]);
    close(pipes[1]);
    *probe = *shared;
    munmap(shared, sizeof *shared);
    return process > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}
