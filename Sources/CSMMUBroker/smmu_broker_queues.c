/*
 * The guest's command queue as messages, and the guest's stream table. What these functions read belongs to the guest,
 * which may change it at any moment: every structure is copied once, and only the copy is looked at.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "connection.h"

#define COMMAND_BYTES 16u
#define STE_BYTES 64u
/* IHI 0070, 3.5.1: a queue has at most 2^19 entries. */
#define MAXIMUM_QUEUE_LOG2 19u
/* Addresses in registers and L1 descriptors: bits 55:6; CMDQ_BASE: 55:5. */
#define TABLE_ADDRESS UINT64_C(0x00ffffffffffffc0)
#define QUEUE_ADDRESS UINT64_C(0x00ffffffffffffe0)

enum opcode {
    PREFETCH_CONFIG = 0x01,
    PREFETCH_ADDRESS = 0x02,
    CFGI_STE = 0x03,
    CFGI_STE_RANGE = 0x04,
    ATC_INV = 0x40,
    RESUME = 0x44,
    STALL_TERM = 0x45,
    SYNC = 0x46,
};

static uint64_t bits(uint64_t value, unsigned high, unsigned low) {
    return (value >> low) & (~UINT64_C(0) >> (63 - (high - low)));
}

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* `address` with its lowest `count` bits 0. */
static uint64_t aligned(uint64_t address, uint32_t count) { return count < 64 ? address >> count << count : 0; }

/* ---- Stream table ------------------------------------------------------------------------------------------------ */

/* Where the array of STEs lies that a first-level descriptor names, and how many StreamID bits index it. */
static int read_first_level(
    const struct smmu_broker_stream_table *table, const struct smmu_broker_memory *memory, uint32_t log2_size,
    uint32_t split, uint32_t vsid, uint64_t *array, uint32_t *index_bits) {
    uint32_t table_bits = log2_size > split ? log2_size - split + 3 : 0;
    uint64_t base = aligned(table->base & TABLE_ADDRESS, table_bits > 6 ? table_bits : 6);
    uint64_t descriptor;
    if (memory->read(memory->user, base + (uint64_t)(vsid >> split) * 8, &descriptor, sizeof descriptor) < 0)
        return -EFAULT;
    uint32_t span = (uint32_t)bits(descriptor, 4, 0);
    if (span == 0 || span > split + 1)
        return -ENOENT;
    *index_bits = span - 1;
    *array = aligned(descriptor & TABLE_ADDRESS, 6 + *index_bits);
    return 0;
}

static int find_ste(
    const struct smmu_broker_stream_table *table, const struct smmu_broker_memory *memory, uint32_t vsid,
    uint64_t *address) {
    uint32_t log2_size = (uint32_t)bits(table->base_cfg, 5, 0);
    /* The table is aligned to the size that is written, and reaches as far as there are StreamIDs. */
    uint32_t reach = smaller(log2_size, smaller((uint32_t)bits(table->idr1, 5, 0), 32));
    if ((uint64_t)vsid >> reach != 0)
        return -ENOENT;
    bool two_level = bits(table->base_cfg, 17, 16) == 1 && bits(table->idr0, 28, 27) != 0;
    if (!two_level) {
        *address = aligned(table->base & TABLE_ADDRESS, log2_size + 6) + (uint64_t)vsid * STE_BYTES;
        return 0;
    }
    uint32_t split = (uint32_t)bits(table->base_cfg, 10, 6);
    if (split != 8 && split != 10)
        split = 6;
    uint64_t array;
    uint32_t index_bits;
    int error = read_first_level(table, memory, log2_size, split, vsid, &array, &index_bits);
    if (error < 0)
        return error;
    uint32_t index = vsid & ((1u << split) - 1);
    if (index >> index_bits != 0)
        return -ENOENT;
    *address = array + (uint64_t)index * STE_BYTES;
    return 0;
}

int smmu_broker_read_ste(
    const struct smmu_broker_stream_table *table, const struct smmu_broker_memory *memory, uint32_t vsid,
    uint64_t ste[8]) {
    uint64_t address = 0;
    int error = find_ste(table, memory, vsid, &address);
    if (error == 0 && memory->read(memory->user, address, ste, STE_BYTES) < 0)
        error = -EFAULT;
    if (error < 0)
        memset(ste, 0, STE_BYTES);
    return error;
}

