#include "reference.h"

enum opcode {
    PREFETCH_CONFIG = 0x01, PREFETCH_ADDR = 0x02, CFGI_STE = 0x03, CFGI_STE_RANGE = 0x04, CFGI_CD = 0x05,
    CFGI_CD_ALL = 0x06, CFGI_VMS_PIDM = 0x07, TLBI_NH_ALL = 0x10, TLBI_NH_ASID = 0x11, TLBI_NH_VA = 0x12,
    TLBI_NH_VAA = 0x13, TLBI_EL3_ALL = 0x18, TLBI_EL3_VA = 0x1a, TLBI_EL2_ALL = 0x20, TLBI_EL2_ASID = 0x21,
    TLBI_EL2_VA = 0x22, TLBI_EL2_VAA = 0x23, TLBI_S12_VMALL = 0x28, TLBI_S2_IPA = 0x2a, TLBI_NSNH_ALL = 0x30,
    ATC_INV = 0x40, PRI_RESP = 0x41, RESUME = 0x44, STALL_TERM = 0x45, SYNC = 0x46,
};

enum reason { LEGAL, UNKNOWN_OPCODE, SECURE, UNSUPPORTED, EL3, ATC_SIZE, RANGE_RESERVED, FIELD_RESERVED };

static int range_illegality(const struct ref_ids *ids, struct ref_command command) {
    uint64_t tg = bits(command.d1, 11, 10), ttl = bits(command.d1, 9, 8);
    if (!ids->ril || tg == 0) return LEGAL;
    if (tg == 2 && ttl == 1) ttl = 0;
    return !bits(command.d0, 16, 12) && !bits(command.d0, 24, 20) && !ttl ? RANGE_RESERVED : LEGAL;
}

int ref_command_illegality(const struct ref_ids *ids, struct ref_command command) {
    unsigned opcode = command.d0 & 0xff;
    switch (opcode) {
    case PREFETCH_CONFIG: case PREFETCH_ADDR: case CFGI_STE: case CFGI_STE_RANGE: case CFGI_CD: case CFGI_CD_ALL:
    case CFGI_VMS_PIDM: case TLBI_NH_ALL: case TLBI_NH_ASID: case TLBI_NH_VA: case TLBI_NH_VAA: case TLBI_EL3_ALL:
    case TLBI_EL3_VA: case TLBI_EL2_ALL: case TLBI_EL2_ASID: case TLBI_EL2_VA: case TLBI_EL2_VAA:
    case TLBI_S12_VMALL: case TLBI_S2_IPA: case TLBI_NSNH_ALL: case ATC_INV: case PRI_RESP: case RESUME:
    case STALL_TERM: case SYNC:
        break;
    default:
        return UNKNOWN_OPCODE;
    }
    if (bit(command.d0, 10)) return SECURE;
    switch (opcode) {
    case CFGI_VMS_PIDM:
        return bit(ids->idr[3], 7) ? LEGAL : UNSUPPORTED;
    case TLBI_NH_ALL: case TLBI_NH_ASID:
        return ids->s1p ? LEGAL : UNSUPPORTED;
    case TLBI_NH_VA: case TLBI_NH_VAA:
        return ids->s1p ? range_illegality(ids, command) : UNSUPPORTED;
    case TLBI_EL3_ALL: case TLBI_EL3_VA:
        return EL3;
    case TLBI_EL2_ALL: case TLBI_EL2_ASID:
        return ids->hyp ? LEGAL : UNSUPPORTED;
    case TLBI_EL2_VA: case TLBI_EL2_VAA:
        return ids->hyp ? range_illegality(ids, command) : UNSUPPORTED;
    case TLBI_S12_VMALL:
        return ids->s2p ? LEGAL : UNSUPPORTED;
    case TLBI_S2_IPA:
        return ids->s2p ? range_illegality(ids, command) : UNSUPPORTED;
    case ATC_INV:
        if (!ids->ats) return UNSUPPORTED;
        return bits(command.d1, 5, 0) > 52 ? ATC_SIZE : LEGAL;
    case PRI_RESP:
        if (!bit(ids->idr[0], 16)) return UNSUPPORTED;
        return bits(command.d1, 13, 12) == 3 ? FIELD_RESERVED : LEGAL;
    case RESUME: case STALL_TERM:
        return ids->stall_model == 1 ? UNSUPPORTED : LEGAL;
    case SYNC:
        return bits(command.d0, 13, 12) == 3 ? FIELD_RESERVED : LEGAL;
    default:
        return LEGAL;
    }
}

enum refusal { FORWARD, NOT_FORWARDED, STRAY_BITS, ASID, NO_GRANULE, RESERVED_RANGE, RESERVED_LEVEL, NO_ATS, BIG_ATC };

static int range_refusal(const struct ref_ids *ids, struct ref_command command) {
    uint64_t tg = bits(command.d1, 11, 10), ttl = bits(command.d1, 9, 8);
    bool none = !bits(command.d0, 16, 12) && !bits(command.d0, 25, 20) && !ttl;
    if (tg == 0) return none ? FORWARD : NO_GRANULE;
    if (none) return RESERVED_RANGE;
    return tg == 2 && ttl == 1 && !ids->ds ? RESERVED_LEVEL : FORWARD;
}

int ref_nested_refusal(const struct ref_ids *ids, struct ref_command command) {
    uint64_t range = ids->ril ? (ids->ds ? 0x03f1f000 : 0x01f1f000) : 0;
    uint64_t addressed = ids->ril ? UINT64_C(0xffffffffffffff01) : UINT64_C(0xfffffffffffff001);
    bool substreams = ids->ssid_size > 0;
    uint64_t d0, d1 = 0;
    unsigned opcode = command.d0 & 0xff;
    switch (opcode) {
    case TLBI_NSNH_ALL:
        d0 = 0xff;
        break;
    case TLBI_NH_ALL:
        d0 = UINT64_C(0x0000ffff000000ff);
        break;
    case TLBI_NH_VA:
        d0 = UINT64_C(0xffffffff000000ff) | range;
        d1 = addressed;
        break;
    case TLBI_NH_VAA:
        d0 = UINT64_C(0x0000ffff000000ff) | range;
        d1 = addressed;
        break;
    case ATC_INV:
        d0 = substreams ? UINT64_C(0xfffffffffffffaff) : UINT64_C(0xffffffff000000ff);
        d1 = UINT64_C(0xfffffffffffff03f);
        break;
    case CFGI_CD:
        d0 = substreams ? UINT64_C(0xfffffffffffff0ff) : UINT64_C(0xffffffff000000ff);
        d1 = 1;
        break;
    case TLBI_NH_ASID: case CFGI_CD_ALL:
        d0 = UINT64_C(0xffffffff000000ff);
        break;
    default:
        return NOT_FORWARDED;
    }
    if ((command.d0 & ~d0) || (command.d1 & ~d1)) return STRAY_BITS;
    bool asid_too_large = !ids->asid16 && command.d0 >> 56;
    switch (opcode) {
    case TLBI_NH_ASID:
        return asid_too_large ? ASID : FORWARD;
    case TLBI_NH_VA:
        return asid_too_large ? ASID : range_refusal(ids, command);
    case TLBI_NH_VAA:
        return range_refusal(ids, command);
    case ATC_INV:
        if (!ids->ats) return NO_ATS;
        return bits(command.d1, 5, 0) > 52 ? BIG_ATC : FORWARD;
    default:
        return FORWARD;
    }
}
