/* The connection: a socket, and one request at a time on it. */
#define _GNU_SOURCE
#include "smmu_broker_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"

/* The largest errno that a reply may have, as for system calls. */
#define MAXIMUM_STATUS 4095u

/* ---- Open and close ---------------------------------------------------------------------------------------------- */

static void start(struct smmu_broker_client *client, int fd) {
    memset(client, 0, offsetof(struct smmu_broker_client, packet)); /* which is written before it is read */
    client->fd = fd;
    client->timeout_ms = -1;
}

int smmu_broker_connect(struct smmu_broker_client *client, const char *path) {
    start(client, -1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length + 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int status;
    do
        status = connect(fd, (const struct sockaddr *)&address, sizeof address);
    while (status < 0 && errno == EINTR);
    if (status < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    client->fd = fd;
    return 0;
}

int smmu_broker_adopt(struct smmu_broker_client *client, int fd) {
    start(client, -1);
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return errno == ENOTSOCK ? -EPROTOTYPE : -errno;
    struct sockaddr_storage peer;
    size = sizeof peer;
    if (type != SOCK_SEQPACKET)
        return -EPROTOTYPE;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
        return -errno;
    if (peer.ss_family != AF_UNIX)
        return -EPROTOTYPE;
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
        return -errno;
    client->fd = fd;
    return 0;
}

void smmu_broker_close(struct smmu_broker_client *client) {
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

const char *smmu_broker_error_text(const struct smmu_broker_client *client) { return client->error_text; }

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* Keeps as much of a sentence as there is room for, up to the end of a character. */
static void keep_text(struct smmu_broker_client *client, const char *text, size_t size) {
    if (size >= sizeof client->error_text) {
        size = sizeof client->error_text - 1;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
            size--;
    }
    memcpy(client->error_text, text, size);
    client->error_text[size] = 0;
}

static int failed(struct smmu_broker_client *client, int error, const char *text) {
    keep_text(client, text, strlen(text));
    return error;
}

int smmu_broker_protocol_error(struct smmu_broker_client *client, const char *text) {
    client->broken = 1;
    client->reason = SMMU_BROKER_REASON_NONE;
    client->cerror = SMMU_BROKER_CERROR_NONE;
    client->completed = 0;
    return failed(client, -EPROTO, text);
}

static int failed_call(struct smmu_broker_client *client, int error) {
    if (error == -ETIMEDOUT)
        return failed(client, error, "The broker did not answer in time.");
    if (error == -EPIPE || error == -ECONNRESET)
        return failed(client, error, "The broker closed the connection.");
    return failed(client, error, "A system call on the broker's socket failed.");
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Waits until the socket is ready for `events`, or has ended; `deadline` in milliseconds, negative: none. */
static int wait_for(int fd, short events, int64_t deadline) {
    for (;;) {
        int timeout = -1;
        if (deadline >= 0) {
            int64_t left = deadline - now_ms();
            timeout = left > 0 ? (int)left : 0;
        }
        struct pollfd entry = {.fd = fd, .events = events};
        int ready = poll(&entry, 1, timeout);
        if (ready > 0)
            return (entry.revents & POLLNVAL) != 0 ? -EBADF : 0;
        if (ready == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

static int send_packet(int fd, const struct smmu_broker_exchange *exchange, int64_t deadline) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * SMMU_BROKER_MAXIMUM_FDS)];
        struct cmsghdr align;
    } control;
    struct iovec parts[2] = {
        {.iov_base = exchange->request, .iov_len = exchange->request_size},
        {.iov_base = (void *)(uintptr_t)exchange->tail, .iov_len = exchange->tail_size},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = exchange->tail_size > 0 ? 2 : 1};
    if (exchange->fd_count > 0) {
        size_t bytes = sizeof(int) * exchange->fd_count;
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(header), exchange->fds, bytes);
    }
    for (;;) {
        if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno == EAGAIN) {
            int error = wait_for(fd, POLLOUT, deadline);
            if (error < 0)
                return error;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

/* ---- Receiving --------------------------------------------------------------------------------------------------- */

struct received {
    size_t size;
    bool truncated;
    bool fds_truncated;
    uint32_t fd_count; /* that came, those included that are closed already */
    int fd;            /* the first, or -1 */
};

/* Keeps the first descriptor that came and closes all others. */
static void take_fds(const struct cmsghdr *header, struct received *received) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || header->cmsg_len < CMSG_LEN(0))
        return;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        if (received->fd_count++ == 0)
            received->fd = fd;
        else
            close(fd);
    }
}

static int receive_packet(struct smmu_broker_client *client, struct received *received, int64_t deadline) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * SMMU_BROKER_MAXIMUM_FDS)];
        struct cmsghdr align;
    } control;
    struct iovec vector = {.iov_base = client->packet.bytes, .iov_len = sizeof client->packet.bytes};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    for (;;) {
        int error = wait_for(client->fd, POLLIN, deadline);
        if (error < 0)
            return error;
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        ssize_t size = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (size < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (size < 0)
            return -errno;
        *received = (struct received){
            .size = (size_t)size,
            .truncated = (message.msg_flags & MSG_TRUNC) != 0,
            .fds_truncated = (message.msg_flags & MSG_CTRUNC) != 0,
            .fd = -1,
        };
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header))
            take_fds(header, received);
        if (size == 0 && received->fd_count == 0)
            return -ECONNRESET;
        return 0;
    }
}

