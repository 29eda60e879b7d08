#define _GNU_SOURCE
#include "clinux_path.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

int clinux_path_inspect(const char *path, struct clinux_path *found) {
    struct stat status;
    if (stat(path, &status) < 0)
        return -errno;
    *found = (struct clinux_path){.mode = status.st_mode, .uid = status.st_uid, .gid = status.st_gid};
    return 0;
}

int64_t clinux_link_read(const char *path, char *target, size_t capacity) {
    ssize_t count = readlink(path, target, capacity);
    if (count < 0)
        return -errno;
    return (size_t)count < capacity ? count : -ERANGE;
}
