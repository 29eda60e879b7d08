/*
 * What a daemon asks of its own process, of the process at the other end of a socket, and of descriptors that it was
 * passed. As in clinux.h every function returns a value that is not negative, or -errno.
 */
#ifndef CLINUX_PROCESS_H
#define CLINUX_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/* ---- This process ------------------------------------------------------------------------------------------------ */

/* Raises the soft limit of open files to the hard one; the limit from then on. */
int64_t clinux_raise_file_limit(void);
/* At most `count` heaps of malloc for all threads together. */
int clinux_limit_heaps(int count);
/* Writing to a closed pipe is an error then, and no signal. */
int clinux_ignore_broken_pipes(void);
/* A descriptor that stands for nothing. */
int clinux_open_null(void);
/* Reads at most `capacity` bytes of a file of the kernel's, from its start; the number of bytes. */
int64_t clinux_read_start(const char *path, void *bytes, size_t capacity);

/* Private memory of at least `length` bytes, in whole pages that exist once they are touched. */
int clinux_pages(size_t length, void **address);

/* ---- Peers and what they pass ------------------------------------------------------------------------------------ */

/* Supplementary groups of whoever connected, as the kernel noted them; how many there are. -ERANGE: more than fit. */
int clinux_socket_peer_groups(int fd, uint32_t *groups, size_t capacity);

enum clinux_descriptor_kind {
    CLINUX_DESCRIPTOR_OTHER = 0,
    /* One end of a pair of AF_UNIX, SOCK_SEQPACKET sockets: its peer has no name. */
    CLINUX_DESCRIPTOR_SEQPACKET = 1,
    CLINUX_DESCRIPTOR_EVENTFD = 2,
};

/* What kind of descriptor this is, of those that are not memory. */
int clinux_descriptor_kind(int fd);

#endif
