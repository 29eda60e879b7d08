/*
 * What Swift's Glibc module lacks: epoll, eventfd, timerfd, signalfd, memfd and its seals, and sockets that pass file
 * descriptors. Every function returns a value that is not negative, or -errno; none of them touches errno for its caller.
 *
 * This header defines no feature macros: those are for the .c files alone, else clang sees two versions of the C
 * library's types.
 */
#ifndef CLINUX_H
#define CLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- epoll --------------------------------------------------------------------------------------------------- */

enum {
    CLINUX_READABLE = 0x001,
    CLINUX_WRITABLE = 0x004,
    CLINUX_ERROR = 0x008,
    CLINUX_HANGUP = 0x010,
    CLINUX_PEER_CLOSED = 0x2000,
};

/* One ready descriptor: its events and what it was registered with. */
struct clinux_ready {
    uint64_t data;
    uint32_t events;
    uint32_t reserved;
};

int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int fd, uint32_t events, uint64_t data);
int clinux_epoll_modify(int epoll, int fd, uint32_t events, uint64_t data);
int clinux_epoll_remove(int epoll, int fd);
/* Waits at most `timeout_ms` (-1: for ever); returns how many of `ready` it filled. An interruption counts as none. */
int clinux_epoll_wait(int epoll, struct clinux_ready *ready, int capacity, int timeout_ms);

/* ---- eventfd, timerfd, signalfd: all close-on-exec and non-blocking ---------------------------------------------- */

int clinux_eventfd(void);
int clinux_eventfd_signal(int fd);
/* Takes the count; -EAGAIN when it is 0. */
int64_t clinux_eventfd_take(int fd);

/*
 * Signals eventfds that others hold too, who may make them blocking and their count full at any moment: a write would wait
 * for them then. The kernel itself does not, when it reports the end of an asynchronous operation (io_submit(2), aio_resfd).
 */
int clinux_signaller_open(uint64_t *context);
/* `ready`: a descriptor that can be written to, always. */
int clinux_signaller_signal(uint64_t context, int ready, int eventfd);
int clinux_signaller_close(uint64_t context);
/* For a kernel without them: asks first, and so waits only if the count is made full in just that moment. */
int clinux_eventfd_signal_if_room(int fd);

/* A timer of CLOCK_MONOTONIC. */
int clinux_timerfd(void);
/* Expires at `deadline_ns` of CLOCK_MONOTONIC; 0 disarms it. */
int clinux_timerfd_set(int fd, uint64_t deadline_ns);
/* Takes the number of expirations; -EAGAIN when there was none. */
int64_t clinux_timerfd_take(int fd);

/* Blocks `signals` in the calling thread (and those it starts) and makes a descriptor that reports them. */
int clinux_signalfd(const int *signals, size_t count);
/* The next signal's number; -EAGAIN when none is pending. */
int clinux_signalfd_take(int fd);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t clinux_monotonic_ns(void);
/* Nanoseconds of CLOCK_REALTIME. */
uint64_t clinux_realtime_ns(void);
/* Waits until `fd` is ready for CLINUX_READABLE or CLINUX_WRITABLE, or has ended: 1. After `timeout_ms` (-1: never): 0. */
int clinux_wait(int fd, uint32_t events, int timeout_ms);

/* ---- Sockets: AF_UNIX, SOCK_SEQPACKET, close-on-exec and non-blocking ------------------------------------------- */

enum {
    /* Descriptors that one packet may carry (the kernel's own limit is 253). */
    CLINUX_MAXIMUM_FDS = 16,
};

int clinux_socket_pair(int fds[2]);
/* Binds a listening socket to `path`, of which a leftover socket file is removed first. */
int clinux_socket_listen(const char *path, int backlog);
int clinux_socket_connect(const char *path);
int clinux_socket_accept(int fd);

struct clinux_credentials {
    uint32_t pid;
    uint32_t uid;
    uint32_t gid;
};

/* Who connected, as the kernel noted it then. */
int clinux_socket_peer(int fd, struct clinux_credentials *peer);