/* ---- Transport over a connection --------------------------------------------------------------------------------- */

static int client_commands(
    void *user, uint32_t vsmmu, const struct smmu_broker_command *commands, uint32_t count,
    struct smmu_broker_progress *progress) {
    return smmu_broker_client_commands((struct smmu_broker_client *)user, vsmmu, commands, count, progress);
}

static int client_ste_set(
    void *user, uint32_t vsmmu, uint32_t vsid, const uint64_t ste[8], struct smmu_broker_context *context) {
    return smmu_broker_client_ste_set((struct smmu_broker_client *)user, vsmmu, vsid, ste, context);
}

/* A tag that names no stalled transaction makes a RESUME do nothing (IHI 0070, 4.7.1): no error to the guest. */
static int client_page_response(void *user, uint32_t vsmmu, uint32_t vsid, uint32_t stag, uint32_t code) {
    struct smmu_broker_client *client = (struct smmu_broker_client *)user;
    int error = smmu_broker_client_page_response(client, vsmmu, vsid, stag, code);
    return error < 0 && client->reason == SMMU_BROKER_REASON_UNKNOWN_STAG ? 0 : error;
}

struct smmu_broker_transport smmu_broker_client_transport(struct smmu_broker_client *client) {
    return (struct smmu_broker_transport){
        .commands = client_commands,
        .ste_set = client_ste_set,
        .page_response = client_page_response,
        .user = client,
    };
}

/* ---- Command queue ----------------------------------------------------------------------------------------------- */

/* What a step of a drain came to, beside -errno. */
enum step {
    GO_ON = 0,
    STOP = 1, /* at the command at CONS, with queue->error */
};

/* A drain under way. CONS is at the first command that is not complete; from there on `gathered` are in the batch. */
struct drain {
    struct smmu_broker_cmdq *queue;
    uint64_t base;
    uint32_t log2_size;
    uint32_t gathered;
    uint32_t room;
};

static uint32_t advanced(const struct drain *drain, uint32_t count) {
    return (drain->queue->cons + count) & ((2u << drain->log2_size) - 1);
}

static void consume(struct drain *drain, uint32_t count) {
    drain->queue->cons = advanced(drain, count);
    drain->queue->consumed += count;
}

static int stop(struct drain *drain, uint32_t error) {
    drain->queue->error = error;
    return STOP;
}

static bool is_atc_inv(const struct smmu_broker_command *command) { return bits(command->words[0], 7, 0) == ATC_INV; }

/*
 * A device did not answer one of the `sent` commands, of which the first `completed` are done. How many of the rest are
 * done with; negative: the queue has to stop there.
 *
 * The broker may count the ATC_INV in question as completed or not. Where either may be, it is taken as counted: then at
 * worst it is sent again, whereas to leave out another one would lose an invalidation.
 */
static int after_atc_failure(const struct smmu_broker_command *sent, uint32_t completed, uint32_t count) {
    if (completed == count || (completed > 0 && is_atc_inv(&sent[completed - 1])))
        return 0;
    return is_atc_inv(&sent[completed]) ? 1 : -1;
}

/* Sends what is gathered, and is done when all of it is complete or consumed. */
static int flush(struct drain *drain) {
    struct smmu_broker_cmdq *queue = drain->queue;
    const struct smmu_broker_command *next = queue->batch;
    uint32_t left = drain->gathered;
    drain->gathered = 0;
    while (left > 0) {
        struct smmu_broker_progress progress = {0, SMMU_BROKER_CERROR_NONE};
        int status = queue->transport.commands(queue->transport.user, queue->vsmmu, next, left, &progress);
        if (progress.completed > left)
            return -EPROTO;
        int unanswered = 0;
        if (progress.cerror == SMMU_BROKER_CERROR_ATC_INV_SYNC)
            unanswered = after_atc_failure(next, progress.completed, left);
        uint32_t done = progress.completed + (unanswered > 0 ? 1 : 0);
        consume(drain, done);
        next += done;
        left -= done;
        switch (progress.cerror) {
        case SMMU_BROKER_CERROR_NONE:
            if (status < 0)
                return status;
            if (left > 0)
                return -EPROTO;
            break;
        case SMMU_BROKER_CERROR_ILL:
        case SMMU_BROKER_CERROR_ABT:
            return left > 0 ? stop(drain, progress.cerror) : -EPROTO;
        case SMMU_BROKER_CERROR_ATC_INV_SYNC:
            if (unanswered < 0)
                return stop(drain, progress.cerror); /* the guest will have the rest sent again */
            queue->atc_failed = 1;
            break;
        default:
            return -EPROTO;
        }
    }
    return GO_ON;
}

