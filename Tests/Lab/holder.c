/* holder.c: a device's descriptor in the hands of somebody who is not its VMM, or whose session is over. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CIOMMUFD.h"
#include "lab.h"

/* A session of its own, with a vSMMU behind which `other` is: nobody's device. */
static void begin_session(struct vmm *vmm, const char *socket, const char *other) {
    struct smmu_broker_hello_reply hello;
    int result = smmu_broker_connect(vmm->broker, socket);
    need("another session can begin", result == 0, "%s", strerror(-result));
    result = smmu_broker_client_hello(vmm->broker, "holder", 0, &hello);
    if (result == 0)
        result = smmu_broker_client_vsmmu_create(vmm->broker, other, NULL, &vmm->smmu, NULL, 0);
    need("and has a vSMMU", result >= 0, "%s", smmu_broker_error_text(vmm->broker));
}

static bool is_refused(struct vmm *vmm, int result, uint32_t reason) {
    return result < 0 && vmm->broker->reason == reason;
}

static bool reset_is_refused(struct vmm *vmm, uint32_t reason) {
    return is_refused(vmm, smmu_broker_client_device_reset(vmm->broker, vmm->address), reason);
}

static bool attach_is_refused(struct vmm *vmm) {
    struct smmu_broker_device_attach_reply reply;
    int device = -1;
    int result = smmu_broker_client_device_attach(
        vmm->broker, vmm->smmu.vsmmu, vmm->vsid, vmm->address, &reply, &device);
    if (device >= 0)
        close(device);
    return is_refused(vmm, result, SMMU_BROKER_REASON_DEVICE_BUSY);
}

/* Tries for 10 s; DEVICE_RESET of what is no orphan yet is refused otherwise. */
static bool becomes_orphan(struct vmm *vmm) {
    for (int tries = 0; tries < 100; tries++) {
        if (reset_is_refused(vmm, SMMU_BROKER_REASON_DEVICE_BUSY))
            return true;
        usleep(100000);
    }
    return false;
}

static bool reaches_nothing(struct vmm *vmm) {
    return is_closed(vmm, IOVA(SCRATCH)) && is_closed(vmm, PAGE(SCRATCH));
}

/* ---- Orphans ----------------------------------------------------------------------------------------------------- */

