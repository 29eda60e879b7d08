#include "reference.h"

#include <stdlib.h>

void cache_init(struct ref_cache *cache, uint32_t capacity) {
    uint32_t chains = 16;
    while (chains < capacity) chains *= 2;
    *cache = (struct ref_cache){.chain_mask = chains - 1, .capacity = capacity, .first_free = -1};
    cache->heads = malloc(chains * sizeof *cache->heads);
    cache->slots = malloc(capacity * sizeof *cache->slots);
    for (uint32_t chain = 0; chain < chains; chain++) cache->heads[chain] = -1;
}

void cache_free(struct ref_cache *cache) {
    free(cache->heads);
    free(cache->slots);
}

static void unlink_slot(struct ref_cache *cache, uint32_t slot) {
    int32_t *link = &cache->heads[cache_chain(cache, cache->slots[slot].page, cache->slots[slot].tag)];
    while (*link != (int32_t)slot) link = &cache->slots[*link].next;
    *link = cache->slots[slot].next;
}

uint32_t cache_insert(struct ref_cache *cache, uint64_t page, uint64_t tag, bool *evicted, uint64_t *evicted_tag) {
    uint32_t slot;
    *evicted = false;
    if (cache->first_free >= 0) {
        slot = (uint32_t)cache->first_free;
        cache->first_free = cache->slots[slot].next;
        cache->count++;
    } else if (cache->used < cache->capacity) {
        slot = cache->used++;
        cache->count++;
    } else {
        slot = cache->hand;
        cache->hand = cache->hand + 1 == cache->capacity ? 0 : cache->hand + 1;
        *evicted = true;
        *evicted_tag = cache->slots[slot].tag;
        unlink_slot(cache, slot);
    }
    int32_t *head = &cache->heads[cache_chain(cache, page, tag)];
    cache->slots[slot] = (struct ref_slot){.page = page, .tag = tag, .next = *head, .occupied = true};
    *head = (int32_t)slot;
    return slot;
}

void cache_remove(struct ref_cache *cache, uint32_t slot) {
    unlink_slot(cache, slot);
    cache->slots[slot].occupied = false;
    cache->slots[slot].next = cache->first_free;
    cache->first_free = (int32_t)slot;
    cache->count--;
}
