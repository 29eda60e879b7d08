/*
 * lab.h: what the lab's VMM is made of.
 *
 * The lab is a virtual machine in which Linux drives an emulated SMMUv3. The VMM plays three parts there: the guest,
 * which writes a CD, page tables and STEs into its RAM; the VMM, which tells the broker of them; and whoever uses the
 * device, an `edu` of QEMU (docs/specs/edu.rst of QEMU), which copies between memory and a buffer of its own.
 */
#ifndef LAB_H
#define LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "smmu_broker_client.h"

/* ---- Telling (report.c) ------------------------------------------------------------------------------------------ */

/* One check, by a name that is its own; what is behind it says more when it fails. Returns `holds`. */
bool check(const char *name, bool holds, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Something worth to be known. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program: without this nothing else can be checked. */
void need(const char *name, bool holds, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The checks that have failed. */
int failures(void);
/* Says so, and waits for a line on standard input: whoever started this has looked then. */
void report_and_wait(const char *said);

/* ---- The guest (guest.c) ----------------------------------------------------------------------------------------- */

#define RAM_BASE UINT64_C(0x40000000)
#define RAM_SIZE UINT64_C(0x2000000)
#define COMMAND_QUEUE (RAM_BASE + 0x8000) /* 256 commands */
#define CD_A (RAM_BASE + 0x10000)
#define CD_B (RAM_BASE + 0x11000)
#define CD_INVALID (RAM_BASE + 0x12000) /* V 0 */
#define TREE_A (RAM_BASE + 0x100000)
#define TREE_B (RAM_BASE + 0x200000)
/* Pages of data: page N has what `fill` writes for N. */
#define PAGE(n) (RAM_BASE + 0x1000000 + (uint64_t)(n) * 4096)
/* The pages that the device sees. */
#define IOVA(n) (UINT64_C(0x1200000000) + (uint64_t)(n) * 4096)
/* Below RAM, and nothing is there. */
#define HOLE UINT64_C(0x20000000)

enum { ASID = 7, SCRATCH = 500 };

#define PTE_READ_WRITE UINT64_C(0xf43) /* a page, EL0 may write, inner shareable, AF, nG */
#define PTE_READ_ONLY UINT64_C(0xfc3)

/* A stage-1 tree of 39-bit addresses and 4K pages: tables are handed out upwards from its root. */
struct tree {
    uint64_t root;
    uint64_t next;
};

/* Makes the guest's RAM; returns its memfd. */
int make_ram(void);
void *ram_at(uint64_t ipa);
void fill(uint64_t ipa, uint32_t seed);
bool holds(uint64_t ipa, uint32_t seed, uint64_t bytes);

void new_tree(struct tree *tree, uint64_t root);
void set_page(struct tree *tree, uint64_t iova, uint64_t descriptor);
void write_cd(uint64_t at, uint64_t root, uint32_t oas, bool valid);

enum ste_config { STE_ABORT = 0, STE_BYPASS = 4, STE_STAGE1 = 5 };
/* `cd` is of STE_STAGE1. */
void make_ste(uint64_t ste[8], enum ste_config config, uint64_t cd);

/* ---- The device (edu.c) ------------------------------------------------------------------------------------------ */

struct edu {
    int device; /* of VFIO */
    volatile uint8_t *bar;
};

/* Maps its registers and lets it do DMA. False: it is none, or VFIO refuses. */
bool edu_open(struct edu *edu, int device);
void edu_close(struct edu *edu);
/* Bus mastering, and memory decoding or not: without it there are no registers. */
bool edu_enable(struct edu *edu, bool memory);
/* All of its registers as a dma-buf, or -errno. */
int edu_export(struct edu *edu);
#define EDU_BAR_SIZE 0x100000
#define EDU_INVERTED 4 /* a register that gives back the complement of what is written */
uint32_t edu_inverted(struct edu *edu);
/* From memory into the device, and back; false: it did not end within 10 s. */
bool edu_read(struct edu *edu, uint64_t iova, uint64_t bytes);
bool edu_write(struct edu *edu, uint64_t iova, uint64_t bytes);
/* Starts a transfer and leaves it to itself. */
void edu_start_write(struct edu *edu, uint64_t iova, uint64_t bytes);
bool edu_wait(struct edu *edu);
/* The first MSI vector fires `event_fd`; -1: none again. 0, or -errno. */
int edu_interrupts(struct edu *edu, int event_fd);
/* Raises an interrupt, and takes back what has been raised. */
void edu_raise(struct edu *edu);
void edu_acknowledge(struct edu *edu);

/* ---- The VMM (vmm.c) --------------------------------------------------------------------------------------------- */

struct vmm {
    struct smmu_broker_client *broker;
    struct smmu_broker_vsmmu_create_reply smmu;
    struct smmu_broker_device_attach_reply attached;
    uint32_t vsid;
    const char *address;
    struct edu edu;
    struct tree a, b;
    int ram;
    int events;
    uint64_t next_event; /* sequence number */
    uint32_t gaps;       /* in these */
};

/* HELLO, a vSMMU, memory, the device, events: everything but turning it on. `what` names the program for the broker. */
void vmm_open(struct vmm *vmm, const char *socket, const char *address, const char *what);
void vmm_attach(struct vmm *vmm);
void vmm_close(struct vmm *vmm);
/* 0 or the errno; `context` may be NULL. */
int vmm_set_ste(struct vmm *vmm, const uint64_t ste[8], struct smmu_broker_context *context);
/* SMMUEN with an STE, or off. */
int vmm_turn_on(struct vmm *vmm, const uint64_t ste[8], struct smmu_broker_context *context);
int vmm_turn_off(struct vmm *vmm, uint32_t flags, struct smmu_broker_context *context);
/* Commands with a SYNC behind them. */
int vmm_command(struct vmm *vmm, uint64_t word0, uint64_t word1);

/* The next record, waiting so many milliseconds for it. False: none came. Of LOST `lost` has the count. */
struct event {
    struct smmu_broker_event_record record;
    uint32_t generation;
    uint64_t lost;
};
bool vmm_event(struct vmm *vmm, struct event *event, int milliseconds);
/* Takes what is there; how many records. */
uint64_t vmm_drain(struct vmm *vmm);

/*
 * Which of two pages does the device reach by this IOVA? -1: neither. It reads the page, and shows what it has read in
 * the scratch page, by `scratch`: an IOVA that both trees have, or an IPA while stage 1 is off.
 */
int vmm_which(struct vmm *vmm, uint64_t iova, int one, int other, uint64_t scratch);

/* Whether the scratch page stays as it is while the device writes 4 KiB there: by this IOVA, or IPA. */
bool is_closed(struct vmm *vmm, uint64_t to);

#define TLBI_NH_ALL UINT64_C(0x10)
#define TLBI_NH_ASID(asid) (UINT64_C(0x11) | (uint64_t)(asid) << 48)
#define TLBI_NH_VA(asid) (UINT64_C(0x12) | (uint64_t)(asid) << 48)
#define TLBI_NH_VAA UINT64_C(0x13)
#define TLBI_NSNH_ALL UINT64_C(0x30)
#define CFGI_CD(vsid) (UINT64_C(0x05) | (uint64_t)(vsid) << 32)
#define CFGI_CD_ALL(vsid) (UINT64_C(0x06) | (uint64_t)(vsid) << 32)
#define ATC_INV(vsid) (UINT64_C(0x40) | (uint64_t)(vsid) << 32)
#define SYNC UINT64_C(0x46)
#define LEAF UINT64_C(1)

/* ---- The checks: a file each, or the one of its name ------------------------------------------------------------- */

void check_bypass(struct vmm *vmm);
void check_dma(struct vmm *vmm);
void check_invalidation(struct vmm *vmm);
void check_context_descriptors(struct vmm *vmm);
void check_batches(struct vmm *vmm);
void check_guest_queue(struct vmm *vmm);
void check_other_stes(struct vmm *vmm);

void check_faults(struct vmm *vmm);
void check_overflow(struct vmm *vmm);
void check_rebind(struct vmm *vmm);
void check_stage2(struct vmm *vmm);
void check_interrupts(struct vmm *vmm);
void check_reset(struct vmm *vmm);
void check_detach(struct vmm *vmm);
void check_denied(struct vmm *vmm);

/* The VMM's device is the first of these addresses. */
void check_replacement(struct vmm *vmm, int count, char **addresses);
/* Of holder.c; `other` is the address of another device behind the same SMMU, which nobody has. */
void check_orphan(struct vmm *vmm, const char *socket, const char *other);
void check_hostile(const char *socket, const char *address, const char *victims, const char *other);
/* Of released.c: the device is taken back meanwhile. */
void check_released(struct vmm *vmm);
/* The VMM's device reaches the registers of the one at this address. */
void check_device_memory(struct vmm *vmm, const char *address);
/* Beside the VMM, and in turns with it, the device at this address without the broker. */
void measure(struct vmm *vmm, const char *address);
/* Maps memory, with holes or without, when there is a line on standard input. */
void hold_memory(const char *socket, const char *address, bool allocated) __attribute__((noreturn));

/* ---- A device without the broker (direct.c) ---------------------------------------------------------------------- */

/* What a VMM has that holds /dev/iommu by itself. */
struct direct {
    struct edu edu;
    int iommu;
    int events; /* of the vEVENTQ */
    uint32_t device;
    uint32_t viommu;
    uint32_t nested;
};

/* Memory as the VMM has it, and a stage 1. Whatever fails ends the program. */
void direct_open(struct direct *direct, const char *address, int ram, uint32_t vsid, const uint64_t ste[8]);
/* Replaces the stage 1, as Linux wants it: a new one, attached, and then the old one destroyed. */
void direct_set_ste(struct direct *direct, const uint64_t ste[8]);
/* So many commands in one call. */
void direct_invalidate(struct direct *direct, const struct smmu_broker_command *commands, uint32_t count);
/* Takes the records that are there; how many. */
uint32_t direct_drain(struct direct *direct);
void direct_close(struct direct *direct);

#endif
