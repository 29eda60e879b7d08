#define _GNU_SOURCE
#include "CIOMMUFD.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

int ciommufd_ioctl(int fd, unsigned int request, void *argument) {
    int result = ioctl(fd, (unsigned long)request, argument);
    return result < 0 ? -errno : result;
}

int ciommufd_open(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int64_t ciommufd_read(int fd, void *bytes, size_t count) {
    ssize_t got = read(fd, bytes, count);
    return got < 0 ? -errno : got;
}

int64_t ciommufd_write(int fd, const void *bytes, size_t count) {
    ssize_t done = write(fd, bytes, count);
    return done < 0 ? -errno : done;
}