/* Why a packet is no reply at all; NULL when it is one. */
static const char *header_fault(const struct smmu_broker_client *client, const struct received *received) {
    const struct smmu_broker_reply *reply = &client->packet.reply;
    if (received->size < sizeof *reply)
        return "The broker's reply is shorter than its header.";
    if (received->truncated || received->size > SMMU_BROKER_MAXIMUM_PACKET)
        return "The broker's reply is longer than a packet may be.";
    if (reply->size != received->size)
        return "The broker's reply has another size than it says.";
    if (reply->cookie != client->answered + 1)
        return "The broker's reply is to another request.";
    return NULL;
}

/* Why a reply is not one to this request; NULL when it is. */
static const char *reply_fault(
    const struct smmu_broker_reply *reply, const struct received *received,
    const struct smmu_broker_exchange *exchange) {
    if (reply->type != (exchange->type | SMMU_BROKER_REPLY))
        return "The broker's reply is of another type than the request.";
    bool refused = reply->status != 0;
    uint32_t allowed_fds = !refused && exchange->received_fd != NULL ? 1 : 0;
    if (received->fd_count > allowed_fds || (received->fds_truncated && received->fd_count == allowed_fds))
        return "The broker's reply has a file descriptor too many.";
    if (reply->completed > exchange->command_count || reply->cerror > SMMU_BROKER_CERROR_ATC_INV_SYNC)
        return "The broker's reply claims progress or an error that cannot be.";
    if (refused) {
        if (reply->status > MAXIMUM_STATUS)
            return "The broker's reply has a status that is no errno.";
        if (reply->size - sizeof *reply != reply->text_size)
            return "The broker's refusal has a sentence of another length than it says.";
        return NULL;
    }
    if (reply->text_size != 0 || reply->reason != SMMU_BROKER_REASON_NONE || reply->cerror != SMMU_BROKER_CERROR_NONE
        || reply->completed != exchange->command_count)
        return "The broker's reply is a success and a failure at once.";
    if (reply->size < exchange->minimum_reply || reply->size > exchange->maximum_reply)
        return "The broker's reply has not the size of its type.";
    return NULL;
}

/* Receives until the reply to the last request is there; those to earlier ones that timed out are dropped. */
static int receive_reply(struct smmu_broker_client *client, struct received *received, int64_t deadline) {
    for (;;) {
        int error = receive_packet(client, received, deadline);
        if (error < 0)
            return failed_call(client, error);
        const char *fault = header_fault(client, received);
        client->answered++;
        if (fault == NULL && client->answered == client->sent)
            return 0;
        if (received->fd >= 0)
            close(received->fd);
        if (fault != NULL)
            return smmu_broker_protocol_error(client, fault);
    }
}

static int judge(
    struct smmu_broker_client *client, struct received *received, const struct smmu_broker_exchange *exchange) {
    const struct smmu_broker_reply *reply = &client->packet.reply;
    const char *fault = reply_fault(reply, received, exchange);
    if (fault == NULL && reply->status == 0) {
        client->completed = reply->completed;
        if (exchange->received_fd != NULL && received->fds_truncated && received->fd < 0)
            return failed(client, -EMFILE, "This process has no room for the file descriptor that the broker sent.");
        if (exchange->received_fd != NULL)
            *exchange->received_fd = received->fd;
        return (int)reply->size;
    }
    if (received->fd >= 0)
        close(received->fd);
    if (fault != NULL)
        return smmu_broker_protocol_error(client, fault);
    client->reason = reply->reason;
    client->cerror = reply->cerror;
    client->completed = reply->completed;
    keep_text(client, (const char *)client->packet.bytes + sizeof *reply, reply->text_size);
    return -(int)reply->status;
}

int smmu_broker_exchange(struct smmu_broker_client *client, const struct smmu_broker_exchange *exchange) {
    if (client->broken != 0)
        return -EPROTO;
    client->reason = SMMU_BROKER_REASON_NONE;
    client->cerror = SMMU_BROKER_CERROR_NONE;
    client->completed = 0;
    client->error_text[0] = 0;
    *exchange->request = (struct smmu_broker_request){
        .type = exchange->type,
        .size = exchange->request_size + exchange->tail_size,
        .cookie = client->sent + 1,
    };
    int64_t deadline = client->timeout_ms < 0 ? -1 : now_ms() + client->timeout_ms;
    int error = send_packet(client->fd, exchange, deadline);
    if (error < 0)
        return failed_call(client, error);
    client->sent++;
    struct received received = {.fd = -1};
    error = receive_reply(client, &received, deadline);
    return error < 0 ? error : judge(client, &received, exchange);
}
