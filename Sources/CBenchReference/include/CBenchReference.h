// A software SMMU in plain C, for the benchmarks to compare the Swift model with: the same tables, the same checks, the
// same caches. It knows only what the benchmarks ask for: stage 1, stage 2 and nested streams without ATS and stalls.

#ifndef CBENCHREFERENCE_H
#define CBENCHREFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "ref_forward.h"
#include "ref_sockets.h"

struct ref_smmu;

struct ref_setup {
    uint64_t *memory;
    uint64_t memory_bytes;
    uint32_t idr[6];
    uint64_t stream_table_base;
    uint32_t stream_table_config;
    uint64_t event_queue_base;
    uint32_t tlb_capacity;
    uint32_t config_capacity;
};

struct ref_smmu *ref_create(const struct ref_setup *setup);
void ref_destroy(struct ref_smmu *smmu);

// Operation i asks for stream `stream + (i & stream_mask)` and for page `(i >> page_shift) & page_mask` from `address`.
struct ref_pattern {
    uint32_t stream;
    uint32_t stream_mask;
    uint64_t address;
    uint64_t page_mask;
    uint32_t page_shift;
};

struct ref_command {
    uint64_t d0;
    uint64_t d1;
};

// Each does operations first ... first + count - 1 and returns a sum over what came out, which Swift's has to equal.
uint64_t ref_run_translate(struct ref_smmu *smmu, struct ref_pattern pattern, uint64_t first, uint64_t count);
uint64_t ref_run_execute(struct ref_smmu *smmu, struct ref_command command, struct ref_pattern addresses, bool refill,
                         uint64_t first, uint64_t count);
uint64_t ref_run_validate(const uint32_t idr[6], const struct ref_command *commands, uint64_t mask, uint64_t first,
                          uint64_t count);
uint64_t ref_run_nested(const uint32_t idr[6], const struct ref_command *commands, uint64_t mask, uint64_t first,
                        uint64_t count);

// Calls of malloc and its relatives in this process so far.
uint64_t ref_allocations(void);

#endif
