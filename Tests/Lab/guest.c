/* guest.c: RAM, and what a guest's driver of an SMMU writes into it (IHI 0070, 5; DDI 0487, D8). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lab.h"

static unsigned char *ram;

int make_ram(void) {
    int fd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *address = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)RAM_SIZE) == 0)
        address = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED)
        need("guest RAM can be made", false, "%s", strerror(errno));
    ram = address;
    return fd;
}

void *ram_at(uint64_t ipa) { return ram + (ipa - RAM_BASE); }

static uint32_t word(uint32_t seed, uint64_t index) { return seed * UINT32_C(2654435761) + (uint32_t)index; }

void fill(uint64_t ipa, uint32_t seed) {
    uint32_t *words = ram_at(ipa);
    for (uint64_t index = 0; index < 1024; index++)
        words[index] = word(seed, index);
}

bool holds(uint64_t ipa, uint32_t seed, uint64_t bytes) {
    const uint32_t *words = ram_at(ipa);
    for (uint64_t index = 0; index < bytes / 4; index++)
        if (words[index] != word(seed, index))
            return false;
    return true;
}

void new_tree(struct tree *tree, uint64_t root) {
    memset(ram_at(root), 0, 4096);
    *tree = (struct tree){.root = root, .next = root + 4096};
}

void set_page(struct tree *tree, uint64_t iova, uint64_t descriptor) {
    uint64_t table = tree->root;
    for (int shift = 30; shift > 12; shift -= 9) {
        uint64_t *entry = (uint64_t *)ram_at(table) + (iova >> shift & 511);
        if (*entry == 0) {
            memset(ram_at(tree->next), 0, 4096);
            *entry = tree->next | 3;
            tree->next += 4096;
        }
        table = *entry & UINT64_C(0x0000fffffffff000);
    }
    __atomic_store_n((uint64_t *)ram_at(table) + (iova >> 12 & 511), descriptor, __ATOMIC_SEQ_CST);
}

void write_cd(uint64_t at, uint64_t root, uint32_t oas, bool valid) {
    volatile uint64_t *cd = ram_at(at);
    for (int index = 1; index < 8; index++)
        cd[index] = 0;
    cd[1] = root;
    cd[3] = 0xff; /* MAIR: attribute 0 is write-back memory */
    /* T0SZ 25, walks inner shareable and write-back, EPD1, IPS, AA64, R, A, ASET, ASID. */
    uint64_t first = 25 | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 30 | (uint64_t)oas << 32 | UINT64_C(1) << 41
        | UINT64_C(7) << 45 | (uint64_t)ASID << 48;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    cd[0] = first | (valid ? UINT64_C(1) << 31 : 0);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void make_ste(uint64_t ste[8], enum ste_config config, uint64_t cd) {
    memset(ste, 0, 64);
    ste[0] = 1 | (uint64_t)config << 1;
    if (config != STE_STAGE1)
        return;
    ste[0] |= cd;
    /* S1DSS 2; the CD is inner shareable write-back memory. */
    ste[1] = 2 | 1u << 2 | 1u << 4 | 3u << 6;
}
