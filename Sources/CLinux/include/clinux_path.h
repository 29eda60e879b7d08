/*
 * What a path leads to, without opening it. As in clinux.h every function returns a value that is not negative, or -errno.
 */
#ifndef CLINUX_PATH_H
#define CLINUX_PATH_H

#include <stddef.h>
#include <stdint.h>

struct clinux_path {
    /* st_mode: type and permissions. */
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
};

/* Looks at what is at `path`, symbolic links followed. */
int clinux_path_inspect(const char *path, struct clinux_path *found);
/* Where the symbolic link at `path` leads, without a final 0; its bytes. -ERANGE when they are `capacity` or more. */
int64_t clinux_link_read(const char *path, char *target, size_t capacity);

#endif
