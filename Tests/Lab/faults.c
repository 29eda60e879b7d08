/* faults.c: what the guest is told of, and the ends of things. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "CIOMMUFD.h"
#include "lab.h"

enum { C_BAD_CD = 0x0a, F_TRANSLATION = 0x10, F_PERMISSION = 0x13 };
/* Milliseconds for what has to come: the machine may be one of many on a busy host. */
enum { PATIENCE = 20000 };
#define EVENT_READ (UINT64_C(1) << 35)

/* The next record is this one, of our stream, and there is no other: one for each access of four bytes. */
static void expect(struct vmm *vmm, const char *name, uint32_t id, uint64_t address, bool read) {
    struct event event;
    bool came = vmm_event(vmm, &event, PATIENCE);
    const uint64_t *words = event.record.words;
    bool same = came && event.lost == 0 && (words[0] & 0xff) == id && words[0] >> 32 == vmm->vsid;
    if (id != C_BAD_CD)
        same = same && words[2] == address && ((words[1] & EVENT_READ) != 0) == read;
    uint64_t more = vmm_drain(vmm);
    check(name, same && more == 0, "%s %016llx %016llx %016llx %016llx, and %llu more",
        came ? "there is" : "there is none", (unsigned long long)words[0], (unsigned long long)words[1],
        (unsigned long long)words[2],
        (unsigned long long)words[3], (unsigned long long)more);
}

void check_faults(struct vmm *vmm) {
    vmm_drain(vmm);
    edu_read(&vmm->edu, IOVA(900), 4);
    expect(vmm, "a read of what is not mapped is F_TRANSLATION", F_TRANSLATION, IOVA(900), true);
    edu_write(&vmm->edu, IOVA(901) + 8, 4);
    expect(vmm, "a write to what is not mapped is F_TRANSLATION", F_TRANSLATION, IOVA(901) + 8, false);
    set_page(&vmm->a, IOVA(902), PAGE(50) | PTE_READ_ONLY);
    edu_write(&vmm->edu, IOVA(902), 4);
    expect(vmm, "a write to what is only read is F_PERMISSION", F_PERMISSION, IOVA(902), false);
    check("and what is only read stays as it is", holds(PAGE(50), 50, 4096), "%s", "the page has changed");
    uint64_t ste[8];
    make_ste(ste, STE_STAGE1, CD_INVALID);
    vmm_set_ste(vmm, ste, NULL);
    edu_read(&vmm->edu, IOVA(3), 4);
    expect(vmm, "a CD with V 0 is C_BAD_CD", C_BAD_CD, 0, true);
    make_ste(ste, STE_STAGE1, CD_A);
    vmm_set_ste(vmm, ste, NULL);
}

/* A VMM that does not read: the broker stops taking events from the kernel, whose queue runs over. */
void check_overflow(struct vmm *vmm) {
    enum { TRANSFERS = 6 };
    struct event event;
    uint64_t received = 0, lost = 0, markers = 0, raised = 0, wrong = 0;
    vmm_drain(vmm);
    for (int n = 0; n < TRANSFERS; n++) {
        edu_read(&vmm->edu, IOVA(910 + n), 4096);
        raised += 1024;
    }
    while (received + lost < raised && vmm_event(vmm, &event, PATIENCE)) {
        lost += event.lost;
        markers += event.lost != 0;
        if (event.lost != 0)
            continue;
        received++;
        wrong += (event.record.words[0] & 0xff) != F_TRANSLATION || event.record.words[0] >> 32 != vmm->vsid;
    }
    /* The last records are missing until one comes after them, or the kernel has put its marker. */
    note("of %llu faults %llu were received and %llu counted as lost, in %llu gaps", (unsigned long long)raised,
        (unsigned long long)received, (unsigned long long)lost, (unsigned long long)markers);
    check("the kernel's event queue has run over", lost > 0, "%s", "nothing is lost");
    uint64_t more = vmm_drain(vmm);
    check("received and lost are all that were raised", received + lost == raised && wrong == 0 && more == 0,
        "%llu and %llu of %llu, %llu wrong, %llu more", (unsigned long long)received, (unsigned long long)lost,
        (unsigned long long)raised, (unsigned long long)wrong, (unsigned long long)more);
    edu_read(&vmm->edu, IOVA(930), 4);
    expect(vmm, "after that a fault comes through again", F_TRANSLATION, IOVA(930), true);
}

