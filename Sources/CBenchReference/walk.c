#include "reference.h"

enum kind { INVALID, TABLE, LEAF };

static inline unsigned level_shift(unsigned granule, unsigned level) { return granule + (granule - 3) * (3 - level); }

static inline enum kind descriptor_kind(uint64_t word, unsigned level, unsigned granule, unsigned oas) {
    switch (word & 3) {
    case 3:
        return level == 3 ? LEAF : TABLE;
    case 1:
        if (level == 2 || (level == 1 && (granule == 12 || (granule == 16 && oas == 52)))) return LEAF;
        return INVALID;
    default:
        return INVALID;
    }
}

static inline uint64_t descriptor_address(uint64_t word, unsigned shift, unsigned granule, unsigned oas) {
    uint64_t low = word & UINT64_C(0x0000ffffffffffff) & ~ones(shift);
    return granule == 16 && oas == 52 ? low | bits(word, 15, 12) << 48 : low;
}

static inline void stage2_fault(struct ref_fault *fault, enum ref_fault_id id, enum ref_class class, uint64_t ipa) {
    *fault = (struct ref_fault){
        .id = id, .event_class = class, .stage2 = true, .address = ipa & UINT64_C(0x000ffffffffff000)};
}

static inline uint8_t stage2_permissions(uint64_t leaf, bool xnx) {
    uint8_t data = (bit(leaf, 6) ? 1 : 0) | (bit(leaf, 7) ? 2 : 0);
    bool user, system;
    if (xnx) {
        uint64_t xn = bits(leaf, 54, 53);
        user = xn < 2;
        system = xn == 0 || xn == 3;
    } else {
        user = system = !bit(leaf, 54);
    }
    return (uint8_t)(data | (user ? 4 : 0) | (data | (system ? 4 : 0)) << 3);
}

bool ref_walk_stage2(const struct ref_smmu *smmu, const struct ref_stage2 *stage2, uint64_t ipa, enum ref_class class,
                     struct ref_leaf *leaf, struct ref_fault *fault) {
    unsigned granule = stage2->granule, level = stage2->start_level, oas = smmu->ids.oas;
    uint64_t table = stage2->base, index = ipa >> level_shift(granule, level), word;
    if (ipa > ones(stage2->input_bits)) return stage2_fault(fault, F_TRANSLATION, class, ipa), false;
    for (;;) {
        uint64_t location = table + index * 8;
        if (!load_word(smmu, location, &word)) {
            *fault = (struct ref_fault){.id = F_WALK_EABT, .event_class = class, .stage2 = true,
                                        .address = location & UINT64_C(0x000ffffffffffff8)};
            return false;
        }
        if (stage2->big_endian) word = __builtin_bswap64(word);
        switch (descriptor_kind(word, level, granule, oas)) {
        case INVALID:
            return stage2_fault(fault, F_TRANSLATION, class, ipa), false;
        case TABLE:
            table = descriptor_address(word, granule, granule, oas);
            if (table > ones(stage2->output_bits)) return stage2_fault(fault, F_ADDR_SIZE, class, ipa), false;
            level++;
            index = (ipa >> level_shift(granule, level)) & ones(granule - 3);
            break;
        case LEAF: {
            unsigned shift = level_shift(granule, level);
            uint64_t output = descriptor_address(word, shift, granule, oas) | (ipa & ones(shift));
            if (output > ones(stage2->output_bits)) return stage2_fault(fault, F_ADDR_SIZE, class, ipa), false;
            if (!bit(word, 10) && !stage2->affd) return stage2_fault(fault, F_ACCESS, class, ipa), false;
            *leaf = (struct ref_leaf){.output = output, .permissions = stage2_permissions(word, smmu->ids.xnx),
                                      .size_log2 = shift, .level = level,
                                      .device = stage2->fwb ? !bit(word, 4) : bits(word, 5, 4) == 0};
            return true;
        }
        }
    }
}