static bool is_attached(const struct smmu_broker_cmdq *queue, uint32_t vsid) {
    for (uint32_t i = 0; i < queue->stream_count; i++) {
        if (queue->streams[i] == vsid)
            return true;
    }
    return false;
}

/* Sends the STE of every attached stream of the aligned group of 2^span that `vsid` is in. */
static int send_stes(struct smmu_broker_cmdq *queue, uint32_t vsid, uint32_t span) {
    for (uint32_t i = 0; i < queue->stream_count; i++) {
        uint32_t stream = queue->streams[i];
        if ((uint64_t)stream >> span != (uint64_t)vsid >> span)
            continue;
        uint64_t ste[8];
        if (queue->read_ste == NULL)
            smmu_broker_read_ste(&queue->table, &queue->memory, stream, ste);
        else if (queue->read_ste(queue->user, stream, ste) != 0)
            memset(ste, 0, sizeof ste);
        struct smmu_broker_context context = {0, 0, 0, 0};
        int status = queue->transport.ste_set(queue->transport.user, queue->vsmmu, stream, ste, &context);
        if (status < 0)
            return status;
        if (queue->changed != NULL)
            queue->changed(queue->user, &context);
    }
    return GO_ON;
}

static int respond(struct smmu_broker_cmdq *queue, uint32_t vsid, uint32_t stag, uint32_t code) {
    if (!is_attached(queue, vsid))
        return GO_ON;
    int status = queue->transport.page_response(queue->transport.user, queue->vsmmu, vsid, stag, code);
    return status < 0 ? status : GO_ON;
}

/* RESUME {Ab, Ac} (IHI 0070, 4.7.1): Ac 1 retries, whatever Ab is. */
static uint32_t resume_code(uint64_t word) {
    if (bits(word, 12, 12) != 0)
        return SMMU_BROKER_PAGE_RETRY;
    return bits(word, 13, 13) != 0 ? SMMU_BROKER_PAGE_ABORT : SMMU_BROKER_PAGE_TERMINATE;
}

/* Does a SYNC before which everything is complete. The queue's CONS is past it when the signal is given. */
static int synchronize(struct drain *drain, const struct smmu_broker_command *command) {
    struct smmu_broker_cmdq *queue = drain->queue;
    if (queue->atc_failed != 0) {
        queue->atc_failed = 0;
        return stop(drain, SMMU_BROKER_CERROR_ATC_INV_SYNC);
    }
    consume(drain, 1);
    struct smmu_broker_sync sync = {.signal = SMMU_BROKER_SIGNAL_NONE, .cons = queue->cons};
    uint64_t address = bits(command->words[1], 51, 2) << 2;
    switch (bits(command->words[0], 13, 12)) {
    case 1:
        sync.signal = SMMU_BROKER_SIGNAL_IRQ;
        if (bits(queue->table.idr0, 13, 13) != 0 && address != 0) {
            sync.signal = SMMU_BROKER_SIGNAL_MSI;
            sync.address = address;
            sync.data = (uint32_t)bits(command->words[0], 63, 32);
        }
        break;
    case 2:
        if (bits(queue->table.idr0, 14, 14) != 0)
            sync.signal = SMMU_BROKER_SIGNAL_SEV;
        break;
    default:
        break;
    }
    if (queue->synced != NULL)
        queue->synced(queue->user, &sync);
    return GO_ON;
}

/* Whether a command that is done here, not by the broker, is illegal (IHI 0070, 4.1.6, 4.7). */
static bool is_illegal(const struct smmu_broker_cmdq *queue, const struct smmu_broker_command *command) {
    uint64_t opcode = bits(command->words[0], 7, 0);
    bool secure = bits(command->words[0], 10, 10) != 0;
    bool no_stalls = bits(queue->table.idr0, 25, 24) == 1;
    return secure || ((opcode == RESUME || opcode == STALL_TERM) && no_stalls)
        || (opcode == SYNC && bits(command->words[0], 13, 12) == 3);
}

