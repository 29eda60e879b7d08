/* translation.c: what reaches memory, and what is dropped when the guest says so. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "lab.h"

static uint64_t map_to(int page) { return PAGE(page) | PTE_READ_WRITE; }

/* ---- Without stage 1 --------------------------------------------------------------------------------------------- */

/* The device writes what it has read from `from` over `to`; whether it came through. */
static bool copies(struct vmm *vmm, uint64_t from, uint64_t to, int page) {
    memset(ram_at(PAGE(SCRATCH)), 0, 4096);
    return edu_read(&vmm->edu, from, 4096) && edu_write(&vmm->edu, to, 4096)
        && holds(PAGE(SCRATCH), (uint32_t)page, 4096);
}

bool is_closed(struct vmm *vmm, uint64_t to) {
    /* A read that failed has left zeros in the device. */
    memset(ram_at(PAGE(SCRATCH)), 0xee, 4096);
    if (!edu_write(&vmm->edu, to, 4096))
        return false;
    const uint32_t *words = ram_at(PAGE(SCRATCH));
    for (int index = 0; index < 1024; index++)
        if (words[index] != 0xeeeeeeee)
            return false;
    return true;
}

void check_bypass(struct vmm *vmm) {
    struct smmu_broker_context context = {0};
    check("a disabled vSMMU lets DMA pass: IOVA is IPA", copies(vmm, PAGE(3), PAGE(SCRATCH), 3), "%s", "no data");
    int result = vmm_turn_off(vmm, SMMU_BROKER_STATE_GBPA_ABORT, &context);
    check("GBPA.ABORT is reported", result == 0 && context.state == SMMU_BROKER_CONTEXT_ABORT, "%d", result);
    check("GBPA.ABORT stops DMA", is_closed(vmm, PAGE(SCRATCH)), "%s", "data came through");
    check("GBPA.ABORT is silent", vmm_drain(vmm) == 0, "%s", "there is an event");
    result = vmm_turn_off(vmm, 0, &context);
    check("GBPA without ABORT lets DMA pass again",
        result == 0 && context.state == SMMU_BROKER_CONTEXT_BYPASS && copies(vmm, PAGE(4), PAGE(SCRATCH), 4), "%d",
        result);
}

void check_dma(struct vmm *vmm) {
    uint64_t ste[8];
    struct smmu_broker_context context = {0};
    make_ste(ste, STE_STAGE1, CD_A);
    int result = vmm_turn_on(vmm, ste, &context);
    need("SMMUEN puts the STE into effect", result == 0 && context.state == SMMU_BROKER_CONTEXT_TRANSLATE,
        "result %d, state %u", result, context.state);
    check("DMA of 4 KiB out by one IOVA and back by another", copies(vmm, IOVA(3), IOVA(SCRATCH), 3), "%s",
        "other data");
    bool done = edu_read(&vmm->edu, IOVA(4) + 2048, 4096) && edu_write(&vmm->edu, IOVA(SCRATCH), 4096);
    const unsigned char *scratch = ram_at(PAGE(SCRATCH));
    check("DMA across the border of two pages",
        done && memcmp(scratch, (unsigned char *)ram_at(PAGE(4)) + 2048, 2048) == 0
            && memcmp(scratch + 2048, ram_at(PAGE(5)), 2048) == 0, "%s", "other data");
    check("an IPA is no IOVA any more", is_closed(vmm, PAGE(SCRATCH)), "%s", "data came through");
    vmm_drain(vmm);
}

/* ---- Invalidation ------------------------------------------------------------------------------------------------ */

/* Maps IOVA `n` elsewhere, and says whether the device goes on with what it has cached until the command. */
static void check_tlbi(struct vmm *vmm, const char *name, int n, uint64_t word0, uint64_t word1) {
    int before = vmm_which(vmm, IOVA(n), n, n + 1, IOVA(SCRATCH));
    set_page(&vmm->a, IOVA(n), map_to(n + 1));
    int stale = vmm_which(vmm, IOVA(n), n, n + 1, IOVA(SCRATCH));
    int result = vmm_command(vmm, word0, word1);
    int after = vmm_which(vmm, IOVA(n), n, n + 1, IOVA(SCRATCH));
    check(name, before == n && stale == n && result == 0 && after == n + 1,
        "page %d, remapped and stale %d, command %d, then %d", before, stale, result, after);
    set_page(&vmm->a, IOVA(n), map_to(n));
    vmm_command(vmm, TLBI_NH_ALL, 0);
}

