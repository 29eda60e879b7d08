/* What the client's seccomp rule does: computed, and tried in a process that is lost to everything else afterwards. */
#ifndef CSECCOMPPROBE_H
#define CSECCOMPPROBE_H

#include <stdint.h>

/* What the rule returns (SECCOMP_RET_*) for a system call of an ABI (AUDIT_ARCH_*) with this second argument. */
uint32_t seccomp_probe_verdict(uint32_t architecture, uint32_t number, uint64_t second_argument);

/* errno of each, or 0. The descriptor is a pipe's, of which VFIO's requests are ENOTTY if they reach it. */
struct seccomp_probe {
    int32_t before;  /* ATTACH, without the rule */
    int32_t install; /* smmu_broker_deny_attach: 0 or -errno */
    int32_t bind;
    int32_t attach;
    int32_t attach_upper; /* ATTACH with a bit in the upper half */
    int32_t detach;
    int32_t below; /* the requests beside the three */
    int32_t above;
    int32_t other;  /* FIONREAD */
    int32_t thread; /* ATTACH by a thread that was there before the rule */
    int32_t child;  /* ATTACH by a child */
    int32_t again;  /* smmu_broker_deny_attach once more */
};

/* 0, or -errno: no process could be made, or it did not end well. */
int seccomp_probe_run(struct seccomp_probe *probe);

/* As smmu_broker_seccomp_rule with room for so many instructions, 64 at most. */
int seccomp_probe_rule_length(uint32_t capacity);

#endif