bool ref_translate_fetch(const struct ref_smmu *smmu, const struct ref_stage2 *stage2, uint64_t ipa,
                         enum ref_class class, uint64_t *pa, struct ref_fault *fault) {
    struct ref_leaf leaf;
    if (!ref_walk_stage2(smmu, stage2, ipa, class, &leaf, fault)) return false;
    if (!(leaf.permissions & 8) || (stage2->ptw && leaf.device))
        return stage2_fault(fault, F_PERMISSION, class, ipa), false;
    *pa = leaf.output;
    return true;
}

static inline uint8_t stage1_permissions(uint64_t leaf, uint64_t inherited, const struct ref_context *context) {
    bool unprivileged = bit(leaf, 6) && !bit(inherited, 61);
    bool writable = !bit(leaf, 7) && !bit(inherited, 62);
    bool unprivileged_write = unprivileged && writable;
    unsigned user = unprivileged ? (writable ? 3 : 1) : 0;
    unsigned system = writable ? 3 : 1;
    if (context->pan && unprivileged) system = 0;
    if (!bit(leaf, 54) && !bit(inherited, 60) && !(context->wxn && unprivileged_write)) user |= 4;
    if (!bit(leaf, 53) && !bit(inherited, 59) && !unprivileged_write && !(context->wxn && writable)) system |= 4;
    return (uint8_t)(user | system << 3);
}

static inline uint8_t el2_permissions(uint64_t leaf, uint64_t inherited, const struct ref_context *context) {
    bool writable = !bit(leaf, 7) && !bit(inherited, 62);
    bool execute = !bit(leaf, 54) && !bit(inherited, 60) && !(context->wxn && writable);
    unsigned both = 1 | (writable ? 2 : 0) | (execute ? 4 : 0);
    return (uint8_t)(both | both << 3);
}

static inline bool stage1_fault(struct ref_fault *fault, enum ref_fault_id id) {
    *fault = (struct ref_fault){.id = id, .event_class = CLASS_IN};
    return false;
}

// `stage2` is NULL unless the walk is nested.
bool ref_walk_stage1(const struct ref_smmu *smmu, const struct ref_context *context, const struct ref_table *table,
                     uint64_t address, bool el2, const struct ref_stage2 *stage2, struct ref_leaf *leaf,
                     struct ref_fault *fault) {
    unsigned granule = table->granule, level = table->start_level, oas = smmu->ids.oas;
    uint64_t input = address & ones(table->input_bits), base = table->base, inherited = 0, word;
    uint64_t index = input >> level_shift(granule, level);
    for (;;) {
        uint64_t location = base + index * 8;
        if (stage2 && !ref_translate_fetch(smmu, stage2, location, CLASS_TTD, &location, fault)) return false;
        if (!load_word(smmu, location, &word)) {
            *fault = (struct ref_fault){
                .id = F_WALK_EABT, .event_class = CLASS_TTD, .address = location & UINT64_C(0x000ffffffffffff8)};
            return false;
        }
        if (context->big_endian) word = __builtin_bswap64(word);
        switch (descriptor_kind(word, level, granule, oas)) {
        case INVALID:
            return stage1_fault(fault, F_TRANSLATION);
        case TABLE:
            base = descriptor_address(word, granule, granule, oas);
            if (base > ones(table->output_bits)) return stage1_fault(fault, F_ADDR_SIZE);
            if (!table->had) inherited |= word;
            level++;
            index = (input >> level_shift(granule, level)) & ones(granule - 3);
            break;
        case LEAF: {
            unsigned shift = level_shift(granule, level);
            uint64_t output = descriptor_address(word, shift, granule, oas) | (input & ones(shift));
            if (output > ones(table->output_bits)) return stage1_fault(fault, F_ADDR_SIZE);
            if (!bit(word, 10) && !context->affd) return stage1_fault(fault, F_ACCESS);
            *leaf = (struct ref_leaf){
                .output = output, .size_log2 = shift, .level = level, .global = !el2 && !bit(word, 11),
                .permissions =
                    el2 ? el2_permissions(word, inherited, context) : stage1_permissions(word, inherited, context)};
            return true;
        }
        }
    }
}
