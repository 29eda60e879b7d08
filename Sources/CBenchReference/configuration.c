#include "reference.h"

void ref_decode_ids(struct ref_ids *ids, const uint32_t idr[6]) {
    static const unsigned address_bits[8] = {32, 36, 40, 42, 44, 48, 52, 52};
    uint32_t idr0 = idr[0], idr1 = idr[1], idr3 = idr[3], idr5 = idr[5];
    *ids = (struct ref_ids){
        .oas = address_bits[idr5 & 7], .sid_size = min_u(bits(idr1, 5, 0), 32),
        .ssid_size = min_u(bits(idr1, 10, 6), 20), .stall_model = bits(idr0, 25, 24),
        .event_queue_log2 = bits(idr1, 20, 16), .s1p = bit(idr0, 1), .s2p = bit(idr0, 0), .aarch64 = bit(idr0, 3),
        .hyp = bit(idr0, 9), .ats = bit(idr0, 10), .ns1ats = bit(idr0, 11), .asid16 = bit(idr0, 12),
        .msi = bit(idr0, 13), .vmid16 = bit(idr0, 18), .cd2l = bit(idr0, 19), .st2l = bits(idr0, 28, 27) == 1,
        .term_aborts = bit(idr0, 26), .perms_ovr = bit(idr1, 26), .had = bit(idr3, 2), .xnx = bit(idr3, 4),
        .fwb = bit(idr3, 8), .stt = bit(idr3, 9), .ril = bit(idr3, 10), .e0pd = bit(idr3, 13),
        .vax = bits(idr5, 11, 10) == 1 || bits(idr5, 11, 10) == 2, .ds = bit(idr5, 7), .httu = bits(idr0, 7, 6),
        .tt_endian = bits(idr0, 22, 21)};
    for (int i = 0; i < 6; i++) ids->idr[i] = idr[i];
}

static bool endianness_allowed(const struct ref_ids *ids, bool big) {
    return ids->tt_endian == 0 || (ids->tt_endian == 3 ? big : !big);
}

static bool granule_supported(const struct ref_ids *ids, unsigned granule) {
    return bit(ids->idr[5], granule == 12 ? 4 : granule == 14 ? 5 : 6);
}

static unsigned largest_tsz(const struct ref_ids *ids, unsigned granule) {
    return ids->stt ? (granule == 16 ? 47 : 48) : 39;
}

static unsigned output_bits(const struct ref_ids *ids, unsigned code, unsigned granule) {
    static const unsigned address_bits[8] = {32, 36, 40, 42, 44, 48, 52, 52};
    unsigned bits = min_u(address_bits[code], ids->oas);
    return granule == 16 ? bits : min_u(bits, 48);
}

static unsigned level_shift(unsigned granule, unsigned level) { return granule + (granule - 3) * (3 - level); }

static uint64_t table_base(uint64_t base, unsigned input_bits, unsigned shift, unsigned output_bits) {
    int log2 = (int)input_bits - (int)shift + 3, least = output_bits == 52 ? 6 : 3;
    return base & ~ones((unsigned)(log2 > least ? log2 : least));
}

// 0: reserved.
static unsigned granule_of_tg0(unsigned code) { return (unsigned[]){12, 16, 14, 0}[code]; }
static unsigned granule_of_tg1(unsigned code) { return (unsigned[]){0, 14, 12, 16}[code]; }

// The level, or -1 when S2SL0 does not fit.
static int stage2_start_level(const struct ref_ids *ids, unsigned sl0, unsigned granule, int input_bits) {
    int level;
    if (granule == 12) {
        if (sl0 == 3 && !ids->stt) return -1;
        level = sl0 == 3 ? 3 : 2 - (int)sl0;
    } else {
        if (sl0 == 3) return -1;
        level = 3 - (int)sl0;
    }
    if (sl0 == 2 && ids->oas < (granule == 14 ? 42u : 44u)) return -1;
    int stride = (int)granule - 3, smallest = (3 - level) * stride + (int)granule + 1;
    return smallest <= input_bits && input_bits <= smallest + stride - 1 + 4 ? level : -1;
}

