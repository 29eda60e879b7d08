#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int result(int value) { return value < 0 ? -errno : value; }

static int make_socket(void) { return result(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

static int make_address(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path)
        return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

/* Closes `fd` and returns the error that made its caller do so. */
static int give_up(int fd, int error) {
    close(fd);
    return -error;
}

int clinux_socket_pair(int fds[2]) {
    return result(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
}

int clinux_socket_listen(const char *path, int backlog) {
    struct sockaddr_un address;
    int error = make_address(path, &address);
    if (error < 0)
        return error;
    int fd = make_socket();
    if (fd < 0)
        return fd;
    /* A socket file that nobody listens on is what a killed predecessor left; any other file is not ours to remove. */
    struct stat old;
    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode)) {
        int probe = clinux_socket_connect(path);
        if (probe >= 0 || probe == -EAGAIN) {
            if (probe >= 0)
                close(probe);
            return give_up(fd, EADDRINUSE);
        }
        if (probe == -ECONNREFUSED)
            unlink(path);
    }
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, backlog) < 0)
        return give_up(fd, errno);
    return fd;
}

int clinux_socket_connect(const char *path) {
    struct sockaddr_un address;
    int error = make_address(path, &address);
    if (error < 0)
        return error;
    int fd = make_socket();
    if (fd < 0)
        return fd;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return give_up(fd, errno);
    return fd;
}

int clinux_socket_accept(int fd) { return result(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)); }

int clinux_socket_peer(int fd, struct clinux_credentials *peer) {
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return -errno;
    *peer = (struct clinux_credentials){
        .pid = (uint32_t)credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
    return 0;
}

/*
 * Moves the descriptors of a control message into `received`. The kernel's length is believed only as far as the
 * buffer and the header go; what does not fit is closed, so that no peer can make us leak.
 */
static void take_fds(const struct cmsghdr *control, struct clinux_received *received) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS || control->cmsg_len < CMSG_LEN(0))
        return;
    size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof fd);
        if (received->fd_count < CLINUX_MAXIMUM_FDS) {
            received->fds[received->fd_count++] = fd;
        } else {
            close(fd);
            received->fds_truncated = true;
        }
    }
}

int clinux_socket_receive(int fd, void *buffer, size_t capacity, struct clinux_received *received) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * CLINUX_MAXIMUM_FDS)];
        struct cmsghdr align;
    } control;
    struct iovec vector = {.iov_base = buffer, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t bytes;
    do
        bytes = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return -errno;
    received->bytes = bytes;
    received->fd_count = 0;
    received->truncated = (message.msg_flags & MSG_TRUNC) != 0;
    received->fds_truncated = (message.msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL; part = CMSG_NXTHDR(&message, part))
        take_fds(part, received);
    return 0;
}

int64_t clinux_socket_send(int fd, const void *bytes, size_t count, const int *fds, size_t fd_count) {
    if (fd_count > CLINUX_MAXIMUM_FDS)
        return -EINVAL;
    union {
        char bytes[CMSG_SPACE(sizeof(int) * CLINUX_MAXIMUM_FDS)];
        struct cmsghdr align;
    } control;
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (fd_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(part), fds, sizeof(int) * fd_count);
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int clinux_socket_name(int fd) {
    sa_family_t family = AF_UNIX;
    /* Without a path the kernel chooses an abstract name. */
    return result(bind(fd, (const struct sockaddr *)&family, sizeof family));
}

static int set_pass_credentials(int fd, int pass) {
    return result(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &pass, sizeof pass));
}

int clinux_socket_send_only(int fd) {
    if (shutdown(fd, SHUT_RD) < 0)
        return -errno;
    /* Credentials come with every packet, so that an empty one differs from the end. */
    int error = set_pass_credentials(fd, 1);
    if (error < 0)
        return error;
    for (;;) {
        char byte;
        struct iovec vector = {.iov_base = &byte, .iov_len = sizeof byte};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
        ssize_t bytes = recvmsg(fd, &message, MSG_DONTWAIT);
        if (bytes < 0 && errno == EINTR)
            continue;
        /* There is no room for what comes along: descriptors are closed by the kernel. */
        if (bytes < 0 || (bytes == 0 && (message.msg_flags & MSG_CTRUNC) == 0))
            break;
    }
    return set_pass_credentials(fd, 0);
}
