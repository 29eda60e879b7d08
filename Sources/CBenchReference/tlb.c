#include "reference.h"

#include <stdlib.h>

void tlb_init(struct ref_tlb *tlb, uint32_t capacity) {
    *tlb = (struct ref_tlb){0};
    cache_init(&tlb->cache, capacity);
    tlb->values = malloc(capacity * sizeof *tlb->values);
}

void tlb_free(struct ref_tlb *tlb) {
    cache_free(&tlb->cache);
    free(tlb->values);
}

static void note(struct ref_tlb *tlb, unsigned size, int32_t change) {
    tlb->counts[size] += change;
    if (tlb->counts[size] > 0)
        tlb->sizes |= UINT64_C(1) << size;
    else
        tlb->sizes &= ~(UINT64_C(1) << size);
}

const struct ref_tlb_entry *tlb_find(const struct ref_tlb *tlb, uint64_t identity, uint64_t address, unsigned *size) {
    for (uint64_t remaining = tlb->sizes; remaining; remaining &= remaining - 1) {
        unsigned candidate = (unsigned)__builtin_ctzll(remaining);
        int32_t slot = cache_find(&tlb->cache, address >> candidate, identity | (uint64_t)candidate << 32);
        if (slot >= 0) {
            *size = candidate;
            return &tlb->values[slot];
        }
    }
    return NULL;
}

void tlb_insert(struct ref_tlb *tlb, uint64_t identity, uint64_t address, unsigned size,
                const struct ref_tlb_entry *entry) {
    bool evicted;
    uint64_t evicted_tag;
    uint64_t tag = identity | (uint64_t)size << 32;
    int32_t present = cache_find(&tlb->cache, address >> size, tag);
    if (entry->global) tlb->may_hold_global = true;
    if (present >= 0) {
        tlb->values[present] = *entry;
        return;
    }
    tlb->values[cache_insert(&tlb->cache, address >> size, tag, &evicted, &evicted_tag)] = *entry;
    if (evicted) note(tlb, bits(evicted_tag, 39, 32), -1);
    note(tlb, size, 1);
}

static void drop(struct ref_tlb *tlb, uint32_t slot) {
    note(tlb, bits(tlb->cache.slots[slot].tag, 39, 32), -1);
    cache_remove(&tlb->cache, slot);
}

void tlb_invalidate_va(struct ref_tlb *tlb, uint16_t vmid, uint16_t asid, uint64_t address) {
    if (!tlb->may_hold_global) {
        for (uint64_t remaining = tlb->sizes; remaining; remaining &= remaining - 1) {
            unsigned size = (unsigned)__builtin_ctzll(remaining);
            int32_t slot = cache_find(&tlb->cache, address >> size, tlb_tag(false, 0, vmid, asid, size));
            if (slot >= 0) drop(tlb, (uint32_t)slot);
        }
        return;
    }
    for (uint32_t slot = 0; slot < tlb->cache.used; slot++) {
        const struct ref_slot *key = &tlb->cache.slots[slot];
        if (!key->occupied || (uint16_t)key->tag != vmid || bits(key->tag, 48, 40) != 0) continue;
        if ((uint16_t)(key->tag >> 16) != asid && !tlb->values[slot].global) continue;
        if (address >> bits(key->tag, 39, 32) == key->page) drop(tlb, slot);
    }
    if (tlb->cache.count == 0) tlb->may_hold_global = false;
}

void tlb_invalidate_asid(struct ref_tlb *tlb, uint16_t vmid, uint16_t asid) {
    // Everything but the size has to be as asked: regime 0, not stage 2 alone.
    uint64_t wanted = tlb_tag(false, 0, vmid, asid, 0);
    for (uint32_t slot = 0; slot < tlb->cache.used; slot++) {
        const struct ref_slot *key = &tlb->cache.slots[slot];
        if (key->occupied && (key->tag & ~(UINT64_C(0xff) << 32)) == wanted) drop(tlb, slot);
    }
    if (tlb->cache.count == 0) tlb->may_hold_global = false;
}
