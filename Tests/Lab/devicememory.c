/* devicememory.c: registers of one device as memory of the guest, for another device. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lab.h"

#define PLACE UINT64_C(0x90000000) /* IPA, and IOVA as long as the vSMMU is off */

/* Whether the device's DMA comes to the other one's registers and back. */
static bool reaches(struct vmm *vmm, struct edu *other, uint32_t value) {
    uint32_t *word = ram_at(PAGE(SCRATCH));
    *word = value;
    bool done = edu_read(&vmm->edu, PAGE(SCRATCH), 4) && edu_write(&vmm->edu, PLACE + EDU_INVERTED, 4);
    if (!done || (other != NULL && edu_inverted(other) != ~value))
        return false;
    *word = value;
    return edu_read(&vmm->edu, PLACE + EDU_INVERTED, 4) && edu_write(&vmm->edu, PAGE(SCRATCH), 4) && *word == ~value;
}

static int map(struct vmm *vmm, int buffer) {
    const uint32_t flags = SMMU_BROKER_MEMORY_READ | SMMU_BROKER_MEMORY_WRITE | SMMU_BROKER_MEMORY_DMABUF;
    return smmu_broker_client_memory_map(vmm->broker, buffer, PLACE, EDU_BAR_SIZE, 0, flags);
}

static int unmap(struct vmm *vmm) { return smmu_broker_client_memory_unmap(vmm->broker, PLACE, EDU_BAR_SIZE); }

/* The kernel says first who has made a dma-buf, and then the name that a user gave it. */
static bool exporter_comes_first(int buffer) {
    char path[64], text[1024] = "";
    const char *name = "exp_name:\tnobody";
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", buffer);
    if (ioctl(buffer, _IOW('b', 1, uint64_t), name) != 0)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    close(fd);
    const char *exporter = strstr(text, "exp_name:\tvfio_pci"), *given = strstr(text, name);
    return count > 0 && exporter != NULL && given != NULL && exporter < given;
}

static void check_reset_of(struct vmm *vmm, struct edu *other, int buffer) {
    int result = ioctl(other->device, VFIO_DEVICE_RESET, NULL) == 0 ? 0 : errno;
    check("the device that lends its registers can be reset", result == 0, "%s", strerror(result));
    check("after its reset they are not there, and do not come back", edu_enable(other, true) && !reaches(vmm, NULL, 3),
        "%s", "they are there");
    result = unmap(vmm);
    check("MEMORY_UNMAP of what the kernel has taken away", result == 0, "%s", smmu_broker_error_text(vmm->broker));
    result = map(vmm, buffer);
    check("mapped again, they are there", result == 0 && reaches(vmm, other, 4), "%d: %s", result,
        smmu_broker_error_text(vmm->broker));
}

static void check_disabled(struct vmm *vmm, struct edu *other, int buffer) {
    struct smmu_broker_context contexts[2];
    uint32_t generation;
    bool gone = edu_enable(other, false) && !reaches(vmm, NULL, 5);
    check("without its memory decoding they are not there", gone, "%s", "they are there");
    check("they do not come back with it", edu_enable(other, true) && !reaches(vmm, NULL, 6), "%s", "they are there");
    int result = smmu_broker_client_vsmmu_reset(vmm->broker, vmm->smmu.vsmmu, contexts, 2, &generation);
    check("VSMMU_RESET maps them again", result == 2 && reaches(vmm, other, 7), "%d: %s", result,
        smmu_broker_error_text(vmm->broker));
    edu_enable(other, false);
    result = smmu_broker_client_vsmmu_reset(vmm->broker, vmm->smmu.vsmmu, contexts, 2, &generation);
    check("VSMMU_RESET while its memory is disabled leaves them out", result == 2 && !reaches(vmm, NULL, 8), "%d",
        result);
    int unmapped = unmap(vmm), mapped = map(vmm, buffer);
    check("and MEMORY_MAP is refused then", unmapped == 0 && mapped != 0, "%d, then %d", unmapped, mapped);
    note("the broker says: %s", smmu_broker_error_text(vmm->broker));
    edu_enable(other, true);
    result = map(vmm, buffer);
    check("and done afterwards", result == 0 && reaches(vmm, other, 9), "%d: %s", result,
        smmu_broker_error_text(vmm->broker));
}

void check_device_memory(struct vmm *vmm, const char *address) {
    struct vmm other = *vmm;
    other.vsid++;
    other.address = address;
    vmm_attach(&other);
    int buffer = edu_export(&other.edu);
    if (buffer < 0) {
        note("skipped: this kernel lends no registers as a dma-buf: %s", strerror(-buffer));
        edu_close(&other.edu);
        return;
    }
    check("fdinfo says who has made a dma-buf, before any name that it was given", exporter_comes_first(buffer), "%s",
        "it does not");
    int result = map(vmm, buffer);
    need("MEMORY_MAP of a device's registers", result == 0, "%s", smmu_broker_error_text(vmm->broker));
    check("another device's DMA reaches them", reaches(vmm, &other.edu, 2), "%s", "it does not");
    check_reset_of(vmm, &other.edu, buffer);
    check_disabled(vmm, &other.edu, buffer);
    result = smmu_broker_client_device_detach(vmm->broker, vmm->smmu.vsmmu, other.vsid);
    edu_close(&other.edu);
    check("with the last descriptor of their device they are gone", result == 0 && !reaches(vmm, NULL, 10), "%d",
        result);
    result = unmap(vmm);
    check("MEMORY_UNMAP of what is gone", result == 0, "%s", smmu_broker_error_text(vmm->broker));
    close(buffer);
}
