/* edu.c: the device, through VFIO. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "CIOMMUFD.h"
#include "lab.h"

enum { BAR_SIZE = EDU_BAR_SIZE, BUFFER = 0x40000 };
/* Registers. */
enum { ID = 0x00, INVERTED = 0x04, STATUS = 0x24, RAISE = 0x60, ACKNOWLEDGE = 0x64, SOURCE = 0x80, TARGET = 0x88, COUNT = 0x90,
    COMMAND = 0x98 };
enum { START = 1, TO_MEMORY = 2 };

static uint32_t get32(struct edu *edu, uint32_t offset) { return *(volatile uint32_t *)(edu->bar + offset); }
static void set32(struct edu *edu, uint32_t offset, uint32_t value) {
    *(volatile uint32_t *)(edu->bar + offset) = value;
}
static void set64(struct edu *edu, uint32_t offset, uint64_t value) {
    *(volatile uint64_t *)(edu->bar + offset) = value;
}

/* Where a region is in the device's file; negative: there is none. */
static off_t region(int device, uint32_t index) {
    struct vfio_region_info info = {.argsz = sizeof info, .index = index};
    return ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) == 0 ? (off_t)info.offset : -1;
}

bool edu_open(struct edu *edu, int device) {
    edu->device = device;
    off_t registers = region(device, VFIO_PCI_BAR0_REGION_INDEX);
    if (registers < 0)
        return false;
    void *bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, device, registers);
    if (bar == MAP_FAILED)
        return false;
    edu->bar = bar;
    return edu_enable(edu, true) && (get32(edu, ID) & 0xffff) == 0x00ed;
}

bool edu_enable(struct edu *edu, bool memory) {
    off_t configuration = region(edu->device, VFIO_PCI_CONFIG_REGION_INDEX);
    /* The command register: memory decoding and bus mastering. */
    uint16_t value = 0;
    if (configuration < 0 || pread(edu->device, &value, sizeof value, configuration + 4) != sizeof value)
        return false;
    value = (uint16_t)(memory ? value | 6 : value & ~2);
    return pwrite(edu->device, &value, sizeof value, configuration + 4) == sizeof value;
}

int edu_export(struct edu *edu) {
    /* vfio_device_feature, vfio_device_feature_dma_buf, and a list of one range, one behind the other. */
    struct {
        uint32_t argsz, what;
        uint32_t region, open_flags, flags, ranges;
        uint64_t offset, length;
    } request = {.argsz = sizeof request, .what = CVFIO_FEATURE_GET | CVFIO_FEATURE_DMA_BUF,
        .region = VFIO_PCI_BAR0_REGION_INDEX, .open_flags = O_RDWR | O_CLOEXEC, .ranges = 1, .length = BAR_SIZE};
    int fd = ioctl(edu->device, VFIO_DEVICE_FEATURE, &request);
    return fd >= 0 ? fd : -errno;
}

uint32_t edu_inverted(struct edu *edu) { return get32(edu, INVERTED); }

void edu_close(struct edu *edu) {
    if (edu->bar != NULL)
        munmap((void *)(uintptr_t)edu->bar, BAR_SIZE);
    if (edu->device >= 0)
        close(edu->device);
    *edu = (struct edu){.device = -1};
}

static void start(struct edu *edu, uint64_t source, uint64_t target, uint64_t bytes, uint64_t command) {
    set64(edu, SOURCE, source);
    set64(edu, TARGET, target);
    set64(edu, COUNT, bytes);
    set64(edu, COMMAND, command | START);
}

bool edu_wait(struct edu *edu) {
    const struct timespec millisecond = {.tv_nsec = 1000000};
    for (int tries = 0; tries < 10000; tries++) {
        if ((*(volatile uint64_t *)(edu->bar + COMMAND) & START) == 0)
            return true;
        nanosleep(&millisecond, NULL);
    }
    return false;
}

bool edu_read(struct edu *edu, uint64_t iova, uint64_t bytes) {
    start(edu, iova, BUFFER, bytes, 0);
    return edu_wait(edu);
}

void edu_start_write(struct edu *edu, uint64_t iova, uint64_t bytes) { start(edu, BUFFER, iova, bytes, TO_MEMORY); }

bool edu_write(struct edu *edu, uint64_t iova, uint64_t bytes) {
    edu_start_write(edu, iova, bytes);
    return edu_wait(edu);
}

int edu_interrupts(struct edu *edu, int event_fd) {
    struct vfio_irq_set set = {.argsz = sizeof set, .index = VFIO_PCI_MSI_IRQ_INDEX};
    set.flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_NONE;
    int32_t fd = event_fd;
    if (event_fd >= 0) {
        set.argsz = sizeof set + sizeof fd;
        set.count = 1;
        set.flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
    }
    /* The descriptor stands right behind the structure. */
    unsigned char request[sizeof set + sizeof fd];
    memcpy(request, &set, sizeof set);
    memcpy(request + sizeof set, &fd, sizeof fd);
    return ioctl(edu->device, VFIO_DEVICE_SET_IRQS, request) == 0 ? 0 : -errno;
}

void edu_raise(struct edu *edu) { set32(edu, RAISE, 1); }
void edu_acknowledge(struct edu *edu) { set32(edu, ACKNOWLEDGE, get32(edu, STATUS)); }