static bool is_ours(const struct smmu_broker_command *command) {
    switch (bits(command->words[0], 7, 0)) {
    case PREFETCH_CONFIG:
    case PREFETCH_ADDRESS:
    case CFGI_STE:
    case CFGI_STE_RANGE:
    case RESUME:
    case STALL_TERM:
    case SYNC:
        return true;
    default:
        return false;
    }
}

/* Does the command at CONS, before which everything is complete. */
static int execute(struct drain *drain, const struct smmu_broker_command *command) {
    struct smmu_broker_cmdq *queue = drain->queue;
    if (is_illegal(queue, command))
        return stop(drain, SMMU_BROKER_CERROR_ILL);
    uint32_t vsid = (uint32_t)bits(command->words[0], 63, 32);
    int step = GO_ON;
    switch (bits(command->words[0], 7, 0)) {
    case CFGI_STE:
        step = send_stes(queue, vsid, 0);
        break;
    case CFGI_STE_RANGE:
        step = send_stes(queue, vsid, (uint32_t)bits(command->words[1], 4, 0) + 1);
        break;
    case RESUME:
        step = respond(queue, vsid, (uint32_t)bits(command->words[1], 15, 0), resume_code(command->words[0]));
        break;
    case STALL_TERM:
        step = respond(queue, vsid, 0, SMMU_BROKER_PAGE_TERMINATE_ALL);
        break;
    case SYNC:
        return synchronize(drain, command);
    default:
        break;
    }
    if (step == GO_ON)
        consume(drain, 1);
    return step;
}

/* Takes the next entry that is not yet gathered. */
static int take(struct drain *drain) {
    struct smmu_broker_cmdq *queue = drain->queue;
    uint32_t index = advanced(drain, drain->gathered) & ((1u << drain->log2_size) - 1);
    uint64_t address = drain->base + (uint64_t)index * COMMAND_BYTES;
    struct smmu_broker_command command;
    bool readable = queue->memory.read(queue->memory.user, address, &command, sizeof command) >= 0;
    if (readable && !is_ours(&command)) {
        queue->batch[drain->gathered++] = command;
        return drain->gathered == drain->room ? flush(drain) : GO_ON;
    }
    int step = flush(drain);
    if (step != GO_ON)
        return step;
    return readable ? execute(drain, &command) : stop(drain, SMMU_BROKER_CERROR_ABT);
}

/* How many entries to take: what PROD says, but no more than the queue has, nor than the caller wants. */
static uint32_t entries(const struct drain *drain) {
    const struct smmu_broker_cmdq *queue = drain->queue;
    uint32_t count = (queue->prod - queue->cons) & ((2u << drain->log2_size) - 1);
    count = smaller(count, 1u << drain->log2_size);
    return queue->limit == 0 ? count : smaller(count, queue->limit);
}

int smmu_broker_drain_cmdq(struct smmu_broker_cmdq *queue) {
    queue->error = SMMU_BROKER_CERROR_NONE;
    queue->consumed = 0;
    uint32_t log2_size = smaller((uint32_t)bits(queue->base, 4, 0), (uint32_t)bits(queue->table.idr1, 25, 21));
    if (log2_size > MAXIMUM_QUEUE_LOG2 || queue->batch == NULL || queue->batch_capacity == 0
        || (queue->streams == NULL && queue->stream_count > 0))
        return -EINVAL;
    struct drain drain = {
        .queue = queue,
        /* Aligned to the queue's size, and to 32 bytes. */
        .base = aligned(queue->base & QUEUE_ADDRESS, log2_size > 1 ? log2_size + 4 : 5),
        .log2_size = log2_size,
        .room = smaller(queue->batch_capacity, SMMU_BROKER_MAXIMUM_COMMANDS),
    };
    queue->cons = advanced(&drain, 0);
    int step = GO_ON;
    for (uint32_t left = entries(&drain); left > 0 && step == GO_ON; left--)
        step = take(&drain);
    if (step == GO_ON)
        step = flush(&drain);
    return step < 0 ? step : 0;
}
