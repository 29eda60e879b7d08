/*
 * vmm-example [--shared-events] [SOCKET [DEVICE]]: what a VMM does with smmu-broker, from HELLO to a fault in the guest's
 * event queue. With --shared-events the broker itself writes into that queue, and the VMM has no part in it.
 *
 * It plays both sides. As the guest it writes stream table, context descriptor, page tables and commands into its RAM;
 * as the VMM it tells the broker of them; and as the device of the model it reads and writes through the result.
 * One line for each step; exit status 0 only if everything came out as it must.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "smmu_broker_client.h"

#define BIT(n) (UINT64_C(1) << (n))

/* The guest's physical memory (IPA), and where it has what. */
enum { RAM_SIZE = 0x100000 };
#define RAM_BASE UINT64_C(0x40000000)
#define STREAM_TABLE (RAM_BASE + 0x0000) /* linear, 16 STEs */
#define COMMAND_QUEUE (RAM_BASE + 0x1000) /* 256 commands */
#define EVENT_QUEUE (RAM_BASE + 0x2000) /* 128 events */
#define CONTEXT_DESCRIPTOR (RAM_BASE + 0x3000)
#define LEVEL1_TABLE (RAM_BASE + 0x4000)
#define LEVEL2_TABLE (RAM_BASE + 0x5000)
#define LEVEL3_TABLE (RAM_BASE + 0x6000)
#define REGISTER_PAGE (RAM_BASE + 0x7000) /* page 1 of the SMMU, as the guest sees it: EVENTQ_PROD at 0xa8, then CONS */
#define OLD_PAGE (RAM_BASE + 0x10000)
#define NEW_PAGE (RAM_BASE + 0x11000)

enum { VSID = 8, ASID = 1 };
#define IOVA UINT64_C(0x123456000) /* the page that the device sees */
#define UNMAPPED UINT64_C(0xdead0000)

static struct smmu_broker_client broker; /* too large for a stack */
static struct smmu_broker_vsmmu_create_reply smmu;
static unsigned char *ram;
static int shares_events; /* --shared-events */

/* ---- Telling ----------------------------------------------------------------------------------------------------- */

/* Ends the program if a call failed, with the broker's own words where it has some. */
static int done(int result, const char *what) {
    const char *text = smmu_broker_error_text(&broker);
    if (result >= 0)
        return result;
    fprintf(stderr, "Failed to %s: %s\n", what, text[0] != 0 ? text : strerror(-result));
    exit(EXIT_FAILURE);
}

/* Ends the program if something came out otherwise than the architecture and the protocol promise. */
static void must(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "vmm-example: %s, and that must not be\n", what);
    exit(EXIT_FAILURE);
}

/* ---- Guest RAM --------------------------------------------------------------------------------------------------- */

/* A VMM may be asked for any address that a guest has written somewhere: what is not RAM is an error, never a trap. */
static int read_ram(void *user, uint64_t address, void *bytes, size_t size) {
    (void)user;
    if (address < RAM_BASE || size > RAM_SIZE || address - RAM_BASE > RAM_SIZE - size)
        return -EFAULT;
    memcpy(bytes, ram + (address - RAM_BASE), size);
    return 0;
}

static int write_ram(void *user, uint64_t address, const void *bytes, size_t size) {
    (void)user;
    if (address < RAM_BASE || size > RAM_SIZE || address - RAM_BASE > RAM_SIZE - size)
        return -EFAULT;
    memcpy(ram + (address - RAM_BASE), bytes, size);
    return 0;
}

static const struct smmu_broker_memory memory = {.read = read_ram, .write = write_ram};

static void store(uint64_t address, uint64_t word) { must(write_ram(NULL, address, &word, 8) == 0, "a store missed"); }

/* The broker's model maps the file as well: it has to be sure that the file does not shrink under it. */
static int make_ram(void) {
    int fd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, RAM_SIZE) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
        done(-errno, "make guest RAM");
    void *address = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED)
        done(-errno, "map guest RAM");
    ram = address;
    return fd;
}

/* ---- The guest's driver ------------------------------------------------------------------------------------------ */

/* A page that unprivileged accesses may read and write: AF, inner shareable, nG, AP 01, AttrIndx 0. */
static uint64_t page(uint64_t address) { return address | BIT(11) | BIT(10) | 3u << 8 | BIT(6) | 3; }

