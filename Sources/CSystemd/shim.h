/*
 * What the daemon uses of libsystemd. Its variadic functions and those that take struct iovec or arrays of C strings are
 * behind inline functions, so that Swift sees only bytes and numbers. All return a value that is not negative, or -errno.
 */
#ifndef CSYSTEMD_SHIM_H
#define CSYSTEMD_SHIM_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

enum {
    /* Fields that one journal entry may have. */
    CSYSTEMD_MAXIMUM_FIELDS = 32,
};

/* Sends one entry: `count` fields "NAME=value", one after the other in `bytes`, field i ending at `ends[i]`. */
static inline int csystemd_journal_send(const uint8_t *bytes, const size_t *ends, size_t count) {
    struct iovec fields[CSYSTEMD_MAXIMUM_FIELDS];
    if (count > CSYSTEMD_MAXIMUM_FIELDS)
        return -E2BIG;
    size_t start = 0;
    for (size_t i = 0; i < count; i++) {
        fields[i].iov_base = (void *)(uintptr_t)(bytes + start);
        fields[i].iov_len = ends[i] - start;
        start = ends[i];
    }
    return (sd_journal_sendv)(fields, (int)count);
}

/* The first descriptor that the service manager passes, and a list of their names for csystemd_names_free. */
enum { CSYSTEMD_LISTEN_FDS_START = SD_LISTEN_FDS_START };

static inline void csystemd_names_free(char **names) {
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        free(names[i]);
    free(names);
}

/* Whether `fd` is a socket: of AF_UNIX; of AF_UNIX and SOCK_SEQPACKET; and listening too. */
static inline int csystemd_is_unix(int fd) { return sd_is_socket(fd, AF_UNIX, 0, -1); }
static inline int csystemd_is_seqpacket(int fd) { return sd_is_socket_unix(fd, SOCK_SEQPACKET, -1, NULL, 0); }
static inline int csystemd_is_listening(int fd) { return sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0); }

#endif