static bool stage2_legal(const struct ref_ids *ids, const uint64_t *ste) {
    if (!ids->s2p || !bit(ste[2], 51) || !ids->aarch64) return false;
    if (ids->httu == 0 && (bit(ste[2], 55) || bit(ste[2], 56))) return false;
    if (ids->stall_model == 1 && bit(ste[2], 57)) return false;
    if (ids->stall_model == 2 && !bit(ste[2], 57)) return false;
    if (!endianness_allowed(ids, bit(ste[2], 52))) return false;
    unsigned granule = granule_of_tg0((unsigned)bits(ste[2], 47, 46));
    if (!granule || !granule_supported(ids, granule)) return false;
    unsigned t0sz = (unsigned)bits(ste[2], 37, 32);
    int input_bits = 64 - (int)t0sz;
    if (t0sz > largest_tsz(ids, granule)) return false;
    if (input_bits > (int)(granule == 16 ? ids->oas : min_u(ids->oas, 48))) return false;
    if (stage2_start_level(ids, (unsigned)bits(ste[2], 39, 38), granule, input_bits) < 0) return false;
    uint64_t base = ste[3] & UINT64_C(0x000ffffffffffff0);
    return !(base & ~ones(output_bits(ids, (unsigned)bits(ste[2], 50, 48), granule)));
}

static bool ste_legal(const struct ref_ids *ids, const uint64_t *ste) {
    unsigned config = (unsigned)bits(ste[0], 3, 1);
    if (!bit(ste[0], 0)) return false;
    if (config <= 4) return true;
    bool stage1 = config & 1, stage2 = config & 2;
    unsigned world = config == 5 && ids->hyp ? (unsigned)bits(ste[1], 31, 30) : 0;
    if (stage1) {
        unsigned cd_max = ids->ssid_size ? (unsigned)bits(ste[0], 63, 59) : 0;
        unsigned format = (unsigned)bits(ste[0], 5, 4);
        if (!ids->s1p || cd_max > ids->ssid_size) return false;
        if (cd_max && (format == 1 || format == 2) && !ids->cd2l) return false;
        if (!stage2 && (ste[0] & UINT64_C(0x000fffffffffffc0) & ~ones(ids->oas))) return false;
        if (bit(ste[1], 27) && ids->stall_model != 0) return false;
        if (world & 1) return false;
    }
    if (stage2 && !stage2_legal(ids, ste)) return false;
    if (ids->ats) {
        unsigned eats = (unsigned)bits(ste[1], 29, 28);
        if (eats == 1 && stage2 && bit(ste[2], 57)) return false;
        if (eats == 2 && (config != 7 || bit(ste[2], 57) || ids->ns1ats)) return false;
    }
    return !(ids->s2p && world == 0 && !ids->vmid16 && bits(ste[2], 15, 0) > 0xff);
}

static bool load_line(const struct ref_smmu *smmu, uint64_t address, uint64_t line[8]) {
    for (unsigned i = 0; i < 8; i++)
        if (!load_word(smmu, address + i * 8, &line[i])) return false;
    return true;
}

static bool ste_address(const struct ref_smmu *smmu, uint32_t sid, uint64_t *address, struct ref_fault *fault) {
    uint32_t config = smmu->setup.stream_table_config;
    unsigned log2_size = (unsigned)bits(config, 5, 0), split = (unsigned)bits(config, 10, 6);
    uint64_t base = smmu->setup.stream_table_base & UINT64_C(0x000fffffffffffc0), word;
    if ((uint64_t)sid >> min_u(log2_size, smmu->ids.sid_size)) return fault->id = C_BAD_STREAMID, false;
    if (bits(config, 17, 16) != 1 || !smmu->ids.st2l) {
        *address = (base & ~ones(log2_size + 6)) + (uint64_t)sid * 64;
        return true;
    }
    if (split != 8 && split != 10) split = 6;
    unsigned first_log2 = log2_size + 3 > split + 6 ? log2_size - split + 3 : 6;
    uint64_t location = (base & ~ones(first_log2)) + ((uint64_t)sid >> split) * 8, index = sid & ones(split);
    if (!load_word(smmu, location, &word)) {
        *fault = (struct ref_fault){.id = F_STE_FETCH, .address = location};
        return false;
    }
    unsigned span = (unsigned)bits(word, 4, 0);
    if (span == 0 || span > split + 1 || index >> (span - 1)) return fault->id = C_BAD_STREAMID, false;
    *address = (word & UINT64_C(0x000fffffffffffc0) & ~ones(6 + span - 1)) + index * 64;
    return true;
}

