/*
 * lab-vmm [check|hold|again] SOCKET ADDRESS: a VMM for a broker whose backend is iommufd.
 *
 * check  all checks with the edu device at this PCI address
 * hold   attaches it, lets it do DMA all the time, and waits to be killed
 * again  attaches it, and checks that it works: after its session before has ended in whatever way
 *
 * Exit status 0 only if every check held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

enum { REPLACING_SECONDS = 6 };

static void check_all(struct vmm *vmm) {
    check_bypass(vmm);
    check_dma(vmm);
    check_invalidation(vmm);
    check_context_descriptors(vmm);
    check_batches(vmm);
    check_guest_queue(vmm);
    check_replacement(vmm, REPLACING_SECONDS);
    check_other_stes(vmm);
    check_faults(vmm);
    check_overflow(vmm);
    check_rebind(vmm);
    check_stage2(vmm);
    check_interrupts(vmm);
    check_reset(vmm);
    check_detach(vmm);
    check("event numbers have had no gap", vmm->gaps == 0, "%u gaps", vmm->gaps);
}

static void hold(struct vmm *vmm) {
    check_dma(vmm);
    for (uint32_t page = 0;; page = (page + 1) % 16) {
        edu_read(&vmm->edu, IOVA(page), 4096);
        edu_start_write(&vmm->edu, IOVA(SCRATCH), 4096);
        if (page == 0) {
            printf("holding\n");
            fflush(stdout);
        }
        edu_wait(&vmm->edu);
    }
}

int main(int argc, char **argv) {
    static struct vmm vmm;
    if (argc != 4) {
        fprintf(stderr, "usage: lab-vmm check|hold|again SOCKET ADDRESS\n");
        return 64;
    }
    vmm_open(&vmm, argv[2], argv[3], argv[1]);
    if (strcmp(argv[1], "hold") == 0)
        hold(&vmm);
    else if (strcmp(argv[1], "again") == 0)
        check_dma(&vmm);
    else
        check_all(&vmm);
    vmm_close(&vmm);
    return failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
