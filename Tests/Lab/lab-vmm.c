/*
 * lab-vmm WHAT SOCKET ADDRESS...: a VMM for a broker whose backend is iommufd, with the edu devices at these addresses.
 *
 * check      all checks with one device
 * hold       attaches it, lets it do DMA all the time, and waits to be killed
 * again      attaches it, and checks that it works: after its session before has ended in whatever way
 * replace    replaces STEs while all devices do DMA
 * measure    the first device through the broker, the second without it: which is how many times as fast
 * memory     maps 256 MiB of a file, the half of which was never written, and waits to be killed
 * allocated  the same, but the file has no holes
 * orphan     the first device outlives its VMM; the second is for another session to name the SMMU by
 * hostile    whoever has the first device attaches it to all that there is; the second is another session's, the
 *            third nobody's
 * released   waits until an operator takes the device back, and has it again
 * bar        the first device reaches the registers of the second
 *
 * Those that wait for somebody read a line from standard input.
 * Exit status 0 only if every check held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

static void check_all(struct vmm *vmm) {
    check_bypass(vmm);
    check_dma(vmm);
    check_invalidation(vmm);
    check_context_descriptors(vmm);
    check_batches(vmm);
    check_guest_queue(vmm);
    check_other_stes(vmm);
    check_faults(vmm);
    check_overflow(vmm);
    check_rebind(vmm);
    check_stage2(vmm);
    check_interrupts(vmm);
    check_reset(vmm);
    check_detach(vmm);
    check_denied(vmm);
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
    if (argc < 4) {
        fprintf(stderr, "usage: lab-vmm WHAT SOCKET ADDRESS...: lab-vmm.c says what\n");
        return 64;
    }
    const char *what = argv[1];
    if (strcmp(what, "memory") == 0 || strcmp(what, "allocated") == 0)
        hold_memory(argv[2], argv[3], what[0] == 'a');
    if (strcmp(what, "hostile") == 0 && argc == 6) {
        check_hostile(argv[2], argv[3], argv[4], argv[5]);
        return failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    vmm_open(&vmm, argv[2], argv[3], what);
    if (strcmp(what, "hold") == 0)
        hold(&vmm);
    else if (strcmp(what, "again") == 0)
        check_dma(&vmm);
    else if (strcmp(what, "replace") == 0)
        check_replacement(&vmm, argc - 3, argv + 3);
    else if (strcmp(what, "measure") == 0 && argc == 5)
        measure(&vmm, argv[4]);
    else if (strcmp(what, "orphan") == 0 && argc == 5)
        check_orphan(&vmm, argv[2], argv[4]);
    else if (strcmp(what, "released") == 0)
        check_released(&vmm);
    else if (strcmp(what, "bar") == 0 && argc == 5)
        check_device_memory(&vmm, argv[4]);
    else
        check_all(&vmm);
    vmm_close(&vmm);
    return failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