/* The VMM's part of it is a child from here on; this process has memory and device, and no connection. */
static void let_vmm_die(struct vmm *vmm) {
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    need("the VMM can be another process", child > 0, "%s", strerror(errno));
    smmu_broker_close(vmm->broker);
    close(vmm->events);
    vmm->events = -1;
    int reached = vmm_which(vmm, IOVA(19), 19, 20, IOVA(SCRATCH));
    check("who has a copy of the descriptor does DMA as long as the VMM lives", reached == 19, "page %d", reached);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

void check_orphan(struct vmm *vmm, const char *socket, const char *other) {
    check_dma(vmm);
    check("DEVICE_RESET of a device that a session has is refused",
        reset_is_refused(vmm, SMMU_BROKER_REASON_NOT_ORPHANED), "%s", smmu_broker_error_text(vmm->broker));
    let_vmm_die(vmm);
    begin_session(vmm, socket, other);
    need("a device that outlives its VMM becomes an orphan", becomes_orphan(vmm), "%s",
        smmu_broker_error_text(vmm->broker));
    note("DEVICE_RESET: %s", smmu_broker_error_text(vmm->broker));
    check("an orphan reaches nothing, by no cached translation either", reaches_nothing(vmm), "%s", "data came through");
    check("an orphan is refused to another session", attach_is_refused(vmm), "%s",
        smmu_broker_error_text(vmm->broker));
    note("DEVICE_ATTACH: %s", smmu_broker_error_text(vmm->broker));
    report_and_wait("orphaned");
    edu_close(&vmm->edu);
    /* Whoever looks first finds out that it is free: this, or the daemon by itself. */
    int result = smmu_broker_client_device_reset(vmm->broker, vmm->address);
    check("DEVICE_RESET is done when the last copy is closed",
        result == 0 || vmm->broker->reason == SMMU_BROKER_REASON_NOT_ORPHANED, "%s",
        smmu_broker_error_text(vmm->broker));
    vmm_attach(vmm);

    result = smmu_broker_client_device_detach(vmm->broker, vmm->smmu.vsmmu, vmm->vsid);
    check("detached and not closed, it is an orphan too", result == 0 && attach_is_refused(vmm), "%d: %s", result,
        smmu_broker_error_text(vmm->broker));
    report_and_wait("detached");
}

/* ---- One who attaches by himself --------------------------------------------------------------------------------- */

enum { LAST_OBJECT = 63 };

static bool attach_to(struct vmm *vmm, uint32_t object) {
    struct cvfio_device_attach_iommufd_pt attach = {.argsz = sizeof attach, .pt_id = object};
    return ioctl(vmm->edu.device, CVFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) == 0;
}

/* What the objects of an iommufd let a device reach. */
struct reach {
    uint64_t objects;  /* bit n: to the object of number n it can be attached */
    uint32_t attached; /* to so many */
    uint32_t iovas;    /* so many show it what stage 1 has */
    uint32_t ipas;     /* and so many all of stage 2 */
};

static struct reach attach_to_each(struct vmm *vmm) {
    struct reach reach = {0};
    for (uint32_t object = 0; object <= LAST_OBJECT; object++) {
        if (!attach_to(vmm, object))
            continue;
        reach.attached++;
        reach.objects |= UINT64_C(1) << object;
        reach.iovas += !is_closed(vmm, IOVA(SCRATCH));
        reach.ipas += !is_closed(vmm, PAGE(SCRATCH));
    }
    return reach;
}

/* Keeps attaching to one object, which takes no time as long as it is that, while the daemon takes everything down. */
struct attacker {
    struct vmm *vmm;
    uint32_t object;
    atomic_bool stop;
    atomic_uint attached;
};

static void *attack(void *argument) {
    struct attacker *attacker = argument;
    while (!atomic_load(&attacker->stop))
        if (attach_to(attacker->vmm, attacker->object))
            atomic_fetch_add(&attacker->attached, 1);
    return NULL;
}

/* Another session with the same addresses, in a process of its own: nothing of its memory may change. */
static pid_t start_victim(int ready[2], int done[2], const char *socket, const char *address) {
    pid_t child = fork();
    if (child != 0)
        return child;
    close(ready[0]);
    close(done[1]);
    static struct vmm victim;
    char byte = 0;
    vmm_open(&victim, socket, address, "victim");
    check_dma(&victim);
    unsigned char *before = malloc(RAM_SIZE);
    need("memory for a copy", before != NULL, "%s", strerror(errno));
    memset(ram_at(PAGE(SCRATCH)), 0x5a, 4096);
    memcpy(before, ram_at(RAM_BASE), RAM_SIZE);
    bool told = write(ready[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 1;
    need("the one who attaches comes to his end", told, "%s", "he does not");
    check("another session's memory is as it was", memcmp(before, ram_at(RAM_BASE), RAM_SIZE) == 0, "%s",
        "it has changed");
    check("another session has had no event", vmm_drain(&victim) == 0, "%s", "there is one");
    int reached = vmm_which(&victim, IOVA(22), 22, 23, IOVA(SCRATCH));
    check("another session's device goes on", reached == 22, "page %d", reached);
    vmm_close(&victim);
    _exit(failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Returns the objects that the device can be attached to. */
static uint64_t check_attacked_session(struct vmm *vmm) {
    uint64_t ste[8];
    struct reach reach = attach_to_each(vmm);
    note("in its session: attached to %u objects, %u of which show it IOVAs and %u IPAs", reach.attached, reach.iovas,
        reach.ipas);
    check("who has the descriptor can attach it to all of its own iommufd",
        reach.attached > 2 && reach.iovas > 0 && reach.ipas > 0, "%u objects", reach.attached);
    make_ste(ste, STE_STAGE1, CD_B);
    int result = vmm_set_ste(vmm, ste, NULL);
    make_ste(ste, STE_STAGE1, CD_A);
    if (result == 0)
        result = vmm_set_ste(vmm, ste, NULL);
    int reached = vmm_which(vmm, IOVA(23), 23, 24, IOVA(SCRATCH));
    check("the next STEs put that right", result == 0 && reached == 23 && is_closed(vmm, PAGE(SCRATCH)),
        "result %d, page %d", result, reached);
    return reach.objects;
}

void check_hostile(const char *socket, const char *address, const char *victims, const char *other) {
    static struct vmm vmm;
    static struct attacker attacker = {.vmm = &vmm};
    int ready[2], done[2];
    char byte = 0;
    pthread_t thread;
    need("pipes can be made", pipe(ready) == 0 && pipe(done) == 0, "%s", strerror(errno));
    pid_t victim = start_victim(ready, done, socket, victims);
    need("another session is there", victim > 0 && read(ready[0], &byte, 1) == 1, "%s", strerror(errno));
    vmm_open(&vmm, socket, address, "hostile");
    check_dma(&vmm);
    /* The first is the address space itself, with all memory there is, and the last to be destroyed. */
    attacker.object = (uint32_t)__builtin_ctzll(check_attacked_session(&vmm));

    need("a thread can be started", pthread_create(&thread, NULL, attack, &attacker) == 0, "%s", "");
    while (atomic_load(&attacker.attached) < 100)
        usleep(1000);
    smmu_broker_close(vmm.broker);
    close(vmm.events);
    vmm.events = -1;
    begin_session(&vmm, socket, other);
    check("a session ends while somebody attaches its device all the time", becomes_orphan(&vmm), "%s",
        smmu_broker_error_text(vmm.broker));
    uint32_t then = atomic_load(&attacker.attached);
    usleep(500000);
    atomic_store(&attacker.stop, true);
    pthread_join(thread, NULL);
    note("he attached it %u times, %u of them after the end of the session", atomic_load(&attacker.attached),
        atomic_load(&attacker.attached) - then);
    struct reach reach = attach_to_each(&vmm);
    note("after the end of its session: attached to %u objects", reach.attached);
    check("after the end of its session a device reaches nothing, whatever it is attached to",
        reach.iovas == 0 && reach.ipas == 0 && reaches_nothing(&vmm), "%u and %u of %u", reach.iovas, reach.ipas,
        reach.attached);
    int status = -1;
    bool ended = write(done[1], &byte, 1) == 1 && waitpid(victim, &status, 0) == victim;
    check("and nobody else has noticed", ended && status == 0, "status 0x%x", (unsigned int)status);
    vmm_close(&vmm);
}