void check_invalidation(struct vmm *vmm) {
    check_tlbi(vmm, "stale until TLBI_NH_VA", 6, TLBI_NH_VA(ASID), IOVA(6));
    check_tlbi(vmm, "stale until TLBI_NH_VA of the last level", 6, TLBI_NH_VA(ASID), IOVA(6) | LEAF);
    check_tlbi(vmm, "stale until TLBI_NH_VAA", 7, TLBI_NH_VAA, IOVA(7));
    check_tlbi(vmm, "stale until TLBI_NH_ASID", 8, TLBI_NH_ASID(ASID), 0);
    check_tlbi(vmm, "stale until TLBI_NH_ALL", 9, TLBI_NH_ALL, 0);
    check_tlbi(vmm, "stale until TLBI_NSNH_ALL", 10, TLBI_NSNH_ALL, 0);

    int before = vmm_which(vmm, IOVA(11), 11, 12, IOVA(SCRATCH));
    set_page(&vmm->a, IOVA(11), map_to(12));
    vmm_command(vmm, TLBI_NH_VA(ASID + 1), IOVA(11));
    vmm_command(vmm, TLBI_NH_VA(ASID), IOVA(12));
    int after = vmm_which(vmm, IOVA(11), 11, 12, IOVA(SCRATCH));
    check("TLBI_NH_VA of another ASID or address drops nothing here", before == 11 && after == 11, "%d, then %d",
        before, after);
    set_page(&vmm->a, IOVA(11), map_to(11));
    int result = vmm_command(vmm, CFGI_CD(0x999), LEAF);
    check("CFGI_CD of a stream that is not ours does nothing", result == 0, "%d", result);
    result = vmm_command(vmm, ATC_INV(vmm->vsid), 52);
    check("ATC_INV is illegal on an SMMU without ATS",
        result != 0 && vmm->broker->cerror == SMMU_BROKER_CERROR_ILL, "%d: %s", result,
        smmu_broker_error_text(vmm->broker));
    vmm_command(vmm, TLBI_NH_ALL, 0);
}

/* Tree A has page n, tree B page n + 1. A CD that is cached shows at an IOVA that is not. */
static void check_cd(struct vmm *vmm, const char *name, int n, bool (*drop)(struct vmm *)) {
    uint32_t oas = vmm->smmu.advertised.idr[5] & 7;
    for (int page = n; page < n + 3; page++)
        set_page(&vmm->b, IOVA(page), map_to(page + 1));
    int before = vmm_which(vmm, IOVA(n), n, n + 1, IOVA(SCRATCH));
    write_cd(CD_A, vmm->b.root, oas, true);
    int stale = vmm_which(vmm, IOVA(n + 1), n + 1, n + 2, IOVA(SCRATCH));
    bool dropped = drop(vmm);
    int after = vmm_which(vmm, IOVA(n + 2), n + 2, n + 3, IOVA(SCRATCH));
    check(name, before == n && stale == n + 1 && dropped && after == n + 3,
        "page %d, stale %d of %d, %d, then %d of %d", before, stale, n + 1, dropped, after, n + 3);
    write_cd(CD_A, vmm->a.root, oas, true);
    vmm_command(vmm, CFGI_CD_ALL(vmm->vsid), 0);
    vmm_command(vmm, TLBI_NH_ALL, 0);
}

static bool by_cfgi_cd(struct vmm *vmm) { return vmm_command(vmm, CFGI_CD(vmm->vsid), LEAF) == 0; }
static bool by_cfgi_cd_all(struct vmm *vmm) { return vmm_command(vmm, CFGI_CD_ALL(vmm->vsid), 0) == 0; }
static bool by_same_ste(struct vmm *vmm) {
    uint64_t ste[8];
    struct smmu_broker_context context = {0};
    make_ste(ste, STE_STAGE1, CD_A);
    return vmm_set_ste(vmm, ste, &context) == 0 && context.state == SMMU_BROKER_CONTEXT_TRANSLATE;
}