/* Stage 1 with 39-bit addresses and 4K pages: three levels, in which one page is mapped. */
static void build_stage1(uint32_t oas) {
    store(LEVEL1_TABLE + (IOVA >> 30 & 511) * 8, LEVEL2_TABLE | 3);
    store(LEVEL2_TABLE + (IOVA >> 21 & 511) * 8, LEVEL3_TABLE | 3);
    store(LEVEL3_TABLE + (IOVA >> 12 & 511) * 8, page(OLD_PAGE));

    /* CD: ASID, A, R (record faults), AA64, IPS, V, EPD1, inner shareable write-back walks, 4K granule, T0SZ 25. */
    uint64_t attributes = 3u << 12 | 1u << 10 | 1u << 8;
    store(CONTEXT_DESCRIPTOR, (uint64_t)ASID << 48 | BIT(46) | BIT(45) | BIT(41) | (uint64_t)oas << 32 | BIT(31)
                                  | BIT(30) | attributes | 25);
    store(CONTEXT_DESCRIPTOR + 8, LEVEL1_TABLE);
    store(CONTEXT_DESCRIPTOR + 24, 0xff); /* MAIR: attribute 0 is write-back memory */

    /* STE: V, Config 5 (stage 1), one CD, which is fetched as inner shareable write-back memory. */
    store(STREAM_TABLE + VSID * 64, CONTEXT_DESCRIPTOR | 5 << 1 | 1);
    store(STREAM_TABLE + VSID * 64 + 8, 3u << 6 | 1u << 4 | 1u << 2);
}

/* Puts a command where CMDQ_PROD points; returns the new PROD. */
static uint32_t produce(uint32_t prod, uint64_t d0, uint64_t d1) {
    store(COMMAND_QUEUE + (prod & 255) * 16, d0);
    store(COMMAND_QUEUE + (prod & 255) * 16 + 8, d1);
    return (prod + 1) & 511;
}

/* ---- The VMM ----------------------------------------------------------------------------------------------------- */

static void count_sync(void *user, const struct smmu_broker_sync *sync) {
    (void)sync; /* an MSI or interrupt would be raised here */
    ++*(int *)user;
}

/* Waits for one event of the broker, appends it to the guest's event queue, and gives it back as the guest reads it. */
static struct smmu_broker_event_record take_fault(int socket) {
    static struct smmu_broker_events events;
    struct smmu_broker_event_record record;
    struct smmu_broker_eventq queue = {.base = EVENT_QUEUE | 7, .idr1 = smmu.advertised.idr[1], .memory = memory};
    uint64_t next = 0;
    struct pollfd wait = {.fd = socket, .events = POLLIN};
    must(poll(&wait, 1, 10000) == 1, "no event came within 10 s");
    must(smmu_broker_receive_events(socket, &events) == 1, "the event socket has no packet");
    must(events.header.type == SMMU_BROKER_EVENT, "the packet has no event");
    uint32_t first = smmu_broker_first_new(&events, &next);
    done(smmu_broker_append_events(&queue, events.body.records + first, events.header.count - first),
        "append to the event queue");
    must(queue.appended == 1 && queue.interrupt == 1 && queue.prod == 1, "the guest has other than one event");
    must(read_ram(NULL, EVENT_QUEUE, &record, sizeof record) == 0, "the event queue cannot be read");
    return record;
}

/* One access of the device, of `size` bytes from `data` or to it; the IPA that stage 1 gave. */
static uint64_t write_dma(const char *data, uint32_t size) {
    struct smmu_broker_access_reply reply;
    done(smmu_broker_client_dma_write(&broker, smmu.vsmmu, VSID, IOVA, 0, 0, data, size, &reply), "write");
    return reply.ipa;
}

static uint64_t read_dma(char *data, uint32_t size) {
    struct smmu_broker_access_reply reply;
    done(smmu_broker_client_dma_read(&broker, smmu.vsmmu, VSID, IOVA, 0, 0, data, size, &reply), "read");
    return reply.ipa;
}

/*
 * The guest has set EVENTQEN: from now on the broker writes events into the queue in guest RAM. With KVM `irq` would be an
 * irqfd of the event queue's interrupt, and REGISTER_PAGE a page of the guest: then nothing of what follows here is code of
 * the VMM's, take_interrupt least of all.
 */
static int share_event_queue(int ram_fd) {
    int irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (irq < 0)
        done(-errno, "make an eventfd");
    struct smmu_broker_shared_queue queue = {
        .records_fd = ram_fd, .registers_fd = ram_fd, .signal_fd = irq, .notices_fd = -1,
        .base = EVENT_QUEUE - RAM_BASE, .registers = REGISTER_PAGE - RAM_BASE + 0xa8, .log2 = 7};
    done(smmu_broker_client_events_subscribe_queue(&broker, smmu.vsmmu, &queue), "share the event queue");
    return irq;
}

