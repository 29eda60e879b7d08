/* The rule of seccomp that leaves a VMM the device it was given, and not the choice of what it translates by. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "smmu_broker_client.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The lower half of an argument is taken to come first."
#endif

/* linux/vfio.h, which is too old in some places: _IO(';', 100 + 18) and the two behind it. */
enum { BIND_IOMMUFD = 0x3b76, ATTACH_IOMMUFD_PT = 0x3b77, DETACH_IOMMUFD_PT = 0x3b78 };

/* ioctl in each of the processor's ABIs. X32 is a bit; before Linux 5.4 the number of x86-64 was taken with it, too. */
enum { X32 = 0x40000000, IOCTL_X86_64 = 16, IOCTL_X32 = 514, IOCTL_I386 = 54, IOCTL_AARCH64 = 29, IOCTL_ARM = 54 };

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Skips so many instructions if the loaded word is this, or if it is another. */
#define IF(word, same, other) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (word), (same), (other))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))

/*
 * The kernel's ioctl looks at the lower half of its second argument only, and so does this: what stands in the upper
 * half changes nothing. An ABI that is in no list may do nothing at all.
 */
static const struct sock_filter rule[SMMU_BROKER_SECCOMP_RULE_LENGTH] = {
    /*  0 */ LOAD(arch),
    /*  1 */ IF(AUDIT_ARCH_X86_64, 4, 0),
    /*  2 */ IF(AUDIT_ARCH_AARCH64, 7, 0),
    /*  3 */ IF(AUDIT_ARCH_I386, 8, 0),
    /*  4 */ IF(AUDIT_ARCH_ARM, 7, 0),
    /*  5 */ RETURN(SECCOMP_RET_ERRNO | EPERM),
    /*  6 */ LOAD(nr),
    /*  7 */ IF(IOCTL_X86_64, 6, 0),
    /*  8 */ IF(X32 | IOCTL_X32, 5, 0),
    /*  9 */ IF(X32 | IOCTL_X86_64, 4, 8),
    /* 10 */ LOAD(nr),
    /* 11 */ IF(IOCTL_AARCH64, 2, 6),
    /* 12 */ LOAD(nr),
    /* 13 */ IF(IOCTL_I386, 0, 4),
    /* 14 */ LOAD(args[1]),
    /* 15 */ IF(BIND_IOMMUFD, 3, 0),
    /* 16 */ IF(ATTACH_IOMMUFD_PT, 2, 0),
    /* 17 */ IF(DETACH_IOMMUFD_PT, 1, 0),
    /* 18 */ RETURN(SECCOMP_RET_ALLOW),
    /* 19 */ RETURN(SECCOMP_RET_ERRNO | EPERM),
};
_Static_assert((int)IOCTL_I386 == (int)IOCTL_ARM, "one comparison is for both");

int smmu_broker_seccomp_rule(struct sock_filter *instructions, uint32_t capacity) {
    if (instructions == NULL || capacity < SMMU_BROKER_SECCOMP_RULE_LENGTH)
        return -ENOBUFS;
    memcpy(instructions, rule, sizeof rule);
    return SMMU_BROKER_SECCOMP_RULE_LENGTH;
}

int smmu_broker_deny_attach(void) {
#if defined(__x86_64__) || defined(__aarch64__)
    struct sock_filter instructions[SMMU_BROKER_SECCOMP_RULE_LENGTH];
    memcpy(instructions, rule, sizeof rule);
    struct sock_fprog program = {.len = SMMU_BROKER_SECCOMP_RULE_LENGTH, .filter = instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    if (result < 0)
        return -errno;
    /* The ID of a thread that has filters of its own, which the kernel cannot put these under. */
    return result == 0 ? 0 : -EBUSY;
#else
    return -ENOSYS;
#endif
}
