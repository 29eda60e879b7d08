/*
 * The interface of Linux to nested translation, as this project uses it: iommufd (linux/iommufd.h) and VFIO device files
 * (linux/vfio.h). Written from the kernel's documentation of the interface, so that it builds where the system's headers
 * are older than the kernel; a test compares every number with the kernel's own header.
 *
 * Numbers in structures have the machine's byte order, but for those marked le64, which are little-endian everywhere.
 * Unused fields are 0. Every function returns a value that is not negative, or -errno.
 */
#ifndef CIOMMUFD_H
#define CIOMMUFD_H

#include <stddef.h>
#include <stdint.h>

#define CIOMMUFD_LAYOUT(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#define CIOMMUFD_FIELD(type, field, place) _Static_assert(offsetof(struct type, field) == (place), #type "." #field)

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

enum {
    CIOMMUFD_DESTROY = 0x3b80,
    CIOMMUFD_IOAS_ALLOC = 0x3b81,
    CIOMMUFD_IOAS_ALLOW_IOVAS = 0x3b82,
    CIOMMUFD_IOAS_IOVA_RANGES = 0x3b84,
    CIOMMUFD_IOAS_UNMAP = 0x3b86,
    CIOMMUFD_OPTION = 0x3b87,
    CIOMMUFD_HWPT_ALLOC = 0x3b89,
    CIOMMUFD_GET_HW_INFO = 0x3b8a,
    CIOMMUFD_HWPT_INVALIDATE = 0x3b8d,
    CIOMMUFD_FAULT_QUEUE_ALLOC = 0x3b8e,
    CIOMMUFD_IOAS_MAP_FILE = 0x3b8f,
    CIOMMUFD_VIOMMU_ALLOC = 0x3b90,
    CIOMMUFD_VDEVICE_ALLOC = 0x3b91,
    CIOMMUFD_VEVENTQ_ALLOC = 0x3b93,

    CVFIO_DEVICE_GET_INFO = 0x3b6b,
    CVFIO_DEVICE_RESET = 0x3b6f,
    CVFIO_DEVICE_FEATURE = 0x3b75,
    CVFIO_DEVICE_BIND_IOMMUFD = 0x3b76,
    CVFIO_DEVICE_ATTACH_IOMMUFD_PT = 0x3b77,
    CVFIO_DEVICE_DETACH_IOMMUFD_PT = 0x3b78,
};

/* ---- Constants --------------------------------------------------------------------------------------------------- */

enum {
    CIOMMUFD_MAP_FIXED_IOVA = 1,
    CIOMMUFD_MAP_WRITEABLE = 2,
    CIOMMUFD_MAP_READABLE = 4,

    CIOMMUFD_HWPT_NEST_PARENT = 1,
    CIOMMUFD_HWPT_FAULT_ID_VALID = 4,

    CIOMMUFD_HWPT_DATA_NONE = 0,
    CIOMMUFD_HWPT_DATA_ARM_SMMUV3 = 2,
    CIOMMUFD_HW_INFO_TYPE_ARM_SMMUV3 = 2,
    CIOMMUFD_INVALIDATE_DATA_ARM_SMMUV3 = 1,
    CIOMMUFD_VIOMMU_TYPE_ARM_SMMUV3 = 1,
    CIOMMUFD_VEVENTQ_TYPE_ARM_SMMUV3 = 1,

    CIOMMUFD_HW_CAPABILITY_PCI_ATS_NOT_SUPPORTED = 8,
    /* Of the Arm data: each TLBI and CFGI has to be issued twice. */
    CIOMMUFD_HW_INFO_REPEAT_TLBI_CFGI = 1,

    CIOMMUFD_VEVENT_LOST_EVENTS = 1,
    CIOMMUFD_MAXIMUM_VEVENTQ_DEPTH = 524288,

    CIOMMUFD_OPTION_RLIMIT_MODE = 0,
    CIOMMUFD_OPTION_SET = 0,
    CIOMMUFD_OPTION_GET = 1,

    CIOMMUFD_PGFAULT_PASID_VALID = 1,
    CIOMMUFD_PGFAULT_LAST_PAGE = 2,
    CIOMMUFD_PGFAULT_PERM_READ = 1,
    CIOMMUFD_PGFAULT_PERM_WRITE = 2,
    CIOMMUFD_PGFAULT_PERM_EXEC = 4,
    CIOMMUFD_PGFAULT_PERM_PRIV = 8,
    CIOMMUFD_PAGE_RESPONSE_SUCCESS = 0,
    CIOMMUFD_PAGE_RESPONSE_INVALID = 1,