/* The guest's interrupt handler: takes one event out of its queue. */
static struct smmu_broker_event_record take_interrupt(int irq) {
    struct smmu_broker_event_record record;
    struct smmu_broker_event_ring queue = {
        .records = ram + (EVENT_QUEUE - RAM_BASE), .registers = ram + (REGISTER_PAGE - RAM_BASE) + 0xa8, .log2 = 7};
    struct pollfd wait = {.fd = irq, .events = POLLIN};
    must(poll(&wait, 1, 10000) == 1, "no interrupt came within 10 s");
    must(smmu_broker_take_events(&queue, &record, 1) == 1 && queue.lost == 0, "the guest's queue has no event");
    return record;
}

/* 1 to 3 of docs/protocol.md, "Conversation". Returns what says that there are events. */
static int set_up(const char *path, const char *device, int ram_fd) {
    done(smmu_broker_connect(&broker, path), "connect");
    struct smmu_broker_hello_reply hello;
    uint64_t wanted = SMMU_BROKER_FEATURE_MODEL | SMMU_BROKER_FEATURE_SHARED_EVENTS;
    done(smmu_broker_client_hello(&broker, "vmm-example", wanted, &hello), "say hello");
    must((hello.features & SMMU_BROKER_FEATURE_MODEL) != 0, "the broker's devices are no model, so nothing can do DMA");
    printf("connected    version %" PRIu32 ", up to %" PRIu32 " contexts\n", hello.version, hello.maximum_contexts);

    done(smmu_broker_client_vsmmu_create(&broker, device, NULL, &smmu, NULL, 0), "create a vSMMU");
    must((smmu.advertised.idr[0] & 2) != 0 && (smmu.advertised.idr[5] & 16) != 0, "there is no stage 1 of 4K pages");
    printf("vSMMU        number %" PRIu32 ", IDR0 0x%08" PRIx32 ", IDR5 0x%08" PRIx32 "\n", smmu.vsmmu,
        smmu.advertised.idr[0], smmu.advertised.idr[5]);

    uint32_t access = SMMU_BROKER_MEMORY_READ | SMMU_BROKER_MEMORY_WRITE;
    done(smmu_broker_client_memory_map(&broker, ram_fd, RAM_BASE, RAM_SIZE, 0, access), "map guest RAM");
    printf("memory       %d KiB at IPA 0x%" PRIx64 "\n", RAM_SIZE / 1024, RAM_BASE);

    struct smmu_broker_device_attach_reply attached;
    int vfio = -1; /* the model has none; with iommufd this is the vfio device, and the VMM's to close */
    int events[2];
    done(smmu_broker_client_device_attach(&broker, smmu.vsmmu, VSID, device, &attached, &vfio), "attach the device");
    printf("device       %s as StreamID %d\n", device, VSID);
    if (shares_events)
        return share_event_queue(ram_fd);
    done(smmu_broker_event_sockets(events), "make event sockets");
    done(smmu_broker_client_events_subscribe_socket(&broker, smmu.vsmmu, events[1]), "subscribe to events");
    close(events[1]);
    return events[0];
}

/* The guest's driver has written CR0.SMMUEN: the VMM brings along the STEs of all attached devices. */
static void turn_on(const struct smmu_broker_stream_table *table) {
    struct smmu_broker_entry entry = {.vsid = VSID};
    struct smmu_broker_context context;
    done(smmu_broker_read_ste(table, &memory, VSID, entry.ste), "read the STE");
    int contexts = smmu_broker_client_vsmmu_state(
        &broker, smmu.vsmmu, SMMU_BROKER_STATE_SMMUEN, &entry, 1, &context, 1, NULL);
    must(done(contexts, "turn the vSMMU on") == 1 && context.state == SMMU_BROKER_CONTEXT_TRANSLATE,
        "the STE does not translate");
    printf("SMMUEN       the STE 0x%" PRIx64 " translates\n", entry.ste[0]);
}

