#include "reference.h"

#include <stdlib.h>

struct ref_smmu *ref_create(const struct ref_setup *setup) {
    struct ref_smmu *smmu = calloc(1, sizeof *smmu);
    smmu->setup = *setup;
    ref_decode_ids(&smmu->ids, setup->idr);
    tlb_init(&smmu->tlb, setup->tlb_capacity);
    cache_init(&smmu->streams, setup->config_capacity);
    cache_init(&smmu->contexts, setup->config_capacity);
    smmu->stream_values = malloc(setup->config_capacity * sizeof *smmu->stream_values);
    smmu->context_values = malloc(setup->config_capacity * sizeof *smmu->context_values);
    return smmu;
}

void ref_destroy(struct ref_smmu *smmu) {
    tlb_free(&smmu->tlb);
    cache_free(&smmu->streams);
    cache_free(&smmu->contexts);
    free(smmu->stream_values);
    free(smmu->context_values);
    free(smmu);
}

static void write_event(struct ref_smmu *smmu, const uint64_t record[4]) {
    unsigned log2 = min_u((unsigned)(smmu->setup.event_queue_base & 0x1f), min_u(smmu->ids.event_queue_log2, 19));
    uint32_t index_mask = (uint32_t)ones(log2), pointer_mask = (uint32_t)ones(log2 + 1);
    uint64_t base = smmu->setup.event_queue_base & UINT64_C(0x000fffffffffffe0) & ~ones(log2 + 5);
    if (((smmu->event_prod ^ smmu->event_cons) & pointer_mask) == index_mask + 1) return;
    uint64_t location = base + (uint64_t)(smmu->event_prod & index_mask) * 32;
    for (unsigned word = 0; word < 4; word++) {
        if (location + word * 8 >= smmu->setup.memory_bytes) return;
        smmu->setup.memory[(location >> 3) + word] = record[word];
    }
    smmu->event_prod = (smmu->event_prod & ~pointer_mask) | ((smmu->event_prod + 1) & pointer_mask);
    smmu->interrupt = true;
}

struct access {
    bool privileged, instruction;
};
struct policy {
    bool stage1_record, stage2_record, abort;
};

static bool is_translation_fault(uint8_t id) { return id >= F_TRANSLATION && id <= F_PERMISSION; }

static void terminate(struct ref_smmu *smmu, const struct ref_transaction *transaction, struct access access,
                      const struct ref_fault *fault, const struct policy *policy, struct ref_result *result) {
    uint64_t record[4] = {fault->id | (uint64_t)transaction->stream << 32};
    if (transaction->has_substream) record[0] |= UINT64_C(1) << 11 | (uint64_t)transaction->substream << 12;
    switch (fault->id) {
    case F_STREAM_DISABLED:
        record[0] = fault->id | (uint64_t)transaction->stream << 32;
        break;
    case C_BAD_SUBSTREAMID:
        record[0] &= ~(UINT64_C(1) << 11);
        break;
    case C_BAD_STREAMID:
    case C_BAD_STE:
    case C_BAD_CD:
        break;
    case F_STE_FETCH:
    case F_CD_FETCH:
        record[3] = fault->address & UINT64_C(0x000ffffffffffff8);
        break;
    default:
        record[1] = (uint64_t)access.privileged << 33 | (uint64_t)access.instruction << 34
            | (uint64_t)!transaction->write << 35 | (uint64_t)fault->stage2 << 39 | (uint64_t)fault->event_class << 40;
        if (fault->id == F_PERMISSION && fault->stage2 && fault->event_class == CLASS_TTD)
            record[1] |= UINT64_C(1) << 44;
        record[2] = transaction->address;
        record[3] = fault->address;
    }
    bool follows = is_translation_fault(fault->id);
    bool recorded = fault->id == C_BAD_STREAMID ? false
        : !follows                              ? true
        : fault->stage2                         ? policy->stage2_record
                                                : policy->stage1_record;
    if (recorded) write_event(smmu, record);
    *result = (struct ref_result){
        .kind = REF_FAULTED, .recorded = recorded, .abort = !(follows && !fault->stage2 && !policy->abort)};
    for (unsigned i = 0; i < 4; i++) result->record[i] = record[i];
}

