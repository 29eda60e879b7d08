#define _GNU_SOURCE
#include "clinux_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int clinux_path_inspect(const char *path, struct clinux_path *found) {
    struct stat status;
    if (stat(path, &status) < 0)
        return -errno;
    *found = (struct clinux_path){
        .mode = status.st_mode, .uid = status.st_uid, .gid = status.st_gid, .inode = status.st_ino};
    return 0;
}

int64_t clinux_link_read(const char *path, char *target, size_t capacity) {
    ssize_t count = readlink(path, target, capacity);
    if (count < 0)
        return -errno;
    return (size_t)count < capacity ? count : -ERANGE;
}

static int write_all(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t done = write(fd, bytes, count);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        bytes += done;
        count -= (size_t)done;
    }
    return fchmod(fd, 0644) < 0 ? -errno : 0;
}

int clinux_file_replace(const char *path, const void *bytes, size_t count) {
    char name[4096];
    int length = snprintf(name, sizeof name, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof name)
        return -ENAMETOOLONG;
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = write_all(fd, bytes, count);
    if (close(fd) < 0 && result == 0)
        result = -errno;
    if (result == 0 && rename(name, path) < 0)
        result = -errno;
    if (result < 0)
        unlink(name);
    return result;
}
