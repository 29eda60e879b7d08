#define _GNU_SOURCE
#include "clinux_process.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int result(int value) { return value < 0 ? -errno : value; }

int64_t clinux_raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    return limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}

int clinux_limit_heaps(int count) { return mallopt(M_ARENA_MAX, count) == 1 ? 0 : -EINVAL; }

int clinux_ignore_broken_pipes(void) { return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0; }

int clinux_open_null(void) { return result(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

int64_t clinux_read_start(const char *path, void *bytes, size_t capacity) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    size_t count = 0;
    while (count < capacity) {
        ssize_t more = read(fd, (char *)bytes + count, capacity - count);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0) {
            int error = errno;
            close(fd);
            return -error;
        }
        if (more == 0)
            break;
        count += (size_t)more;
    }
    close(fd);
    return (int64_t)count;
}

int clinux_pages(size_t length, void **address) {
    void *pages = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        return -errno;
    /* A huge page would make the whole buffer resident at its first byte. Kernels without them have no such advice. */
    (void)madvise(pages, length, MADV_NOHUGEPAGE);
    *address = pages;
    return 0;
}

int clinux_socket_peer_groups(int fd, uint32_t *groups, size_t capacity) {
    if (capacity > 65536)
        return -EINVAL;
    socklen_t size = (socklen_t)(capacity * sizeof *groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return -errno;
    return (int)(size / sizeof *groups);
}

static int socket_option(int fd, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -errno : value;
}

int clinux_descriptor_kind(int fd) {
    int domain = socket_option(fd, SO_DOMAIN);
    if (domain == -EBADF)
        return domain;
    if (domain >= 0) {
        struct sockaddr_un peer;
        socklen_t size = sizeof peer;
        /* Of a pair neither end has a name. What was connected to a listening socket has a peer with that one's. */
        bool paired = getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && size == sizeof peer.sun_family;
        return domain == AF_UNIX && socket_option(fd, SO_TYPE) == SOCK_SEQPACKET && paired
                   ? CLINUX_DESCRIPTOR_SEQPACKET
                   : CLINUX_DESCRIPTOR_OTHER;
    }
    char link[32], target[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target);
    static const char eventfd[] = "anon_inode:[eventfd]";
    return length == (ssize_t)strlen(eventfd) && memcmp(target, eventfd, strlen(eventfd)) == 0
               ? CLINUX_DESCRIPTOR_EVENTFD
               : CLINUX_DESCRIPTOR_OTHER;
}