static unsigned needed_permission(const struct ref_transaction *transaction, struct access access) {
    unsigned needed = transaction->write ? 2 : access.instruction ? 4 : 1;
    return access.privileged ? needed << 3 : needed;
}

// Permissions of a translation, stage 1's first, and the result.
static bool finish(const struct ref_tlb_entry *entry, unsigned size, uint64_t address, unsigned needed,
                   struct ref_result *result, struct ref_fault *fault) {
    uint64_t offset = address & ones(size), ipa = entry->ipa | offset;
    if (!(entry->stage1 & needed)) {
        *fault = (struct ref_fault){.id = F_PERMISSION, .event_class = CLASS_IN};
        return false;
    }
    if (!(entry->stage2 & needed)) {
        *fault = (struct ref_fault){.id = F_PERMISSION, .event_class = CLASS_IN, .stage2 = true,
                                    .address = ipa & UINT64_C(0x000ffffffffff000)};
        return false;
    }
    result->kind = REF_TRANSLATED;
    result->pa = entry->pa | offset;
    result->ipa = ipa;
    result->permissions = entry->stage1 & entry->stage2;
    result->stages = entry->stages;
    result->size_log2 = (uint8_t)size;
    return true;
}

static bool by_stage2(struct ref_smmu *smmu, const struct ref_stream *stream, uint64_t address, unsigned needed,
                      struct ref_result *result, struct ref_fault *fault) {
    struct ref_leaf leaf;
    unsigned size;
    if (address > ones(smmu->ids.oas)) {
        *fault = (struct ref_fault){.id = F_ADDR_SIZE, .event_class = CLASS_IN};
        return false;
    }
    uint64_t identity = tlb_tag(true, 0, stream->vmid, 0, 0);
    const struct ref_tlb_entry *hit = tlb_find(&smmu->tlb, identity, address, &size);
    if (hit) return finish(hit, size, address, needed, result, fault);
    if (!ref_walk_stage2(smmu, &stream->stage2, address, CLASS_IN, &leaf, fault)) return false;
    uint64_t offset = ones(leaf.size_log2);
    struct ref_tlb_entry entry = {
        .pa = leaf.output & ~offset, .ipa = address & ~offset, .stage1 = 63, .stage2 = leaf.permissions, .stages = 2,
        .level = (uint8_t)leaf.level, .granule = (uint8_t)stream->stage2.granule};
    tlb_insert(&smmu->tlb, identity, address, leaf.size_log2, &entry);
    return finish(&entry, leaf.size_log2, address, needed, result, fault);
}

static bool by_stage1(struct ref_smmu *smmu, const struct ref_stream *stream, const struct ref_context *context,
                      uint64_t address, struct access access, unsigned needed, struct ref_result *result,
                      struct ref_fault *fault) {
    struct ref_leaf leaf, second;
    unsigned size;
    bool upper = bit(address, 55), el2 = stream->world == 2;
    const struct ref_table *table = &context->table[upper];
    uint64_t canonical = upper ? address | UINT64_C(0xff) << 56 : address & ~(UINT64_C(0xff) << 56);
    *fault = (struct ref_fault){.id = F_TRANSLATION, .event_class = CLASS_IN};
    if (upper && el2) return false;
    if (!el2 && (table->walk_disabled || (table->e0pd && !access.privileged))) return false;
    if (!table->top_byte_ignored && canonical != address) return false;
    if (canonical >> table->input_bits != (upper ? UINT64_MAX >> table->input_bits : 0)) return false;
    uint64_t identity = tlb_tag(false, el2 ? 1 : 0, el2 ? 0 : stream->vmid, el2 ? 0 : context->asid, 0);
    const struct ref_tlb_entry *hit = tlb_find(&smmu->tlb, identity, canonical, &size);
    if (hit) return finish(hit, size, canonical, needed, result, fault);
    bool nested = stream->config == 7;
    if (!ref_walk_stage1(smmu, context, table, canonical, el2, nested ? &stream->stage2 : NULL, &leaf, fault))
        return false;
    struct ref_tlb_entry entry = {.stage1 = leaf.permissions, .stage2 = 63, .stages = 1, .level = (uint8_t)leaf.level,
                                  .granule = (uint8_t)table->granule, .global = leaf.global};
    uint64_t output = leaf.output;
    size = leaf.size_log2;
    if (nested) {
        if (!(leaf.permissions & needed)) {
            *fault = (struct ref_fault){.id = F_PERMISSION, .event_class = CLASS_IN};
            return false;
        }
        if (!ref_walk_stage2(smmu, &stream->stage2, leaf.output, CLASS_IN, &second, fault)) return false;
        size = min_u(size, second.size_log2);
        entry.stage2 = second.permissions;
        entry.stages = 3;
        output = second.output;
    }
    entry.pa = output & ~ones(size);
    entry.ipa = leaf.output & ~ones(size);
    tlb_insert(&smmu->tlb, identity, canonical, size, &entry);
    return finish(&entry, size, canonical, needed, result, fault);
}

