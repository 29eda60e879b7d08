/*
 * What a path leads to, without opening it, and what takes its place. As in clinux.h every function returns a value that is not negative, or -errno.
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
    /* st_ino: in sysfs another one each time that what it stands for is made anew. */
    uint64_t inode;
};

/* Looks at what is at `path`, symbolic links followed. */
int clinux_path_inspect(const char *path, struct clinux_path *found);
/* Where the symbolic link at `path` leads, without a final 0; its bytes. -ERANGE when they are `capacity` or more. */
int64_t clinux_link_read(const char *path, char *target, size_t capacity);
/* Puts a file of these bytes, readable by all, in the place of `path`: whoever opens it sees the old one or all of the new
 * one. The directory is where the new one is written first, as `path` with a suffix. -ENAMETOOLONG from 4088 bytes on. */
int clinux_file_replace(const char *path, const void *bytes, size_t count);

#endif