void check_rebind(struct vmm *vmm) {
    uint32_t old = vmm->vsid;
    int result = smmu_broker_client_device_rebind(vmm->broker, vmm->smmu.vsmmu, old, old + 1);
    need("DEVICE_REBIND", result == 0, "%s", smmu_broker_error_text(vmm->broker));
    vmm->vsid = old + 1;
    int reached = vmm_which(vmm, IOVA(13), 13, 14, IOVA(SCRATCH));
    check("its translation stays", reached == 13, "page %d", reached);
    edu_read(&vmm->edu, IOVA(940), 4);
    expect(vmm, "its faults have the new vSID", F_TRANSLATION, IOVA(940), true);
    result = vmm_command(vmm, CFGI_CD(vmm->vsid), LEAF);
    check("its CD can be invalidated by the new vSID", result == 0, "%d", result);
    result = smmu_broker_client_device_rebind(vmm->broker, vmm->smmu.vsmmu, vmm->vsid, old);
    need("DEVICE_REBIND back", result == 0, "%s", smmu_broker_error_text(vmm->broker));
    vmm->vsid = old;
}

/* Memory that is taken away under the device. */
void check_stage2(struct vmm *vmm) {
    const uint64_t ipa = UINT64_C(0x80000000), size = UINT64_C(0x200000);
    const uint32_t access = SMMU_BROKER_MEMORY_READ | SMMU_BROKER_MEMORY_WRITE;
    int fd = memfd_create("more-ram", MFD_CLOEXEC);
    volatile uint32_t *words = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
        words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (words == MAP_FAILED)
        need("more memory can be made", false, "%s", strerror(errno));
    int result = smmu_broker_client_memory_map(vmm->broker, fd, ipa, size, 0, access);
    check("MEMORY_MAP while a device translates", result == 0, "%s", smmu_broker_error_text(vmm->broker));
    set_page(&vmm->a, IOVA(950), ipa | PTE_READ_WRITE);
    edu_read(&vmm->edu, IOVA(3), 64);
    edu_write(&vmm->edu, IOVA(950), 64);
    check("the device reaches it", words[0] == ((uint32_t *)ram_at(PAGE(3)))[0], "0x%x", words[0]);
    result = smmu_broker_client_memory_unmap(vmm->broker, ipa, size);
    check("MEMORY_UNMAP while a device translates", result == 0, "%s", smmu_broker_error_text(vmm->broker));
    words[0] = 0;
    edu_write(&vmm->edu, IOVA(950), 64);
    check("the device reaches it no more, by no cached translation either", words[0] == 0, "0x%x", words[0]);
    check("faults of stage 2 are not the guest's", vmm_drain(vmm) == 0, "%s", "there is an event");
    set_page(&vmm->a, IOVA(950), 0);
    vmm_command(vmm, TLBI_NH_ALL, 0);
    result = smmu_broker_client_memory_map(vmm->broker, fd, vmm->attached.msi_base, 4096, 0, access);
    check("memory in the window of MSIs is refused", result == -EINVAL, "%d", result);
    result = smmu_broker_client_memory_map(vmm->broker, fd, RAM_BASE, 4096, 0, access);
    check("memory over memory is refused", result != 0, "%d", result);
    munmap((void *)(uintptr_t)words, size);
    close(fd);
}

static bool fires(int fd, int milliseconds) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint64_t count;
    return poll(&wait, 1, milliseconds) == 1 && read(fd, &count, sizeof count) == sizeof count;
}

void check_interrupts(struct vmm *vmm) {
    uint64_t base = vmm->attached.msi_base, size = vmm->attached.msi_size;
    check("the window of MSIs is said", size != 0, "%s", "it has no size");
    for (uint64_t address = base; address < base + size; address += 4096)
        set_page(&vmm->a, address, address | PTE_READ_WRITE);
    vmm_command(vmm, TLBI_NH_ALL, 0);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int result = edu_interrupts(&vmm->edu, fd);
    check("VFIO takes an eventfd for MSI", result == 0, "%s", strerror(-result));
    edu_raise(&vmm->edu);
    check("an MSI arrives through both stages", fires(fd, PATIENCE), "%s", "it does not");
    edu_acknowledge(&vmm->edu);
    for (uint64_t address = base; address < base + size; address += 4096)
        set_page(&vmm->a, address, 0);
    vmm_command(vmm, TLBI_NH_ALL, 0);
    edu_raise(&vmm->edu);
    check("without the identity map in stage 1 it does not", !fires(fd, 500), "%s", "it does");
    edu_acknowledge(&vmm->edu);
    edu_interrupts(&vmm->edu, -1);
    close(fd);
    vmm_drain(vmm);
}