void check_context_descriptors(struct vmm *vmm) {
    check_cd(vmm, "a changed CD is stale until CFGI_CD", 20, by_cfgi_cd);
    check_cd(vmm, "a changed CD is stale until CFGI_CD_ALL", 25, by_cfgi_cd_all);
    check_cd(vmm, "the same STE again drops the CD", 30, by_same_ste);
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

void check_batches(struct vmm *vmm) {
    struct smmu_broker_command batch[200];
    struct smmu_broker_progress progress = {0};
    /* `before` takes effect, what stands behind the illegal one does not: both as the architecture has it. */
    int warm = vmm_which(vmm, IOVA(40), 40, 42, IOVA(SCRATCH)) + vmm_which(vmm, IOVA(41), 41, 42, IOVA(SCRATCH));
    set_page(&vmm->a, IOVA(40), map_to(42));
    set_page(&vmm->a, IOVA(41), map_to(42));
    for (int index = 0; index < 200; index++)
        batch[index] = (struct smmu_broker_command){{TLBI_NH_VA(ASID), IOVA(1000 + index) | LEAF}};
    batch[80].words[1] = IOVA(40) | LEAF;
    batch[100].words[0] = 0xff;
    batch[120].words[1] = IOVA(41) | LEAF;
    int result = smmu_broker_client_commands(vmm->broker, vmm->smmu.vsmmu, batch, 200, &progress);
    check("an illegal command at 100 is CERROR_ILL with 100 completed",
        warm == 81 && result != 0 && progress.completed == 100 && progress.cerror == SMMU_BROKER_CERROR_ILL,
        "result %d, completed %u, cerror %u", result, progress.completed, progress.cerror);
    int before = vmm_which(vmm, IOVA(40), 40, 42, IOVA(SCRATCH));
    int behind = vmm_which(vmm, IOVA(41), 41, 42, IOVA(SCRATCH));
    check("what stands before it has taken effect", before == 42, "page %d", before);
    check("what stands behind it has not", behind == 41, "page %d", behind);

    static struct smmu_broker_command most[SMMU_BROKER_MAXIMUM_COMMANDS];
    for (uint32_t index = 0; index < SMMU_BROKER_MAXIMUM_COMMANDS; index++)
        most[index] = (struct smmu_broker_command){{TLBI_NH_VA(ASID), IOVA(index) | LEAF}};
    result = smmu_broker_client_commands(
        vmm->broker, vmm->smmu.vsmmu, most, SMMU_BROKER_MAXIMUM_COMMANDS, &progress);
    behind = vmm_which(vmm, IOVA(41), 41, 42, IOVA(SCRATCH));
    check("a batch of 4096 commands is done",
        result == 0 && progress.completed == SMMU_BROKER_MAXIMUM_COMMANDS && behind == 42,
        "result %d, completed %u, page %d", result, progress.completed, behind);
    set_page(&vmm->a, IOVA(40), map_to(40));
    set_page(&vmm->a, IOVA(41), map_to(41));
    vmm_command(vmm, TLBI_NH_ALL, 0);
}

static int read_guest(void *user, uint64_t address, void *bytes, size_t size) {
    (void)user;
    if (address < RAM_BASE || size > RAM_SIZE || address - RAM_BASE > RAM_SIZE - size)
        return -1;
    memcpy(bytes, ram_at(address), size);
    return 0;
}

static void count_sync(void *user, const struct smmu_broker_sync *sync) {
    (void)sync;
    ++*(int *)user;
}

/* CFGI_STE of the guest: the STE that its driver has made. */
static uint64_t guest_ste[8];
static int give_ste(void *user, uint32_t vsid, uint64_t ste[8]) {
    (void)user;
    (void)vsid;
    memcpy(ste, guest_ste, sizeof guest_ste);
    return 0;
}

void check_guest_queue(struct vmm *vmm) {
    struct smmu_broker_command room[64];
    int syncs = 0;
    struct smmu_broker_cmdq queue = {
        .base = COMMAND_QUEUE | 8, .vsmmu = vmm->smmu.vsmmu, .streams = &vmm->vsid, .stream_count = 1, .batch = room,
        .batch_capacity = 64, .memory = {.read = read_guest},
        .transport = smmu_broker_client_transport(vmm->broker), .read_ste = give_ste, .synced = count_sync,
        .user = &syncs};
    queue.table.idr0 = vmm->smmu.advertised.idr[0];
    queue.table.idr1 = vmm->smmu.advertised.idr[1];
    struct smmu_broker_command *entries = ram_at(COMMAND_QUEUE);
    make_ste(guest_ste, STE_STAGE1, CD_B);
    for (int page = 0; page < 64; page++)
        set_page(&vmm->b, IOVA(page), map_to(page + 1));
    entries[0] = (struct smmu_broker_command){{0x03 | (uint64_t)vmm->vsid << 32, LEAF}}; /* CFGI_STE */
    entries[1] = (struct smmu_broker_command){{SYNC, 0}};
    entries[2] = (struct smmu_broker_command){{TLBI_NH_ASID(ASID), 0}};
    entries[3] = (struct smmu_broker_command){{SYNC, 0}};
    queue.prod = 4;
    int result = smmu_broker_drain_cmdq(&queue);
    int reached = vmm_which(vmm, IOVA(45), 45, 46, IOVA(SCRATCH));
    check("the guest's command queue: CFGI_STE, SYNC, TLBI_NH_ASID, SYNC",
        result == 0 && queue.error == 0 && queue.consumed == 4 && syncs == 2 && reached == 46,
        "result %d, error %u, consumed %u, page %d", result, queue.error, queue.consumed, reached);
    make_ste(guest_ste, STE_STAGE1, CD_A);
    vmm_set_ste(vmm, guest_ste, NULL);
    vmm_command(vmm, TLBI_NH_ALL, 0);
}

/* ---- STEs -------------------------------------------------------------------------------------------------------- */

void check_other_stes(struct vmm *vmm) {
    uint64_t ste[8];
    struct smmu_broker_context context = {0};
    vmm_drain(vmm);
    make_ste(ste, STE_BYPASS, 0);
    int result = vmm_set_ste(vmm, ste, &context);
    check("an STE that bypasses: IOVA is IPA",
        result == 0 && context.state == SMMU_BROKER_CONTEXT_BYPASS && copies(vmm, PAGE(6), PAGE(SCRATCH), 6),
        "result %d, state %u", result, context.state);
    make_ste(ste, STE_ABORT, 0);
    result = vmm_set_ste(vmm, ste, &context);
    check("an STE that aborts stops DMA",
        result == 0 && context.state == SMMU_BROKER_CONTEXT_ABORT && is_closed(vmm, PAGE(SCRATCH))
            && is_closed(vmm, IOVA(SCRATCH)), "result %d, state %u", result, context.state);
    memset(ste, 0, sizeof ste);
    result = vmm_set_ste(vmm, ste, &context);
    check("an STE with V 0 stops DMA",
        result == 0 && context.state == SMMU_BROKER_CONTEXT_ABORT && context.illegal == 0
            && is_closed(vmm, IOVA(SCRATCH)), "result %d, state %u", result, context.state);
    make_ste(ste, STE_STAGE1, CD_A);
    ste[0] |= UINT64_C(7) << 1; /* stages 1 and 2 */
    result = vmm_set_ste(vmm, ste, &context);
    check("an ILLEGAL STE stops DMA, and is reported",
        result == 0 && context.state == SMMU_BROKER_CONTEXT_ABORT && context.illegal == 1
            && is_closed(vmm, IOVA(SCRATCH)),
        "result %d, state %u, illegal %u", result, context.state, context.illegal);
    check("aborting STEs are silent", vmm_drain(vmm) == 0, "%s", "there is an event");
    make_ste(ste, STE_STAGE1, CD_A);
    result = vmm_set_ste(vmm, ste, &context);
    check("and stage 1 again",
        result == 0 && context.state == SMMU_BROKER_CONTEXT_TRANSLATE && copies(vmm, IOVA(7), IOVA(SCRATCH), 7),
        "result %d, state %u", result, context.state);
}