static void decode_stage2(struct ref_stage2 *stage2, const struct ref_ids *ids, const uint64_t *ste) {
    unsigned granule = granule_of_tg0((unsigned)bits(ste[2], 47, 46));
    if (!granule) granule = 12;
    int width = 64 - (int)bits(ste[2], 37, 32);
    unsigned input_bits = width > 52 ? 52 : (unsigned)width;
    int level = stage2_start_level(ids, (unsigned)bits(ste[2], 39, 38), granule, (int)input_bits);
    unsigned start = level < 0 ? 3 : (unsigned)level;
    unsigned output = output_bits(ids, (unsigned)bits(ste[2], 50, 48), granule);
    *stage2 = (struct ref_stage2){
        .base = table_base(ste[3] & UINT64_C(0x000ffffffffffff0), input_bits, level_shift(granule, start), output),
        .granule = granule, .start_level = start, .input_bits = input_bits, .output_bits = output,
        .big_endian = bit(ste[2], 52), .affd = bit(ste[2], 53), .ptw = bit(ste[2], 54),
        .fwb = bit(ste[1], 25) && ids->fwb, .record = bit(ste[2], 58)};
}

const struct ref_stream *ref_find_stream(struct ref_smmu *smmu, uint32_t sid, struct ref_fault *fault) {
    const struct ref_ids *ids = &smmu->ids;
    uint64_t location, ste[8], evicted_tag;
    bool evicted;
    int32_t slot = cache_find(&smmu->streams, sid, 0);
    if (slot >= 0) return &smmu->stream_values[slot];
    if (!ste_address(smmu, sid, &location, fault)) return NULL;
    if (!load_line(smmu, location, ste)) {
        *fault = (struct ref_fault){.id = F_STE_FETCH, .address = location};
        return NULL;
    }
    if (!ste_legal(ids, ste)) return fault->id = C_BAD_STE, NULL;
    unsigned config = (unsigned)bits(ste[0], 3, 1);
    struct ref_stream *stream = &smmu->stream_values[cache_insert(&smmu->streams, sid, 0, &evicted, &evicted_tag)];
    *stream = (struct ref_stream){
        .context_pointer = ste[0] & UINT64_C(0x000fffffffffffc0), .config = config,
        .context_format = (unsigned)bits(ste[0], 5, 4),
        .context_count_log2 = ids->ssid_size ? (unsigned)bits(ste[0], 63, 59) : 0,
        .default_substream = (unsigned)bits(ste[1], 1, 0),
        .world = config == 5 && ids->hyp ? (unsigned)bits(ste[1], 31, 30) : 0,
        .privilege_override = ids->perms_ovr ? (unsigned)bits(ste[1], 49, 48) : 0,
        .instruction_override = ids->perms_ovr ? (unsigned)bits(ste[1], 51, 50) : 0, .stall_disabled = bit(ste[1], 27),
        .vmid = !ids->s2p ? 0 : (uint16_t)(ids->vmid16 ? ste[2] : ste[2] & 0xff)};
    decode_stage2(&stream->stage2, ids, ste);
    return stream;
}

static bool cd_table_legal(const struct ref_ids *ids, const uint64_t *cd, unsigned index) {
    unsigned tsz = (unsigned)bits(cd[0], index ? 21 : 5, index ? 16 : 0);
    unsigned granule =
        index ? granule_of_tg1((unsigned)bits(cd[0], 23, 22)) : granule_of_tg0((unsigned)bits(cd[0], 7, 6));
    if (!granule || !granule_supported(ids, granule)) return false;
    if (tsz < (granule == 16 && ids->vax ? 12u : 16u) || tsz > largest_tsz(ids, granule)) return false;
    uint64_t base = cd[1 + index] & UINT64_C(0x000ffffffffffff0);
    return !(base & ~ones(output_bits(ids, (unsigned)bits(cd[0], 34, 32), granule)));
}

static bool cd_legal(const struct ref_ids *ids, const uint64_t *cd, bool stall_disabled) {
    bool uses0 = !bit(cd[0], 14), uses1 = !bit(cd[0], 30), stall = bit(cd[0], 44);
    if (!bit(cd[0], 31) || !bit(cd[0], 41) || !ids->aarch64) return false;
    if (ids->term_aborts && !bit(cd[0], 46)) return false;
    if (stall ? ids->stall_model == 1 || stall_disabled : ids->stall_model == 2) return false;
    if (ids->httu == 0 && (bit(cd[0], 42) || bit(cd[0], 43))) return false;
    if (!ids->asid16 && bits(cd[0], 63, 48) > 0xff) return false;
    if ((uses0 || uses1) && !endianness_allowed(ids, bit(cd[0], 15))) return false;
    return (!uses0 || cd_table_legal(ids, cd, 0)) && (!uses1 || cd_table_legal(ids, cd, 1));
}

