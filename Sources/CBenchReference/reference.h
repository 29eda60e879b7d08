#ifndef REFERENCE_H
#define REFERENCE_H

#include "CBenchReference.h"

#include <stddef.h>

static inline uint64_t ones(unsigned count) { return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1; }
static inline uint64_t bits(uint64_t word, unsigned high, unsigned low) { return (word >> low) & ones(high - low + 1); }
static inline bool bit(uint64_t word, unsigned index) { return (word >> index) & 1; }
static inline unsigned min_u(unsigned a, unsigned b) { return a < b ? a : b; }

// What the ID registers come to.
struct ref_ids {
    uint32_t idr[6];
    unsigned oas;
    unsigned sid_size, ssid_size, stall_model, event_queue_log2;
    bool s1p, s2p, aarch64, hyp, ats, ns1ats, asid16, vmid16, cd2l, st2l, term_aborts, perms_ovr;
    bool had, xnx, fwb, stt, ril, e0pd, vax, ds, msi;
    unsigned httu, tt_endian;
};
void ref_decode_ids(struct ref_ids *ids, const uint32_t idr[6]);

// A hash table of fixed capacity with chains; the oldest slot makes room. The values are the user's, by slot.
struct ref_slot {
    uint64_t page, tag;
    int32_t next;
    bool occupied;
};
struct ref_cache {
    int32_t *heads;
    struct ref_slot *slots;
    uint32_t chain_mask, capacity, used, hand, count;
    int32_t first_free;
};
void cache_init(struct ref_cache *cache, uint32_t capacity);
void cache_free(struct ref_cache *cache);
// Returns the slot for a key that is not cached; `*evicted` says whether one had to go, its tag being `*evicted_tag`.
uint32_t cache_insert(struct ref_cache *cache, uint64_t page, uint64_t tag, bool *evicted, uint64_t *evicted_tag);
void cache_remove(struct ref_cache *cache, uint32_t slot);