// The CD to use, -1 to go without stage 1, or -2 with a fault.
static int64_t substream_of(const struct ref_transaction *transaction, const struct ref_stream *stream,
                            struct ref_fault *fault) {
    if (transaction->has_substream) {
        fault->id = C_BAD_SUBSTREAMID;
        if (stream->context_count_log2 == 0 || transaction->substream >> stream->context_count_log2) return -2;
        fault->id = F_STREAM_DISABLED;
        return transaction->substream == 0 && stream->default_substream == 2 ? -2 : transaction->substream;
    }
    if (stream->context_count_log2 == 0) return 0;
    fault->id = F_STREAM_DISABLED;
    return stream->default_substream == 1 ? -1 : stream->default_substream == 2 ? 0 : -2;
}

static bool bypass(const struct ref_smmu *smmu, const struct ref_transaction *transaction, struct ref_result *result,
                   struct ref_fault *fault) {
    *fault = (struct ref_fault){.id = transaction->has_substream ? C_BAD_SUBSTREAMID : F_ADDR_SIZE,
                                .event_class = CLASS_IN};
    if (transaction->has_substream || transaction->address > ones(smmu->ids.oas)) return false;
    result->kind = REF_BYPASSED;
    result->pa = transaction->address;
    return true;
}

void ref_translate(struct ref_smmu *smmu, const struct ref_transaction *transaction, struct ref_result *result) {
    struct ref_fault fault = {0};
    struct access access = {transaction->privileged, transaction->instruction && !transaction->write};
    struct policy policy = {true, true, true};
    bool done;
    const struct ref_stream *stream = ref_find_stream(smmu, transaction->stream, &fault);
    if (!stream) return terminate(smmu, transaction, access, &fault, &policy, result);
    if (stream->privilege_override >= 2) access.privileged = stream->privilege_override == 3;
    if (stream->instruction_override >= 2 && !transaction->write)
        access.instruction = stream->instruction_override == 3;
    policy.stage2_record = stream->stage2.record;
    if (stream->config < 4) {
        result->kind = REF_ABORTED;
        return;
    }
    unsigned needed = needed_permission(transaction, access);
    if (stream->config == 4) {
        done = bypass(smmu, transaction, result, &fault);
    } else if (stream->config == 6) {
        fault.id = C_BAD_SUBSTREAMID;
        done = !transaction->has_substream && by_stage2(smmu, stream, transaction->address, needed, result, &fault);
    } else {
        int64_t substream = substream_of(transaction, stream, &fault);
        if (substream == -2) {
            done = false;
        } else if (substream == -1) {
            done = stream->config == 7 ? by_stage2(smmu, stream, transaction->address, needed, result, &fault)
                                       : bypass(smmu, transaction, result, &fault);
        } else {
            const struct ref_context *context =
                ref_find_context(smmu, transaction->stream, (uint32_t)substream, stream, &fault);
            if (context) {
                policy.stage1_record = context->record;
                policy.abort = context->abort;
                done = by_stage1(smmu, stream, context, transaction->address, access, needed, result, &fault);
            } else {
                done = false;
            }
        }
    }
    if (!done) terminate(smmu, transaction, access, &fault, &policy, result);
}