    CVFIO_DEVICE_FLAGS_RESET = 1,
    CVFIO_DEVICE_FLAGS_PCI = 2,
    CVFIO_FEATURE_GET = 0x10000,
    CVFIO_FEATURE_DMA_BUF = 11,
};

/* ---- iommufd ----------------------------------------------------------------------------------------------------- */

struct ciommufd_destroy {
    uint32_t size;
    uint32_t id;
};
CIOMMUFD_LAYOUT(ciommufd_destroy, 8);

struct ciommufd_ioas_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t out_ioas_id;
};
CIOMMUFD_LAYOUT(ciommufd_ioas_alloc, 12);

/* Inclusive at both ends. */
struct ciommufd_iova_range {
    uint64_t start;
    uint64_t last;
};
CIOMMUFD_LAYOUT(ciommufd_iova_range, 16);

/* RANGES: `num_iovas` is how many fit, and becomes how many there are. */
struct ciommufd_ioas_iova_ranges {
    uint32_t size;
    uint32_t ioas_id;
    uint32_t num_iovas;
    uint32_t reserved;
    uint64_t allowed_iovas;
    uint64_t out_iova_alignment;
};
CIOMMUFD_LAYOUT(ciommufd_ioas_iova_ranges, 32);

struct ciommufd_ioas_allow_iovas {
    uint32_t size;
    uint32_t ioas_id;
    uint32_t num_iovas;
    uint32_t reserved;
    uint64_t allowed_iovas;
};
CIOMMUFD_LAYOUT(ciommufd_ioas_allow_iovas, 24);

struct ciommufd_ioas_map_file {
    uint32_t size;
    uint32_t flags;
    uint32_t ioas_id;
    int32_t fd;
    uint64_t start;
    uint64_t length;
    uint64_t iova;
};
CIOMMUFD_LAYOUT(ciommufd_ioas_map_file, 40);
CIOMMUFD_FIELD(ciommufd_ioas_map_file, fd, 12);

struct ciommufd_ioas_unmap {
    uint32_t size;
    uint32_t ioas_id;
    uint64_t iova;
    uint64_t length;
};
CIOMMUFD_LAYOUT(ciommufd_ioas_unmap, 24);

struct ciommufd_option {
    uint32_t size;
    uint32_t option_id;
    uint16_t op;
    uint16_t reserved;
    uint32_t object_id;
    uint64_t val64;
};
CIOMMUFD_LAYOUT(ciommufd_option, 24);

struct ciommufd_hwpt_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t dev_id;
    uint32_t pt_id;
    uint32_t out_hwpt_id;
    uint32_t reserved;
    uint32_t data_type;
    uint32_t data_len;
    uint64_t data_uptr;
    uint32_t fault_id;
    uint32_t reserved2;
};
CIOMMUFD_LAYOUT(ciommufd_hwpt_alloc, 48);
CIOMMUFD_FIELD(ciommufd_hwpt_alloc, data_uptr, 32);

/* Words 0 and 1 of a nested STE, le64. */
struct ciommufd_hwpt_arm_smmuv3 {
    uint64_t ste[2];
};
CIOMMUFD_LAYOUT(ciommufd_hwpt_arm_smmuv3, 16);

struct ciommufd_hw_info {
    uint32_t size;
    uint32_t flags;
    uint32_t dev_id;
    uint32_t data_len;
    uint64_t data_uptr;
    uint32_t data_type;
    uint8_t out_max_pasid_log2;
    uint8_t reserved[3];
    uint64_t out_capabilities;
};
CIOMMUFD_LAYOUT(ciommufd_hw_info, 40);
CIOMMUFD_FIELD(ciommufd_hw_info, data_type, 24);
CIOMMUFD_FIELD(ciommufd_hw_info, out_max_pasid_log2, 28);

struct ciommufd_hw_info_arm_smmuv3 {
    uint32_t flags;
    uint32_t reserved;
    uint32_t idr[6];
    uint32_t iidr;
    uint32_t aidr;
};
CIOMMUFD_LAYOUT(ciommufd_hw_info_arm_smmuv3, 40);

