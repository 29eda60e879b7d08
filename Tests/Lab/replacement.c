/* replacement.c: STEs that are replaced while devices do DMA: nothing may show of it, and of anything else it must. */
#define _GNU_SOURCE
#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "CIOMMUFD.h"
#include "lab.h"

enum { ENGINES = 3, PAGES = 16, SECONDS = 30, TRANSFERS = 300, REPLACEMENTS = 5000, LIMIT = 300, OTHER_SECONDS = 6 };

/* One device of the VMM, and a thread that keeps it at work. */
struct engine {
    struct vmm vmm; /* the connection is shared */
    int scratch;    /* its page */
    pthread_t thread;
    atomic_bool *stop;
    atomic_uint transfers; /* of 4 KiB */
    atomic_uint wrong;     /* what came back is not what was sent */
};

static struct engine engines[ENGINES];
static int engine_count;

static void *transfer(void *argument) {
    struct engine *engine = argument;
    for (uint32_t page = 0; !atomic_load(engine->stop); page = (page + 1) % PAGES) {
        memset(ram_at(PAGE(engine->scratch)), 0, 4096);
        bool done = edu_read(&engine->vmm.edu, IOVA(page), 4096)
            && edu_write(&engine->vmm.edu, IOVA(engine->scratch), 4096);
        if (!done || !holds(PAGE(engine->scratch), page, 4096))
            atomic_fetch_add(&engine->wrong, 1);
        atomic_fetch_add(&engine->transfers, 2);
    }
    return NULL;
}

/* Both trees have the same pages: whichever of the two stages 1 a transfer meets, the data are the same. */
static void attach_all(struct vmm *vmm, int count, char **addresses) {
    engine_count = count < ENGINES ? count : ENGINES;
    for (int page = 0; page < PAGES; page++)
        set_page(&vmm->b, IOVA(page), PAGE(page) | PTE_READ_WRITE);
    for (int index = 0; index < engine_count; index++) {
        struct engine *engine = &engines[index];
        engine->vmm = *vmm;
        engine->scratch = SCRATCH + index;
        set_page(&vmm->a, IOVA(engine->scratch), PAGE(engine->scratch) | PTE_READ_WRITE);
        set_page(&vmm->b, IOVA(engine->scratch), PAGE(engine->scratch) | PTE_READ_WRITE);
        engine->vmm.vsid += (uint32_t)index;
        engine->vmm.address = addresses[index];
        if (index > 0)
            vmm_attach(&engine->vmm);
    }
}

static int turn_all_on(struct vmm *vmm, const uint64_t ste[8]) {
    struct smmu_broker_entry entries[ENGINES] = {0};
    for (int index = 0; index < engine_count; index++) {
        entries[index].vsid = engines[index].vmm.vsid;
        memcpy(entries[index].ste, ste, sizeof entries[index].ste);
    }
    return smmu_broker_client_vsmmu_state(vmm->broker, vmm->smmu.vsmmu, SMMU_BROKER_STATE_SMMUEN, entries,
        (uint32_t)engine_count, NULL, 0, NULL);
}

/* What stands between one stage 1 and the next. */
enum between { NOTHING, ABORT_STE, BROKEN_CD, DETACH };

/* What came of a round. */
struct outcome {
    uint32_t seconds;
    uint32_t transfers;
    uint32_t wrong;
    uint32_t replaced;
    uint32_t refused;
    uint64_t events;
};

/* Whether the STE was taken. */
static bool replace(struct vmm *vmm, uint32_t number, enum between between) {
    uint64_t ste[8];
    if (between == DETACH) {
        struct cvfio_device_detach_iommufd_pt detach = {.argsz = sizeof detach};
        if (ioctl(vmm->edu.device, CVFIO_DEVICE_DETACH_IOMMUFD_PT, &detach) != 0)
            return false;
    } else if (between != NOTHING) {
        make_ste(ste, between == ABORT_STE ? STE_ABORT : STE_STAGE1, CD_INVALID);
        if (vmm_set_ste(vmm, ste, NULL) != 0)
            return false;
    }
    make_ste(ste, STE_STAGE1, number % 2 == 0 ? CD_A : CD_B);
    return vmm_set_ste(vmm, ste, NULL) == 0;
}