static inline uint32_t cache_chain(const struct ref_cache *cache, uint64_t page, uint64_t tag) {
    uint64_t mixed = (page ^ (tag * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(mixed ^ (mixed >> 32)) & cache->chain_mask;
}
static inline int32_t cache_find(const struct ref_cache *cache, uint64_t page, uint64_t tag) {
    int32_t slot = cache->heads[cache_chain(cache, page, tag)];
    while (slot >= 0) {
        const struct ref_slot *entry = &cache->slots[slot];
        if (entry->page == page && entry->tag == tag) return slot;
        slot = entry->next;
    }
    return -1;
}

struct ref_stage2 {
    uint64_t base;
    unsigned granule, start_level, input_bits, output_bits;
    bool big_endian, affd, ptw, fwb, record;
};
struct ref_stream {
    uint64_t context_pointer;
    unsigned config, context_format, context_count_log2, default_substream, world;
    unsigned privilege_override, instruction_override;
    bool stall_disabled;
    uint16_t vmid;
    struct ref_stage2 stage2;
};
struct ref_table {
    uint64_t base;
    unsigned granule, start_level, input_bits, output_bits;
    bool walk_disabled, top_byte_ignored, had, e0pd;
};
struct ref_context {
    struct ref_table table[2];
    uint16_t asid;
    bool big_endian, affd, wxn, pan, record, abort;
};

struct ref_tlb_entry {
    uint64_t pa, ipa;
    uint8_t stage1, stage2, stages, level, granule;
    bool global;
};
struct ref_tlb {
    struct ref_cache cache;
    struct ref_tlb_entry *values;
    int32_t counts[64];
    uint64_t sizes;
    bool may_hold_global;
};

struct ref_smmu {
    struct ref_setup setup;
    struct ref_ids ids;
    struct ref_tlb tlb;
    struct ref_cache streams, contexts;
    struct ref_stream *stream_values;
    struct ref_context *context_values;
    uint32_t event_prod, event_cons;
    bool interrupt;
};

enum ref_fault_id {
    C_BAD_STREAMID = 2, F_STE_FETCH = 3, C_BAD_STE = 4, F_STREAM_DISABLED = 6, C_BAD_SUBSTREAMID = 8, F_CD_FETCH = 9,
    C_BAD_CD = 0xa, F_WALK_EABT = 0xb, F_TRANSLATION = 0x10, F_ADDR_SIZE = 0x11, F_ACCESS = 0x12, F_PERMISSION = 0x13,
};
enum ref_class { CLASS_CD = 0, CLASS_TTD = 1, CLASS_IN = 2 };

// id 0: no fault.
struct ref_fault {
    uint8_t id, event_class;
    bool stage2;
    uint64_t address;
};

struct ref_transaction {
    uint64_t address;
    uint32_t stream, substream;
    bool has_substream, write, privileged, instruction;
};
struct ref_result {
    enum { REF_TRANSLATED, REF_BYPASSED, REF_ABORTED, REF_FAULTED } kind;
    uint64_t pa, ipa;
    uint8_t permissions, stages, size_log2;
    bool recorded, abort;
    uint64_t record[4];
};

static inline bool load_word(const struct ref_smmu *smmu, uint64_t address, uint64_t *word) {
    if (address >= smmu->setup.memory_bytes) return false;
    *word = smmu->setup.memory[address >> 3];
    return true;
}

void ref_translate(struct ref_smmu *smmu, const struct ref_transaction *transaction, struct ref_result *result);

// The configuration of a stream or of an address space, from its cache or from memory; NULL with `*fault` set.
const struct ref_stream *ref_find_stream(struct ref_smmu *smmu, uint32_t sid, struct ref_fault *fault);
const struct ref_context *ref_find_context(struct ref_smmu *smmu, uint32_t sid, uint32_t ssid,
                                           const struct ref_stream *stream, struct ref_fault *fault);

struct ref_leaf {
    uint64_t output;
    uint8_t permissions;
    unsigned size_log2, level;
    bool global, device;
};
bool ref_walk_stage1(const struct ref_smmu *smmu, const struct ref_context *context, const struct ref_table *table,
                     uint64_t address, bool el2, const struct ref_stage2 *stage2, struct ref_leaf *leaf,
                     struct ref_fault *fault);
bool ref_walk_stage2(const struct ref_smmu *smmu, const struct ref_stage2 *stage2, uint64_t ipa, enum ref_class class,
                     struct ref_leaf *leaf, struct ref_fault *fault);
bool ref_translate_fetch(const struct ref_smmu *smmu, const struct ref_stage2 *stage2, uint64_t ipa,
                         enum ref_class class, uint64_t *pa, struct ref_fault *fault);

static inline uint64_t tlb_tag(bool stage2_only, uint8_t regime, uint16_t vmid, uint16_t asid, unsigned size) {
    return (uint64_t)vmid | (uint64_t)asid << 16 | (uint64_t)size << 32 | (uint64_t)regime << 40
        | (uint64_t)stage2_only << 48;
}
void tlb_init(struct ref_tlb *tlb, uint32_t capacity);
void tlb_free(struct ref_tlb *tlb);
const struct ref_tlb_entry *tlb_find(const struct ref_tlb *tlb, uint64_t identity, uint64_t address, unsigned *size);
void tlb_insert(struct ref_tlb *tlb, uint64_t identity, uint64_t address, unsigned size,
                const struct ref_tlb_entry *entry);
void tlb_invalidate_va(struct ref_tlb *tlb, uint16_t vmid, uint16_t asid, uint64_t address);
void tlb_invalidate_asid(struct ref_tlb *tlb, uint16_t vmid, uint16_t asid);

// 0: legal; else why not.
int ref_command_illegality(const struct ref_ids *ids, struct ref_command command);
int ref_nested_refusal(const struct ref_ids *ids, struct ref_command command);

#endif