struct clinux_received {
    /* Bytes received; 0 from a peer that has closed. */
    int64_t bytes;
    /* Descriptors received, now the caller's; at most CLINUX_MAXIMUM_FDS. */
    int fds[CLINUX_MAXIMUM_FDS];
    uint32_t fd_count;
    /* The packet was larger than the buffer. */
    bool truncated;
    /* Descriptors were lost: more came than fit, or this process has no room for them. */
    bool fds_truncated;
};

/* Receives one packet; -EAGAIN when there is none. On an error no descriptor is left to the caller. */
int clinux_socket_receive(int fd, void *buffer, size_t capacity, struct clinux_received *received);
/* Sends one packet with `fd_count` descriptors; the bytes sent. Never raises SIGPIPE. */
int64_t clinux_socket_send(int fd, const void *bytes, size_t count, const int *fds, size_t fd_count);
/* Gives the socket a name of the kernel's choice. */
int clinux_socket_name(int fd);
/* Has nobody send to the socket any more, and drops what is in it, with the descriptors that came along. */
int clinux_socket_send_only(int fd);

/* ---- Files, users and groups ------------------------------------------------------------------------------------- */

/* Reads the file at `path` from its beginning; its bytes. -EFBIG when it has more than `capacity`, -EISDIR for a
 * directory; a FIFO without a writer is empty. Never waits for another process. */
int64_t clinux_file_read(const char *path, void *buffer, size_t capacity);
/* The names in the directory at `path`, each with its final 0, in no order; "." and ".." are left out. The bytes
 * written; -E2BIG when they are more than `capacity`. */
int64_t clinux_directory_read(const char *path, char *names, size_t capacity);

/* The number of a user or group by name; -ENOENT when there is none. May wait for whatever nsswitch.conf(5) names. */
int clinux_user_id(const char *name, uint32_t *id);
int clinux_group_id(const char *name, uint32_t *id);

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

enum {
    CLINUX_SEAL_SEAL = 0x1,
    CLINUX_SEAL_SHRINK = 0x2,
    CLINUX_SEAL_GROW = 0x4,
    CLINUX_SEAL_WRITE = 0x8,
};

/* A sealable memfd of `size` bytes. */
int clinux_memfd(const char *name, uint64_t size);
int clinux_seal(int fd, int seals);

enum clinux_file_kind {
    CLINUX_FILE_OTHER = 0,
    /* A memfd, or a file of a tmpfs. */
    CLINUX_FILE_SHMEM = 1,
    CLINUX_FILE_HUGETLB = 2,
    CLINUX_FILE_DMABUF = 3,
};

/* By st_mode of stat(2) and f_type of statfs(2). */
enum clinux_file_kind clinux_kind_of_file(uint32_t mode, uint64_t file_system);

struct clinux_file {
    uint64_t size;
    enum clinux_file_kind kind;
    /* CLINUX_SEAL_*; 0 for files that know no seals. */
    uint32_t seals;
    bool readable;
    bool writable;
};

/* What `fd` refers to. Errors only for a descriptor that is none. */
int clinux_file_inspect(int fd, struct clinux_file *file);

/* Maps `length` bytes shared; the address through `address`. */
int clinux_map(int fd, uint64_t offset, size_t length, bool writable, void **address);
int clinux_unmap(void *address, size_t length);

/* A word of shared memory, 4-byte aligned. What is loaded afterwards is no older than the word; whoever sees the word
 * stored sees all that was stored before it. */
uint32_t clinux_load_acquire(const void *word);
void clinux_store_release(void *word, uint32_t value);

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

/* Starts a thread that calls `entry(context)`; its handle through `thread`, for exactly one join or detach. Of `name`
 * 15 bytes count; a stack smaller than the system's least is made that. It inherits the signal mask. */
int clinux_thread_start(
    const char *name, size_t stack_size, void (*entry)(void *context), void *context, uint64_t *thread);
int clinux_thread_join(uint64_t thread);
int clinux_thread_detach(uint64_t thread);

int clinux_close(int fd);
/* A close-on-exec copy of `fd`. */
int clinux_duplicate(int fd);
/* Calls on the open file of `fd` that would wait fail with -EAGAIN from now on. */
int clinux_set_nonblocking(int fd);
/* The name of an error number, "EAGAIN"; NULL when it has none. */
const char *clinux_error_name(int error);
/* What the C library says of it, always a string. */
const char *clinux_error_text(int error);

#endif