/* The guest has put TLBI_NH_VA and SYNC into its command queue, and written PROD: the VMM consumes. */
static void invalidate(const struct smmu_broker_stream_table *table) {
    struct smmu_broker_command batch[64];
    const uint32_t streams[] = {VSID};
    int syncs = 0;
    struct smmu_broker_cmdq queue = {
        .base = COMMAND_QUEUE | 8, .vsmmu = smmu.vsmmu, .streams = streams, .stream_count = 1, .batch = batch,
        .batch_capacity = 64, .table = *table, .memory = memory, .transport = smmu_broker_client_transport(&broker),
        .synced = count_sync, .user = &syncs};
    queue.prod = produce(queue.prod, (uint64_t)ASID << 48 | 0x12, IOVA | 1); /* the last level only */
    queue.prod = produce(queue.prod, 0x46, 0);
    done(smmu_broker_drain_cmdq(&queue), "drain the command queue");
    must(queue.error == SMMU_BROKER_CERROR_NONE && queue.cons == queue.prod && syncs == 1, "commands are left");
    printf("invalidated  %" PRIu32 " commands consumed, %d SYNC complete\n", queue.consumed, syncs);
}

/* An access to what is not mapped: the device gets an abort, the guest an event. */
static void fault(int events) {
    char data[4];
    struct smmu_broker_access_reply reply;
    int moved = smmu_broker_client_dma_read(&broker, smmu.vsmmu, VSID, UNMAPPED, 0, 0, data, sizeof data, &reply);
    must(done(moved, "read") == 0 && reply.stage1 == SMMU_BROKER_OUTCOME_FAULT, "an unmapped page is read");
    struct smmu_broker_event_record record = shares_events ? take_interrupt(events) : take_fault(events);
    must(memcmp(record.words, reply.event, sizeof record.words) == 0, "the guest has another event than there was");
    must((record.words[0] & 0xff) == 0x10 && record.words[0] >> 32 == VSID && record.words[2] == UNMAPPED,
        "the event is not F_TRANSLATION of this address");
    printf("fault        F_TRANSLATION of StreamID %d at 0x%" PRIx64 ", %s the guest's event queue\n", VSID, UNMAPPED,
        shares_events ? "written by the broker into" : "in");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--shared-events") == 0) {
        shares_events = 1;
        argc--;
        argv++;
    }
    if (argc > 3 || (argc > 1 && argv[1][0] == '-')) {
        fprintf(stderr, "usage: vmm-example [--shared-events] [SOCKET [DEVICE]]\n");
        return 64;
    }
    int ram_fd = make_ram();
    int events = set_up(argc > 1 ? argv[1] : "/run/smmu-broker/client.sock", argc > 2 ? argv[2] : "model", ram_fd);
    /* All devices are attached: it needs to attach none by itself. A kernel without seccomp cannot be asked for that. */
    int denied = smmu_broker_deny_attach();
    if (denied != -EINVAL && denied != -ENOSYS)
        done(denied, "give up attaching devices to anything else");

    build_stage1(smmu.advertised.idr[5] & 7);
    const struct smmu_broker_stream_table table = {
        .base = STREAM_TABLE, .base_cfg = 4, .idr0 = smmu.advertised.idr[0], .idr1 = smmu.advertised.idr[1]};
    turn_on(&table);

    char data[16] = "old page";
    write_dma(data, sizeof data);
    must(memcmp(ram + (OLD_PAGE - RAM_BASE), data, sizeof data) == 0, "the write is not in the guest's page");
    memset(data, 0, sizeof data);
    must(read_dma(data, sizeof data) == OLD_PAGE && strcmp(data, "old page") == 0, "what was written is not read");
    printf("DMA          IOVA 0x%" PRIx64 " is IPA 0x%" PRIx64 ": \"%s\" written and read\n", IOVA, OLD_PAGE, data);

    /* The guest maps the page elsewhere. Until it has invalidated, both translations are right. */
    must(write_ram(NULL, NEW_PAGE, "new page", 9) == 0, "RAM is too small");
    store(LEVEL3_TABLE + (IOVA >> 12 & 511) * 8, page(NEW_PAGE));
    uint64_t ipa = read_dma(data, sizeof data);
    must(ipa == OLD_PAGE || ipa == NEW_PAGE, "a page is read that was never mapped");
    printf("remapped     and not yet invalidated: reads \"%s\"\n", data);
    invalidate(&table);
    must(read_dma(data, sizeof data) == NEW_PAGE && strcmp(data, "new page") == 0, "a translation outlived its TLBI");
    printf("DMA          IOVA 0x%" PRIx64 " is IPA 0x%" PRIx64 ": \"%s\" read\n", IOVA, NEW_PAGE, data);

    fault(events);
    close(events);
    smmu_broker_close(&broker); /* the broker detaches the device, and then unmaps the memory */
    munmap(ram, RAM_SIZE);
    close(ram_fd);
    return EXIT_SUCCESS;
}
