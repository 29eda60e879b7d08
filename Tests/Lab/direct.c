/* direct.c: what a VMM does with iommufd that has no broker: the yardstick of measure.c. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "CIOMMUFD.h"
#include "lab.h"

static void call(const char *what, int fd, unsigned int request, void *argument) {
    if (ioctl(fd, request, argument) < 0)
        need(what, false, "%s", strerror(errno));
}

static int open_file(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        need(path, false, "%s", strerror(errno));
    return fd;
}

/* /dev/vfio/devices/vfioN */
static int open_device(const char *address) {
    char path[300];
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/vfio-dev", address);
    DIR *directory = opendir(path);
    if (directory == NULL)
        need(path, false, "%s", strerror(errno));
    path[0] = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (strncmp(entry->d_name, "vfio", 4) == 0)
            snprintf(path, sizeof path, "/dev/vfio/devices/%s", entry->d_name);
    closedir(directory);
    return open_file(path);
}

static uint32_t make_nested(struct direct *direct, const uint64_t ste[8]) {
    struct ciommufd_hwpt_arm_smmuv3 words = {{ste[0], ste[1]}};
    struct ciommufd_hwpt_alloc nested = {.size = sizeof nested, .dev_id = direct->device, .pt_id = direct->viommu,
        .data_type = CIOMMUFD_HWPT_DATA_ARM_SMMUV3, .data_len = sizeof words, .data_uptr = (uintptr_t)&words};
    call("direct: a nested stage 1", direct->iommu, CIOMMUFD_HWPT_ALLOC, &nested);
    return nested.out_hwpt_id;
}

static void attach(struct direct *direct, uint32_t hwpt) {
    struct cvfio_device_attach_iommufd_pt attach = {.argsz = sizeof attach, .pt_id = hwpt};
    call("direct: attaching", direct->edu.device, CVFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

void direct_open(struct direct *direct, const char *address, int ram, uint32_t vsid, const uint64_t ste[8]) {
    *direct = (struct direct){.iommu = open_file("/dev/iommu")};
    int device = open_device(address);
    struct cvfio_device_bind_iommufd bind = {.argsz = sizeof bind, .iommufd = direct->iommu};
    call("direct: binding", device, CVFIO_DEVICE_BIND_IOMMUFD, &bind);
    direct->device = bind.out_devid;
    struct ciommufd_ioas_alloc ioas = {.size = sizeof ioas};
    call("direct: an IOAS", direct->iommu, CIOMMUFD_IOAS_ALLOC, &ioas);
    struct ciommufd_ioas_map_file map = {.size = sizeof map, .ioas_id = ioas.out_ioas_id, .fd = ram, .iova = RAM_BASE,
        .flags = CIOMMUFD_MAP_FIXED_IOVA | CIOMMUFD_MAP_WRITEABLE | CIOMMUFD_MAP_READABLE, .length = RAM_SIZE};
    call("direct: mapping memory", direct->iommu, CIOMMUFD_IOAS_MAP_FILE, &map);
    struct ciommufd_hwpt_alloc parent = {.size = sizeof parent, .flags = CIOMMUFD_HWPT_NEST_PARENT,
        .dev_id = direct->device, .pt_id = ioas.out_ioas_id};
    call("direct: a nest parent", direct->iommu, CIOMMUFD_HWPT_ALLOC, &parent);
    struct ciommufd_viommu_alloc viommu = {.size = sizeof viommu, .type = CIOMMUFD_VIOMMU_TYPE_ARM_SMMUV3,
        .dev_id = direct->device, .hwpt_id = parent.out_hwpt_id};
    call("direct: a vIOMMU", direct->iommu, CIOMMUFD_VIOMMU_ALLOC, &viommu);
    direct->viommu = viommu.out_viommu_id;
    struct ciommufd_vdevice_alloc vdevice = {.size = sizeof vdevice, .viommu_id = direct->viommu,
        .dev_id = direct->device, .virt_id = vsid};
    call("direct: a vDevice", direct->iommu, CIOMMUFD_VDEVICE_ALLOC, &vdevice);
    struct ciommufd_veventq_alloc events = {.size = sizeof events, .viommu_id = direct->viommu,
        .type = CIOMMUFD_VEVENTQ_TYPE_ARM_SMMUV3, .veventq_depth = 256};
    call("direct: an event queue", direct->iommu, CIOMMUFD_VEVENTQ_ALLOC, &events);
    direct->events = (int)events.out_veventq_fd;
    direct->edu.device = device;
    direct->nested = make_nested(direct, ste);
    attach(direct, direct->nested);
    need("direct: the device does DMA", edu_open(&direct->edu, device), "%s", strerror(errno));
}

void direct_set_ste(struct direct *direct, const uint64_t ste[8]) {
    uint32_t nested = make_nested(direct, ste);
    attach(direct, nested);
    struct ciommufd_destroy destroy = {.size = sizeof destroy, .id = direct->nested};
    call("direct: destroying", direct->iommu, CIOMMUFD_DESTROY, &destroy);
    direct->nested = nested;
}

void direct_invalidate(struct direct *direct, const struct smmu_broker_command *commands, uint32_t count) {
    struct ciommufd_hwpt_invalidate invalidate = {.size = sizeof invalidate, .hwpt_id = direct->viommu,
        .data_uptr = (uintptr_t)commands, .data_type = CIOMMUFD_INVALIDATE_DATA_ARM_SMMUV3,
        .entry_len = sizeof commands[0], .entry_num = count};
    call("direct: invalidating", direct->iommu, CIOMMUFD_HWPT_INVALIDATE, &invalidate);
}

uint32_t direct_drain(struct direct *direct) {
    struct {
        struct ciommufd_vevent_header header;
        struct ciommufd_vevent_arm_smmuv3 event;
    } records[64];
    ssize_t bytes = read(direct->events, records, sizeof records);
    return bytes > 0 ? (uint32_t)((size_t)bytes / sizeof records[0]) : 0;
}

void direct_close(struct direct *direct) {
    close(direct->events);
    edu_close(&direct->edu);
    close(direct->iommu);
}
