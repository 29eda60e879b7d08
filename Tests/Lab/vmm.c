/* vmm.c: the VMM's side of the socket. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"

static struct smmu_broker_client client; /* too large for a stack */

static const char *why(int result) {
    const char *text = smmu_broker_error_text(&client);
    return text[0] != 0 ? text : strerror(result < 0 ? -result : 0);
}

static void prepare_guest(struct vmm *vmm) {
    uint32_t oas = vmm->smmu.advertised.idr[5] & 7;
    new_tree(&vmm->a, TREE_A);
    new_tree(&vmm->b, TREE_B);
    for (uint32_t page = 0; page < 64; page++) {
        fill(PAGE(page), page);
        set_page(&vmm->a, IOVA(page), PAGE(page) | PTE_READ_WRITE);
    }
    set_page(&vmm->a, IOVA(SCRATCH), PAGE(SCRATCH) | PTE_READ_WRITE);
    set_page(&vmm->b, IOVA(SCRATCH), PAGE(SCRATCH) | PTE_READ_WRITE);
    write_cd(CD_A, vmm->a.root, oas, true);
    write_cd(CD_B, vmm->b.root, oas, true);
    write_cd(CD_INVALID, vmm->a.root, oas, false);
}

static void subscribe(struct vmm *vmm) {
    int sockets[2];
    int result = smmu_broker_event_sockets(sockets);
    if (result != 0)
        need("event sockets can be made", false, "%s", strerror(-result));
    /* Room for two packets, so that a VMM that does not read is soon noticed. */
    int room = 8192;
    setsockopt(sockets[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    result = smmu_broker_client_events_subscribe_socket(vmm->broker, vmm->smmu.vsmmu, sockets[1]);
    need("EVENTS_SUBSCRIBE", result == 0, "%s", why(result));
    close(sockets[1]);
    vmm->events = sockets[0];
}

void vmm_attach(struct vmm *vmm) {
    int device = -1;
    int result = smmu_broker_client_device_attach(
        vmm->broker, vmm->smmu.vsmmu, vmm->vsid, vmm->address, &vmm->attached, &device);
    need("DEVICE_ATTACH by PCI address", result == 0, "%s", why(result));
    need("DEVICE_ATTACH gives a VFIO device that does DMA",
        device >= 0 && (vmm->attached.flags & SMMU_BROKER_DEVICE_FD) != 0 && edu_open(&vmm->edu, device),
        "descriptor %d, flags 0x%x, %s", device, vmm->attached.flags, strerror(errno));
}

void vmm_open(struct vmm *vmm, const char *socket, const char *address, const char *what) {
    *vmm = (struct vmm){.broker = &client, .vsid = 0x155, .address = address, .edu = {.device = -1}, .events = -1};
    vmm->ram = make_ram();
    int result = smmu_broker_connect(&client, socket);
    need("the broker listens", result == 0, "%s", strerror(-result));
    client.timeout_ms = 30000;
    struct smmu_broker_hello_reply hello;
    result = smmu_broker_client_hello(&client, what, SMMU_BROKER_FEATURE_MODEL, &hello);
    need("HELLO, without the model's feature", result == 0 && hello.features == 0, "%s", why(result));
    result = smmu_broker_client_vsmmu_create(&client, address, NULL, &vmm->smmu, NULL, 0);
    need("VSMMU_CREATE on the SMMU of a PCI device", result >= 0, "%s", why(result));
    const struct smmu_broker_registers *shown = &vmm->smmu.advertised;
    note("the guest is shown IDR0 0x%08x IDR1 0x%08x IDR3 0x%08x IDR5 0x%08x", shown->idr[0], shown->idr[1],
        shown->idr[3], shown->idr[5]);
    bool stage1 = (shown->idr[0] & 3) == 2 && (shown->idr[5] & 16) != 0;
    need("a guest has stage 1 of 4K pages, and no stage 2", stage1, "%s", "the ID registers say otherwise");
    uint32_t access = SMMU_BROKER_MEMORY_READ | SMMU_BROKER_MEMORY_WRITE;
    result = smmu_broker_client_memory_map(&client, vmm->ram, RAM_BASE, RAM_SIZE, 0, access);
    need("MEMORY_MAP of a memfd without a seal", result == 0, "%s", why(result));
    vmm_attach(vmm);
    subscribe(vmm);
    prepare_guest(vmm);
}

void vmm_close(struct vmm *vmm) {
    edu_close(&vmm->edu);
    smmu_broker_close(vmm->broker);
    close(vmm->events);
    close(vmm->ram);
}

int vmm_set_ste(struct vmm *vmm, const uint64_t ste[8], struct smmu_broker_context *context) {
    struct smmu_broker_context ignored;
    return smmu_broker_client_ste_set(
        vmm->broker, vmm->smmu.vsmmu, vmm->vsid, ste, context != NULL ? context : &ignored);
}

int vmm_turn_on(struct vmm *vmm, const uint64_t ste[8], struct smmu_broker_context *context) {
    struct smmu_broker_entry entry = {.vsid = vmm->vsid};
    struct smmu_broker_context ignored;
    memcpy(entry.ste, ste, sizeof entry.ste);
    int result = smmu_broker_client_vsmmu_state(vmm->broker, vmm->smmu.vsmmu, SMMU_BROKER_STATE_SMMUEN, &entry, 1,
        context != NULL ? context : &ignored, 1, NULL);
    return result == 1 ? 0 : result < 0 ? result : -EPROTO;
}

int vmm_turn_off(struct vmm *vmm, uint32_t flags, struct smmu_broker_context *context) {
    struct smmu_broker_context ignored;
    int result = smmu_broker_client_vsmmu_state(
        vmm->broker, vmm->smmu.vsmmu, flags, NULL, 0, context != NULL ? context : &ignored, 1, NULL);
    return result == 1 ? 0 : result < 0 ? result : -EPROTO;
}

int vmm_command(struct vmm *vmm, uint64_t word0, uint64_t word1) {
    const struct smmu_broker_command commands[2] = {{{word0, word1}}, {{SYNC, 0}}};
    struct smmu_broker_progress progress;
    int result = smmu_broker_client_commands(vmm->broker, vmm->smmu.vsmmu, commands, 2, &progress);
    return result != 0 ? result : progress.completed == 2 ? 0 : -EPROTO;
}

/* What has been received and not been given out. */
static struct smmu_broker_events packet;
static uint32_t position;
static uint32_t filled;

bool vmm_event(struct vmm *vmm, struct event *event, int milliseconds) {
    *event = (struct event){.generation = packet.header.generation};
    while (position == filled) {
        struct pollfd wait = {.fd = vmm->events, .events = POLLIN};
        if (poll(&wait, 1, milliseconds) != 1)
            return false;
        if (smmu_broker_receive_events(vmm->events, &packet) != 1)
            return false;
        uint64_t expected = vmm->next_event;
        uint32_t first = smmu_broker_first_new(&packet, &vmm->next_event);
        if (packet.header.sequence != expected)
            vmm->gaps++;
        event->generation = packet.header.generation;
        if (packet.header.type == SMMU_BROKER_LOST) {
            event->lost = packet.body.lost.count;
            return true;
        }
        if (packet.header.type == SMMU_BROKER_EVENT) {
            position = first;
            filled = packet.header.count;
        }
    }
    event->record = packet.body.records[position++];
    return true;
}

uint64_t vmm_drain(struct vmm *vmm) {
    struct event event;
    uint64_t count = 0;
    while (vmm_event(vmm, &event, 200))
        count++;
    return count;
}

int vmm_which(struct vmm *vmm, uint64_t iova, int one, int other, uint64_t scratch) {
    memset(ram_at(PAGE(SCRATCH)), 0xee, 4096);
    /* What the device has from before is overwritten first, so that a read that fails shows. */
    bool done = edu_read(&vmm->edu, scratch, 64) && edu_read(&vmm->edu, iova, 64)
        && edu_write(&vmm->edu, scratch, 64);
    if (!done)
        return -2;
    if (holds(PAGE(SCRATCH), (uint32_t)one, 64))
        return one;
    return holds(PAGE(SCRATCH), (uint32_t)other, 64) ? other : -1;
}
