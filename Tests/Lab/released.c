/* released.c: a device that an operator takes back, as its VMM sees it. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "lab.h"

/* Within 20 s. */
static bool is_told(struct vmm *vmm) {
    static struct smmu_broker_events events;
    struct pollfd wait = {.fd = vmm->events, .events = POLLIN};
    while (poll(&wait, 1, 20000) == 1 && smmu_broker_receive_events(vmm->events, &events) == 1)
        if (events.header.type == SMMU_BROKER_DEVICE_GONE)
            return events.header.vsmmu == vmm->smmu.vsmmu && events.body.health.vsid == vmm->vsid;
    return false;
}

void check_released(struct vmm *vmm) {
    uint64_t ste[8];
    check_dma(vmm);
    printf("holding\n");
    fflush(stdout);
    need("a VMM whose device is released is told by DEVICE_GONE", is_told(vmm), "%s", "it is not");
    check("a released device reaches nothing", is_closed(vmm, IOVA(SCRATCH)) && is_closed(vmm, PAGE(SCRATCH)), "%s",
        "data came through");
    make_ste(ste, STE_STAGE1, CD_A);
    int result = vmm_set_ste(vmm, ste, NULL);
    check("its vSID is unknown then", result != 0 && vmm->broker->reason == SMMU_BROKER_REASON_UNKNOWN_VSID, "%d: %s",
        result, smmu_broker_error_text(vmm->broker));
    report_and_wait("gone");
    edu_close(&vmm->edu);
    report_and_wait("closed");
    vmm_attach(vmm);
    result = vmm_set_ste(vmm, ste, NULL);
    int reached = vmm_which(vmm, IOVA(24), 24, 25, IOVA(SCRATCH));
    check("the same session can have it again", result == 0 && reached == 24, "result %d, page %d", result, reached);
}
