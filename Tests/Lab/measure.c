/*
 * measure.c: what the broker costs, as ratios: both sides run in turns in this one process, on an emulated machine, whose
 * times mean nothing. The broker's side is always a client of the daemon, with its socket and its checks. This process
 * and the daemon are on one processor: to wake another one is what emulation makes slowest.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab.h"

enum { ROUNDS = 21, UNMAPPED_PAGES = 511, STES = 32 };

static struct vmm *vmm;
static struct direct direct;
static struct smmu_broker_command unmap[UNMAPPED_PAGES + 1];
static uint64_t stes[2][8];

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t since(uint64_t start) { return now() - start; }

/* ---- What is measured: each returns nanoseconds ------------------------------------------------------------------ */

static uint64_t unmap_by_broker(void) {
    uint64_t start = now();
    int result = smmu_broker_client_commands(vmm->broker, vmm->smmu.vsmmu, unmap, UNMAPPED_PAGES + 1, NULL);
    if (result != 0)
        need("COMMANDS", false, "%s", smmu_broker_error_text(vmm->broker));
    return since(start);
}

/* What of it is the way to the daemon and back: the emulated processor pays most for a change of process. */
static uint64_t ask_for_nothing(void) {
    uint64_t start = now();
    int result = smmu_broker_client_commands(vmm->broker, vmm->smmu.vsmmu, &unmap[UNMAPPED_PAGES], 1, NULL);
    if (result != 0)
        need("COMMANDS", false, "%s", smmu_broker_error_text(vmm->broker));
    return since(start);
}

/* One at a time, as QEMU and OpenVMM do with a guest that has no range invalidation. */
static uint64_t unmap_one_by_one(void) {
    uint64_t start = now();
    for (int index = 0; index < UNMAPPED_PAGES; index++)
        direct_invalidate(&direct, &unmap[index], 1);
    return since(start);
}

static uint64_t unmap_at_once(void) {
    uint64_t start = now();
    direct_invalidate(&direct, unmap, UNMAPPED_PAGES);
    return since(start);
}

static uint64_t replace_by_broker(void) {
    uint64_t start = now();
    for (int index = 0; index < STES; index++)
        if (vmm_set_ste(vmm, stes[index & 1], NULL) != 0)
            need("STE_SET", false, "%s", smmu_broker_error_text(vmm->broker));
    return since(start);
}

static uint64_t replace_directly(void) {
    uint64_t start = now();
    for (int index = 0; index < STES; index++)
        direct_set_ste(&direct, stes[index & 1]);
    return since(start);
}

/*
 * The clock of the emulated machine, which the processor's counter shows. `edu` does its DMA 100 ms after it was told to,
 * counted from the last whole millisecond of that clock: so the time of a fault is known beforehand.
 */
static uint64_t machine_clock(void) {
    uint64_t count, frequency;
    __asm__ volatile("isb; mrs %0, cntvct_el0; mrs %1, cntfrq_el0" : "=r"(count), "=r"(frequency));
    return (uint64_t)((unsigned __int128)count * 1000000000u / frequency);
}

/* From the time of a fault until `fd` can be read: the kernel's way, and in one case the daemon's. */
static uint64_t fault(struct edu *edu, int fd) {
    const uint64_t millisecond = 1000000;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint64_t told, after;
    /* In the middle of a millisecond, so that it is clear which one. */
    do
        told = machine_clock();
    while (told % millisecond < millisecond / 4 || told % millisecond > millisecond / 2);
    edu_start_write(edu, IOVA(900), 4);
    after = machine_clock();
    int ready = poll(&wait, 1, 5000);
    uint64_t heard = machine_clock();
    uint64_t due = (told / millisecond + 100) * millisecond;
    if (ready != 1 || heard <= due)
        need("a fault is heard of", false, "%d", ready);
    edu_wait(edu);
    /* Somebody else had the processor in between. */
    return after / millisecond == told / millisecond ? heard - due : fault(edu, fd);
}

static uint64_t fault_by_broker(void) {
    uint64_t taken = fault(&vmm->edu, vmm->events);
    struct event event;
    vmm_event(vmm, &event, 0);
    return taken;
}

static uint64_t fault_directly(void) {
    uint64_t taken = fault(&direct.edu, direct.events);
    while (direct_drain(&direct) > 0)
        ;
    return taken;
}

/* ---- In turns ---------------------------------------------------------------------------------------------------- */

static int compare(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return a < b ? -1 : a > b;
}

static double median(double *values) {
    qsort(values, ROUNDS, sizeof values[0], compare);
    return values[ROUNDS / 2];
}

/* The median of both in µs, and of the ratio of the two in each round: how many times as long `one` takes as `other`. */
static void compare_in_turns(const char *what, uint64_t (*one)(void), uint64_t (*other)(void)) {
    double ones[ROUNDS], others[ROUNDS], ratios[ROUNDS];
    one();
    other();
    for (int round = 0; round < ROUNDS; round++) {
        bool first = round % 2 == 0;
        uint64_t a = first ? one() : 0, b = other();
        if (!first)
            a = one();
        ones[round] = (double)a / 1000;
        others[round] = (double)b / 1000;
        ratios[round] = (double)a / (double)(b > 0 ? b : 1);
    }
    note("ratio %.2f: %s (%.0f and %.0f us, emulated)", median(ratios), what, median(ones), median(others));
}

void measure(struct vmm *the_vmm, const char *address) {
    vmm = the_vmm;
    make_ste(stes[0], STE_STAGE1, CD_A);
    make_ste(stes[1], STE_STAGE1, CD_B);
    for (int index = 0; index < UNMAPPED_PAGES; index++)
        unmap[index] = (struct smmu_broker_command){{TLBI_NH_VA(ASID), IOVA(1000 + index) | LEAF}};
    unmap[UNMAPPED_PAGES] = (struct smmu_broker_command){{SYNC, 0}};
    int result = vmm_turn_on(vmm, stes[0], NULL);
    need("SMMUEN", result == 0, "%d", result);
    direct_open(&direct, address, vmm->ram, vmm->vsid, stes[0]);
    vmm_drain(vmm);

    compare_in_turns("511 pages unmapped: 511 ioctls directly, to one COMMANDS", unmap_one_by_one, unmap_by_broker);
    compare_in_turns("511 pages unmapped: one COMMANDS, to one ioctl directly", unmap_by_broker, unmap_at_once);
    compare_in_turns("511 pages unmapped: one COMMANDS, to one of CMD_SYNC alone", unmap_by_broker, ask_for_nothing);
    compare_in_turns("an STE replaced: STE_SET, to allocate, attach, destroy", replace_by_broker, replace_directly);
    compare_in_turns("a fault: to the broker's subscriber, to a reader of the vEVENTQ", fault_by_broker, fault_directly);
    direct_close(&direct);
}
