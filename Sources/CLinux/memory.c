#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

_Static_assert(CLINUX_SEAL_SEAL == F_SEAL_SEAL, "");
_Static_assert(CLINUX_SEAL_SHRINK == F_SEAL_SHRINK, "");
_Static_assert(CLINUX_SEAL_GROW == F_SEAL_GROW, "");
_Static_assert(CLINUX_SEAL_WRITE == F_SEAL_WRITE, "");

static int result(int value) { return value < 0 ? -errno : value; }

int clinux_memfd(const char *name, uint64_t size) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int clinux_seal(int fd, int seals) { return result(fcntl(fd, F_ADD_SEALS, seals)); }

enum clinux_file_kind clinux_kind_of_file(uint32_t mode, uint64_t file_system) {
    /* DMA_BUF_MAGIC of linux/magic.h. Its files have permissions and no type (fs/libfs.c, alloc_anon_inode). */
    if (file_system == 0x444d4142)
        return (mode & S_IFMT) == 0 || S_ISREG(mode) ? CLINUX_FILE_DMABUF : CLINUX_FILE_OTHER;
    if (!S_ISREG(mode))
        return CLINUX_FILE_OTHER;
    return file_system == TMPFS_MAGIC ? CLINUX_FILE_SHMEM
        : file_system == HUGETLBFS_MAGIC ? CLINUX_FILE_HUGETLB : CLINUX_FILE_OTHER;
}

int clinux_file_inspect(int fd, struct clinux_file *file) {
    struct stat status;
    struct statfs system;
    /* Before the size: what is sealed by then is as large as it is found to be, ever after. */
    int seals = fcntl(fd, F_GET_SEALS);
    int mode = fcntl(fd, F_GETFL);
    if (mode < 0 || fstat(fd, &status) < 0 || fstatfs(fd, &system) < 0)
        return -errno;
    memset(file, 0, sizeof *file);
    file->size = status.st_size < 0 ? 0 : (uint64_t)status.st_size;
    file->kind = clinux_kind_of_file((uint32_t)status.st_mode, (uint64_t)system.f_type);
    file->seals = seals < 0 ? 0 : (uint32_t)seals;
    int access = mode & O_ACCMODE;
    /* A descriptor opened with O_PATH can do neither. */
    file->readable = (mode & O_PATH) == 0 && (access == O_RDONLY || access == O_RDWR);
    file->writable = (mode & O_PATH) == 0 && (access == O_WRONLY || access == O_RDWR);
    return 0;
}

int clinux_map(int fd, uint64_t offset, size_t length, bool writable, void **address) {
    void *mapped = mmap(NULL, length, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, (off_t)offset);
    if (mapped == MAP_FAILED)
        return -errno;
    *address = mapped;
    return 0;
}

int clinux_unmap(void *address, size_t length) { return result(munmap(address, length)); }

/* Words of memory that is nobody's object: the builtins take any, C11's functions only _Atomic ones. */
uint32_t clinux_load_acquire(const void *word) { return __atomic_load_n((const uint32_t *)word, __ATOMIC_ACQUIRE); }

void clinux_store_release(void *word, uint32_t value) { __atomic_store_n((uint32_t *)word, value, __ATOMIC_RELEASE); }

int clinux_close(int fd) { return result(close(fd)); }

int clinux_duplicate(int fd) { return result(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

int clinux_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -errno : result(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

const char *clinux_error_name(int error) { return strerrorname_np(error); }

const char *clinux_error_text(int error) {
    const char *text = strerrordesc_np(error);
    return text == NULL ? "Unknown error" : text;
}
