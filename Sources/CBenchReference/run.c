// The loops that are measured. Swift's have the same shape.

#include "reference.h"

static struct ref_transaction transaction_of(struct ref_pattern pattern, uint64_t operation) {
    return (struct ref_transaction){
        .stream = pattern.stream + ((uint32_t)operation & pattern.stream_mask),
        .address = pattern.address + (((operation >> pattern.page_shift) & pattern.page_mask) << 12)};
}

static uint64_t sum_of(const struct ref_result *result) {
    switch (result->kind) {
    case REF_TRANSLATED:
        return result->pa + result->ipa + result->permissions + result->size_log2;
    case REF_FAULTED:
        return result->record[0] + result->record[1] + result->record[2] + result->record[3] + result->recorded;
    case REF_BYPASSED:
        return result->pa;
    default:
        return 0;
    }
}

uint64_t ref_run_translate(struct ref_smmu *smmu, struct ref_pattern pattern, uint64_t first, uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t operation = first; operation < first + count; operation++) {
        struct ref_transaction transaction = transaction_of(pattern, operation);
        struct ref_result result;
        ref_translate(smmu, &transaction, &result);
        sum += sum_of(&result);
        // A driver that takes every event at once.
        smmu->event_cons = smmu->event_prod;
    }
    return sum;
}

// TLBI_NH_ASID, TLBI_NH_VA and SYNC without a signal: 0, completed; 1, illegal.
static int execute(struct ref_smmu *smmu, struct ref_command command) {
    if (ref_command_illegality(&smmu->ids, command)) return 1;
    uint16_t vmid = smmu->ids.vmid16 ? (uint16_t)(command.d0 >> 32) : (uint8_t)(command.d0 >> 32);
    uint16_t asid = smmu->ids.asid16 ? (uint16_t)(command.d0 >> 48) : (uint8_t)(command.d0 >> 48);
    switch (command.d0 & 0xff) {
    case 0x11:
        tlb_invalidate_asid(&smmu->tlb, vmid, asid);
        return 0;
    case 0x12: {
        uint64_t address = command.d1 & ~UINT64_C(0xfff);
        address = bit(address, 55) ? address | UINT64_C(0xff) << 56 : address & ~(UINT64_C(0xff) << 56);
        tlb_invalidate_va(&smmu->tlb, vmid, asid, address);
        return 0;
    }
    default:
        return 0;
    }
}

uint64_t ref_run_execute(struct ref_smmu *smmu, struct ref_command command, struct ref_pattern addresses, bool refill,
                         uint64_t first, uint64_t count) {
    uint64_t sum = 0;
    struct ref_command sync = {.d0 = 0x46};
    for (uint64_t operation = first; operation < first + count; operation++) {
        struct ref_transaction transaction = transaction_of(addresses, operation);
        struct ref_command addressed = {command.d0, command.d1 | transaction.address};
        struct ref_result result;
        sum += (uint64_t)execute(smmu, addressed);
        sum += (uint64_t)execute(smmu, sync);
        if (refill) {
            ref_translate(smmu, &transaction, &result);
            sum += sum_of(&result);
        }
    }
    return sum;
}

uint64_t ref_run_validate(const uint32_t idr[6], const struct ref_command *commands, uint64_t mask, uint64_t first,
                          uint64_t count) {
    uint64_t legal = 0;
    struct ref_ids ids;
    ref_decode_ids(&ids, idr);
    for (uint64_t operation = first; operation < first + count; operation++)
        legal += ref_command_illegality(&ids, commands[operation & mask]) == 0;
    return legal;
}

uint64_t ref_run_nested(const uint32_t idr[6], const struct ref_command *commands, uint64_t mask, uint64_t first,
                        uint64_t count) {
    uint64_t forwarded = 0;
    struct ref_ids ids;
    ref_decode_ids(&ids, idr);
    for (uint64_t operation = first; operation < first + count; operation++)
        forwarded += ref_nested_refusal(&ids, commands[operation & mask]) == 0;
    return forwarded;
}