static uint32_t sum(bool of_wrong) {
    uint32_t sum = 0;
    for (int index = 0; index < engine_count; index++)
        sum += atomic_load(of_wrong ? &engines[index].wrong : &engines[index].transfers);
    return sum;
}

static struct outcome run(struct vmm *vmm, enum between between, int seconds, uint32_t transfers, uint32_t replacements) {
    struct outcome outcome = {0};
    struct timespec start, now;
    atomic_bool stop = false;
    vmm_drain(vmm);
    for (int index = 0; index < engine_count; index++) {
        struct engine *engine = &engines[index];
        engine->stop = &stop;
        atomic_store(&engine->transfers, 0);
        atomic_store(&engine->wrong, 0);
        if (pthread_create(&engine->thread, NULL, transfer, engine) != 0)
            need("a thread can be started", false, "%s", "");
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        struct engine *engine = &engines[outcome.replaced % (uint32_t)engine_count];
        if (!replace(&engine->vmm, outcome.replaced / (uint32_t)engine_count, between))
            outcome.refused++;
        outcome.replaced++;
        if (outcome.replaced % 16 == 0 && vmm_command(vmm, TLBI_NH_ALL, 0) != 0)
            outcome.refused++;
        clock_gettime(CLOCK_MONOTONIC, &now);
        outcome.seconds = (uint32_t)(now.tv_sec - start.tv_sec);
        outcome.transfers = sum(false);
    } while (outcome.seconds < LIMIT
        && (outcome.seconds < (uint32_t)seconds || outcome.transfers < transfers || outcome.replaced < replacements));
    atomic_store(&stop, true);
    for (int index = 0; index < engine_count; index++)
        pthread_join(engines[index].thread, NULL);
    outcome.transfers = sum(false);
    outcome.wrong = sum(true);
    outcome.events = vmm_drain(vmm);
    return outcome;
}

static void tell(const char *what, const struct outcome *outcome) {
    note("%s: %u STEs in %u s under %u transfers of 4 KiB by %d devices: %u pairs wrong, %llu events, %u refused", what,
        outcome->replaced, outcome->seconds, outcome->transfers, engine_count, outcome->wrong,
        (unsigned long long)outcome->events, outcome->refused);
}

void check_replacement(struct vmm *vmm, int count, char **addresses) {
    uint64_t ste[8];
    attach_all(vmm, count, addresses);
    make_ste(ste, STE_STAGE1, CD_A);
    int result = turn_all_on(vmm, ste);
    need("SMMUEN puts the STEs of three devices into effect", engine_count == ENGINES && result == ENGINES, "%d",
        result);

    struct outcome outcome = run(vmm, NOTHING, SECONDS, TRANSFERS, REPLACEMENTS);
    tell("replaced", &outcome);
    check("replacing STEs under DMA goes on for long enough",
        outcome.seconds >= SECONDS && outcome.transfers >= TRANSFERS && outcome.replaced >= REPLACEMENTS,
        "%u s, %u transfers, %u STEs", outcome.seconds, outcome.transfers, outcome.replaced);
    check("replacing STEs under DMA: every transfer is right", outcome.wrong == 0 && outcome.refused == 0,
        "%u wrong, %u refused", outcome.wrong, outcome.refused);
    check("replacing STEs under DMA: no event", outcome.events == 0, "%llu events",
        (unsigned long long)outcome.events);

    /* That the above would show a gap. */
    outcome = run(vmm, ABORT_STE, OTHER_SECONDS, 0, 0);
    tell("through ABORT", &outcome);
    check("with an STE that aborts in between, transfers are wrong", outcome.wrong > 0, "%s", "all are right");
    check("with an STE that aborts in between, there is no event", outcome.events == 0, "%llu events",
        (unsigned long long)outcome.events);
    outcome = run(vmm, BROKEN_CD, OTHER_SECONDS, 0, 0);
    tell("through a CD with V 0", &outcome);
    check("with a broken CD in between, there are events", outcome.events > 0, "%s", "there is none");
    outcome = run(vmm, DETACH, OTHER_SECONDS, 0, 0);
    tell("detached in between, by the VMM itself", &outcome);
    check("with the device detached in between, transfers are wrong", outcome.wrong > 0, "%s", "all are right");
    check("with the device detached in between, the broker still takes STEs", outcome.refused == 0, "%u refused",
        outcome.refused);
    for (int index = 1; index < engine_count; index++)
        edu_close(&engines[index].vmm.edu);
}