struct ciommufd_hwpt_invalidate {
    uint32_t size;
    uint32_t hwpt_id;
    uint64_t data_uptr;
    uint32_t data_type;
    uint32_t entry_len;
    uint32_t entry_num;
    uint32_t reserved;
};
CIOMMUFD_LAYOUT(ciommufd_hwpt_invalidate, 32);

/* One command, le64. */
struct ciommufd_viommu_arm_smmuv3_invalidate {
    uint64_t cmd[2];
};
CIOMMUFD_LAYOUT(ciommufd_viommu_arm_smmuv3_invalidate, 16);

struct ciommufd_fault_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t out_fault_id;
    uint32_t out_fault_fd;
};
CIOMMUFD_LAYOUT(ciommufd_fault_alloc, 16);

struct ciommufd_hwpt_pgfault {
    uint32_t flags;
    uint32_t dev_id;
    uint32_t pasid;
    uint32_t grpid;
    uint32_t perm;
    uint32_t reserved;
    uint64_t addr;
    uint32_t length;
    uint32_t cookie;
};
CIOMMUFD_LAYOUT(ciommufd_hwpt_pgfault, 40);

struct ciommufd_hwpt_page_response {
    uint32_t cookie;
    uint32_t code;
};
CIOMMUFD_LAYOUT(ciommufd_hwpt_page_response, 8);

struct ciommufd_viommu_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t type;
    uint32_t dev_id;
    uint32_t hwpt_id;
    uint32_t out_viommu_id;
    uint32_t data_len;
    uint32_t reserved;
    uint64_t data_uptr;
};
CIOMMUFD_LAYOUT(ciommufd_viommu_alloc, 40);

struct ciommufd_vdevice_alloc {
    uint32_t size;
    uint32_t viommu_id;
    uint32_t dev_id;
    uint32_t out_vdevice_id;
    uint64_t virt_id;
};
CIOMMUFD_LAYOUT(ciommufd_vdevice_alloc, 24);

struct ciommufd_veventq_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t viommu_id;
    uint32_t type;
    uint32_t veventq_depth;
    uint32_t out_veventq_id;
    uint32_t out_veventq_fd;
    uint32_t reserved;
};
CIOMMUFD_LAYOUT(ciommufd_veventq_alloc, 32);

/* Before each record of a vEVENTQ; alone, with LOST_EVENTS, instead of records that are lost. */
struct ciommufd_vevent_header {
    uint32_t flags;
    uint32_t sequence;
};
CIOMMUFD_LAYOUT(ciommufd_vevent_header, 8);

/* An event record, le64. */
struct ciommufd_vevent_arm_smmuv3 {
    uint64_t evt[4];
};
CIOMMUFD_LAYOUT(ciommufd_vevent_arm_smmuv3, 32);

/* ---- VFIO devices ------------------------------------------------------------------------------------------------ */

struct cvfio_device_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t num_regions;
    uint32_t num_irqs;
    uint32_t cap_offset;
    uint32_t pad;
};
CIOMMUFD_LAYOUT(cvfio_device_info, 24);

struct cvfio_device_bind_iommufd {
    uint32_t argsz;
    uint32_t flags;
    int32_t iommufd;
    uint32_t out_devid;
    uint64_t token_uuid_ptr;
};
CIOMMUFD_LAYOUT(cvfio_device_bind_iommufd, 24);

struct cvfio_device_attach_iommufd_pt {
    uint32_t argsz;
    uint32_t flags;
    uint32_t pt_id;
    uint32_t pasid;
};
CIOMMUFD_LAYOUT(cvfio_device_attach_iommufd_pt, 16);

struct cvfio_device_detach_iommufd_pt {
    uint32_t argsz;
    uint32_t flags;
    uint32_t pasid;
};
CIOMMUFD_LAYOUT(cvfio_device_detach_iommufd_pt, 12);

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

/* `argument` points to the structure of `request`, its size filled in. */
int ciommufd_ioctl(int fd, unsigned int request, void *argument);
/* Opens a device file for reading and writing, close-on-exec. */
int ciommufd_open(const char *path);
/* Reads what there is; 0: nothing at the moment. */
int64_t ciommufd_read(int fd, void *bytes, size_t count);
int64_t ciommufd_write(int fd, const void *bytes, size_t count);

#endif