void check_reset(struct vmm *vmm) {
    struct smmu_broker_context context = {0};
    uint32_t generation = 0;
    int result = smmu_broker_client_vsmmu_reset(vmm->broker, vmm->smmu.vsmmu, &context, 1, &generation);
    check("VSMMU_RESET lets DMA pass", result == 1 && context.state == SMMU_BROKER_CONTEXT_BYPASS,
        "result %d, state %u", result, context.state);
    int reached = vmm_which(vmm, PAGE(15), 15, 16, PAGE(SCRATCH));
    check("IOVA is IPA after it", reached == 15, "page %d", reached);
    uint64_t ste[8];
    make_ste(ste, STE_STAGE1, CD_A);
    result = vmm_turn_on(vmm, ste, &context);
    edu_read(&vmm->edu, IOVA(960), 4);
    struct event event;
    bool came = vmm_event(vmm, &event, PATIENCE);
    check("a fault after it has the new generation", result == 0 && came && event.generation == generation,
        "%d, %u of %u", came, event.generation, generation);
    vmm_drain(vmm);
}

void check_detach(struct vmm *vmm) {
    const uint32_t *scratch = ram_at(PAGE(SCRATCH));
    edu_read(&vmm->edu, IOVA(3), 64);
    int result = smmu_broker_client_device_detach(vmm->broker, vmm->smmu.vsmmu, vmm->vsid);
    check("DEVICE_DETACH", result == 0, "%s", smmu_broker_error_text(vmm->broker));
    memset(ram_at(PAGE(SCRATCH)), 0, 4096);
    edu_write(&vmm->edu, IOVA(SCRATCH), 64);
    edu_write(&vmm->edu, PAGE(SCRATCH), 64);
    check("a detached device whose descriptor is still held reaches nothing", scratch[0] == 0, "0x%x", scratch[0]);
    int device = -1;
    struct smmu_broker_device_attach_reply reply;
    result = smmu_broker_client_device_attach(vmm->broker, vmm->smmu.vsmmu, vmm->vsid, vmm->address, &reply, &device);
    check("a device that the VMM still holds is busy", result == -EBUSY, "%d", result);
    note("the broker says: %s", smmu_broker_error_text(vmm->broker));
    edu_close(&vmm->edu);
    vmm_attach(vmm);
    uint64_t ste[8];
    make_ste(ste, STE_STAGE1, CD_A);
    result = vmm_set_ste(vmm, ste, NULL);
    int reached = vmm_which(vmm, IOVA(17), 17, 18, IOVA(SCRATCH));
    check("attached again it translates", result == 0 && reached == 17, "result %d, page %d", result, reached);
}

/* The last: it cannot be taken back. */
void check_denied(struct vmm *vmm) {
    struct cvfio_device_attach_iommufd_pt attach = {.argsz = sizeof attach, .pt_id = UINT32_MAX};
    struct cvfio_device_detach_iommufd_pt detach = {.argsz = sizeof detach};
    int before = ioctl(vmm->edu.device, CVFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) == 0 ? 0 : errno;
    int result = smmu_broker_deny_attach();
    int attached = ioctl(vmm->edu.device, CVFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) == 0 ? 0 : errno;
    int detached = ioctl(vmm->edu.device, CVFIO_DEVICE_DETACH_IOMMUFD_PT, &detach) == 0 ? 0 : errno;
    check("a VMM can give up attaching and detaching its device",
        before == ENOENT && result == 0 && attached == EPERM && detached == EPERM, "%d before, %d, then %d and %d", before,
        result, attached, detached);
    int reached = vmm_which(vmm, IOVA(18), 18, 19, IOVA(SCRATCH));
    int fd = eventfd(0, EFD_CLOEXEC);
    int interrupts = edu_interrupts(&vmm->edu, fd);
    close(fd);
    check("and keeps the rest of it", reached == 18 && interrupts == 0, "page %d, interrupts %d", reached, interrupts);
}
