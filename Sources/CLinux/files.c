#define _GNU_SOURCE
#include "clinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

int64_t clinux_file_read(const char *path, void *buffer, size_t capacity) {
    /* O_NONBLOCK: opening and reading a FIFO does not wait for its writer. O_NOCTTY: a terminal does not become ours. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    size_t done = 0;
    int64_t result = 0;
    for (;;) {
        char beyond;
        bool full = done == capacity;
        ssize_t count = read(fd, full ? &beyond : (char *)buffer + done, full ? 1 : capacity - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            result = -errno;
        else if (count > 0 && full)
            result = -EFBIG;
        else if (count > 0) {
            done += (size_t)count;
            continue;
        } else
            result = (int64_t)done;
        break;
    }
    close(fd);
    return result;
}

int64_t clinux_directory_read(const char *path, char *names, size_t capacity) {
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -errno;
    size_t used = 0;
    int64_t result = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            result = errno != 0 ? -errno : (int64_t)used;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        size_t size = strlen(entry->d_name) + 1;
        if (size > capacity - used) {
            result = -E2BIG;
            break;
        }
        memcpy(names + used, entry->d_name, size);
        used += size;
    }
    closedir(directory);
    return result;
}

/* The bytes that an entry of passwd or group may have: a group of thousands of members fits. */
enum { SMALLEST_ENTRY = 1 << 10, LARGEST_ENTRY = 1 << 20 };

/* Looks an entry up with one of getpwnam_r and getgrnam_r: its number, or the error. */
typedef int lookup(const char *name, char *buffer, size_t size, uint32_t *id);

static int user(const char *name, char *buffer, size_t size, uint32_t *id) {
    struct passwd entry, *found = NULL;
    int error = getpwnam_r(name, &entry, buffer, size, &found);
    if (found != NULL)
        *id = entry.pw_uid;
    return found != NULL ? 0 : error != 0 ? error : ENOENT;
}

static int group(const char *name, char *buffer, size_t size, uint32_t *id) {
    struct group entry, *found = NULL;
    int error = getgrnam_r(name, &entry, buffer, size, &found);
    if (found != NULL)
        *id = entry.gr_gid;
    return found != NULL ? 0 : error != 0 ? error : ENOENT;
}

static int look_up(lookup *lookup, const char *name, uint32_t *id) {
    for (size_t size = SMALLEST_ENTRY; size <= LARGEST_ENTRY; size *= 4) {
        char *buffer = malloc(size);
        if (buffer == NULL)
            return -ENOMEM;
        int error = lookup(name, buffer, size, id);
        free(buffer);
        if (error != ERANGE)
            return -error;
    }
    return -ERANGE;
}

int clinux_user_id(const char *name, uint32_t *id) { return look_up(user, name, id); }

int clinux_group_id(const char *name, uint32_t *id) { return look_up(group, name, id); }