static void decode_table(struct ref_table *table, const struct ref_ids *ids, const uint64_t *cd, unsigned index) {
    int width = 64 - (int)bits(cd[0], index ? 21 : 5, index ? 16 : 0);
    unsigned input_bits = width > 52 ? 52 : width < 12 ? 12 : (unsigned)width;
    unsigned granule =
        index ? granule_of_tg1((unsigned)bits(cd[0], 23, 22)) : granule_of_tg0((unsigned)bits(cd[0], 7, 6));
    if (!granule) granule = 12;
    int level = 4 - ((int)input_bits - 4) / ((int)granule - 3);
    unsigned start = level < 0 ? 0 : level > 3 ? 3 : (unsigned)level;
    unsigned output = output_bits(ids, (unsigned)bits(cd[0], 34, 32), granule);
    *table = (struct ref_table){
        .base =
            table_base(cd[1 + index] & UINT64_C(0x000ffffffffffff0), input_bits, level_shift(granule, start), output),
        .granule = granule, .start_level = start, .input_bits = input_bits, .output_bits = output,
        .walk_disabled = bit(cd[0], index ? 30 : 14), .top_byte_ignored = bit(cd[0], index ? 39 : 38),
        .had = bit(cd[1 + index], 1) && ids->had, .e0pd = bit(cd[1 + index], 2) && ids->e0pd};
}

static bool cd_address(const struct ref_smmu *smmu, uint32_t ssid, const struct ref_stream *stream, uint64_t *address,
                       struct ref_fault *fault) {
    uint64_t ipa, location, word;
    if (stream->context_count_log2 == 0 || stream->context_format == 0 || stream->context_format == 3) {
        *address = stream->context_pointer + (uint64_t)ssid * 64;
        return true;
    }
    unsigned leaf_bits = stream->context_format == 1 ? 6 : 10;
    location = ipa = stream->context_pointer + (ssid >> leaf_bits) * 8;
    if (stream->config == 7 && !ref_translate_fetch(smmu, &stream->stage2, ipa, CLASS_CD, &location, fault))
        return false;
    if (!load_word(smmu, location, &word)) {
        *fault = (struct ref_fault){.id = F_CD_FETCH, .address = location};
        return false;
    }
    uint64_t pointer = word & UINT64_C(0x000ffffffffff000);
    if (!bit(word, 0) || (stream->config != 7 && pointer > ones(smmu->ids.oas)))
        return fault->id = C_BAD_SUBSTREAMID, false;
    *address = pointer + (ssid & ones(leaf_bits)) * 64;
    return true;
}

const struct ref_context *ref_find_context(struct ref_smmu *smmu, uint32_t sid, uint32_t ssid,
                                           const struct ref_stream *stream, struct ref_fault *fault) {
    const struct ref_ids *ids = &smmu->ids;
    uint64_t location, cd[8], evicted_tag;
    bool evicted;
    int32_t slot = cache_find(&smmu->contexts, sid, ssid);
    if (slot >= 0) return &smmu->context_values[slot];
    if (!cd_address(smmu, ssid, stream, &location, fault)) return NULL;
    if (stream->config == 7 && !ref_translate_fetch(smmu, &stream->stage2, location, CLASS_CD, &location, fault))
        return NULL;
    if (!load_line(smmu, location, cd)) {
        *fault = (struct ref_fault){.id = F_CD_FETCH, .address = location};
        return NULL;
    }
    if (!cd_legal(ids, cd, stream->stall_disabled)) return fault->id = C_BAD_CD, NULL;
    uint32_t free_slot = cache_insert(&smmu->contexts, sid, ssid, &evicted, &evicted_tag);
    struct ref_context *context = &smmu->context_values[free_slot];
    decode_table(&context->table[0], ids, cd, 0);
    decode_table(&context->table[1], ids, cd, 1);
    context->asid = (uint16_t)(bits(cd[0], 63, 48) & (ids->asid16 ? 0xffff : 0xff));
    context->big_endian = bit(cd[0], 15);
    context->affd = bit(cd[0], 35);
    context->wxn = bit(cd[0], 36);
    context->pan = bit(cd[0], 40);
    context->record = bit(cd[0], 45);
    context->abort = bit(cd[0], 46) || ids->term_aborts;
    return context;
}
