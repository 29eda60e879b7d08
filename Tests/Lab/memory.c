/* memory.c: memory of which the half may be holes, for whoever looks at which control group pays for what. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lab.h"

#define SIZE UINT64_C(0x10000000)

static struct smmu_broker_client broker;

void hold_memory(const char *socket, const char *address, bool allocated) {
    struct smmu_broker_hello_reply hello;
    struct smmu_broker_vsmmu_create_reply smmu;
    const uint32_t access = SMMU_BROKER_MEMORY_READ | SMMU_BROKER_MEMORY_WRITE;
    int fd = memfd_create("half-written", MFD_CLOEXEC);
    unsigned char *bytes = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)SIZE) == 0)
        bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need("a file of memory", bytes != MAP_FAILED, "%s", strerror(errno));
    for (uint64_t offset = 0; offset < SIZE / 2; offset += 4096)
        bytes[offset] = 1;
    if (allocated && fallocate(fd, 0, 0, (off_t)SIZE) != 0)
        need("memory can be allocated", false, "%s", strerror(errno));
    need("the broker listens", smmu_broker_connect(&broker, socket) == 0, "%s", strerror(errno));
    int result = smmu_broker_client_hello(&broker, "memory", 0, &hello);
    need("HELLO", result == 0, "%s", smmu_broker_error_text(&broker));
    result = smmu_broker_client_vsmmu_create(&broker, address, NULL, &smmu, NULL, 0);
    need("VSMMU_CREATE", result >= 0, "%s", smmu_broker_error_text(&broker));
    printf("written\n");
    fflush(stdout);
    /* Whoever started this has looked, and lets it go on. */
    getchar();
    result = smmu_broker_client_memory_map(&broker, fd, RAM_BASE, SIZE, 0, access);
    printf("%s%s\n", result == 0 ? "mapped" : "refused: ", result == 0 ? "" : smmu_broker_error_text(&broker));
    fflush(stdout);
    for (;;)
        pause();
}
