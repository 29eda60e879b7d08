/* One function for each message: fills in the request, and copies the reply once its size is known to be right. */
#include <errno.h>
#include <string.h>

#include "connection.h"

/* An exchange of the request `message` with a reply of `bytes`. */
#define EXCHANGE(message, message_type, bytes)                                                                         \
    {                                                                                                                  \
        .request = &(message).header, .request_size = sizeof(message), .type = (message_type),                         \
        .minimum_reply = (uint32_t)(bytes), .maximum_reply = (uint32_t)(bytes),                                        \
    }

static int without_size(int status) { return status < 0 ? status : 0; }

/* Sends a request whose reply has nothing but its header. */
static int plain(struct smmu_broker_client *client, struct smmu_broker_exchange *exchange) {
    exchange->minimum_reply = exchange->maximum_reply = sizeof(struct smmu_broker_reply);
    return without_size(smmu_broker_exchange(client, exchange));
}

/* Sends a request and copies its reply, which has `exchange->minimum_reply` bytes. */
static int copied(struct smmu_broker_client *client, const struct smmu_broker_exchange *exchange, void *reply) {
    int size = smmu_broker_exchange(client, exchange);
    if (size < 0)
        return size;
    memcpy(reply, client->packet.bytes, exchange->minimum_reply);
    return 0;
}

/* Copies a name and fills the rest with 0. */
static int set_name(char name[SMMU_BROKER_NAME_SIZE], const char *text) {
    size_t length = strlen(text);
    if (length == 0)
        return -EINVAL;
    if (length >= SMMU_BROKER_NAME_SIZE)
        return -ENAMETOOLONG;
    memcpy(name, text, length);
    memset(name + length, 0, SMMU_BROKER_NAME_SIZE - length);
    return 0;
}

/* ---- Session and vSMMUs ------------------------------------------------------------------------------------------ */

int smmu_broker_client_hello(
    struct smmu_broker_client *client, const char *vm_name, uint64_t features, struct smmu_broker_hello_reply *reply) {
    struct smmu_broker_hello hello = {.version = SMMU_BROKER_VERSION, .features = features};
    int error = set_name(hello.name, vm_name);
    if (error < 0)
        return error;
    struct smmu_broker_exchange exchange = EXCHANGE(hello, SMMU_BROKER_HELLO, sizeof *reply);
    struct smmu_broker_hello_reply copy;
    error = copied(client, &exchange, &copy);
    if (error < 0)
        return error;
    if (copy.version == 0 || copy.version > SMMU_BROKER_VERSION)
        return smmu_broker_protocol_error(client, "The broker speaks a version that was not offered.");
    if ((copy.features & ~features) != 0)
        return smmu_broker_protocol_error(client, "The broker gives features that were not wanted.");
    *reply = copy;
    return 0;
}

int smmu_broker_client_vsmmu_create(
    struct smmu_broker_client *client, const char *device, const struct smmu_broker_registers *wanted,
    struct smmu_broker_vsmmu_create_reply *reply, struct smmu_broker_narrowing *narrowings, uint32_t capacity) {
    struct smmu_broker_vsmmu_create create = {.device = {0}};
    int error = set_name(create.device, device);
    if (error < 0)
        return error;
    if (wanted != NULL)
        create.wanted = *wanted;
    struct smmu_broker_exchange exchange = EXCHANGE(create, SMMU_BROKER_VSMMU_CREATE, sizeof *reply);
    exchange.maximum_reply = SMMU_BROKER_MAXIMUM_PACKET;
    int size = smmu_broker_exchange(client, &exchange);
    if (size < 0)
        return size;
    struct smmu_broker_vsmmu_create_reply copy;
    memcpy(&copy, client->packet.bytes, sizeof copy);
    size_t rest = (size_t)size - sizeof copy;
    if (rest / sizeof *narrowings != copy.narrowing_count || rest % sizeof *narrowings != 0)
        return smmu_broker_protocol_error(client, "The broker's reply has not as many narrowings as it says.");
    uint32_t count = copy.narrowing_count < capacity ? copy.narrowing_count : capacity;
    if (count > 0)
        memcpy(narrowings, client->packet.bytes + sizeof copy, count * sizeof *narrowings);
    *reply = copy;
    return (int)copy.narrowing_count;
}

int smmu_broker_client_vsmmu_destroy(struct smmu_broker_client *client, uint32_t vsmmu) {
    struct smmu_broker_vsmmu request = {.vsmmu = vsmmu};
    struct smmu_broker_exchange exchange = EXCHANGE(request, SMMU_BROKER_VSMMU_DESTROY, 0);
    return plain(client, &exchange);
}

/* Sends a request that is answered with contexts; how many they are. */
static int ask_contexts(
    struct smmu_broker_client *client, struct smmu_broker_exchange *exchange, struct smmu_broker_context *contexts,
    uint32_t capacity, uint32_t *generation) {
    struct smmu_broker_contexts_reply copy;
    exchange->minimum_reply = sizeof copy;
    exchange->maximum_reply = SMMU_BROKER_MAXIMUM_PACKET;
    int size = smmu_broker_exchange(client, exchange);
    if (size < 0)
        return size;
    memcpy(&copy, client->packet.bytes, sizeof copy);
    size_t rest = (size_t)size - sizeof copy;
    if (rest / sizeof *contexts != copy.context_count || rest % sizeof *contexts != 0)
        return smmu_broker_protocol_error(client, "The broker's reply has not as many contexts as it says.");
    uint32_t count = copy.context_count < capacity ? copy.context_count : capacity;
    if (count > 0)
        memcpy(contexts, client->packet.bytes + sizeof copy, count * sizeof *contexts);
    if (generation != NULL)
        *generation = copy.generation;
    return (int)copy.context_count;
}

int smmu_broker_client_vsmmu_state(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t flags, const struct smmu_broker_entry *entries,
    uint32_t entry_count, struct smmu_broker_context *contexts, uint32_t capacity, uint32_t *generation) {
    if (entry_count > SMMU_BROKER_MAXIMUM_ENTRIES)
        return -EINVAL;
    struct smmu_broker_vsmmu_state state = {.vsmmu = vsmmu, .flags = flags, .entry_count = entry_count};
    struct smmu_broker_exchange exchange = EXCHANGE(state, SMMU_BROKER_VSMMU_STATE, 0);
    exchange.tail = entries;
    exchange.tail_size = entry_count * (uint32_t)sizeof *entries;
    return ask_contexts(client, &exchange, contexts, capacity, generation);
}

int smmu_broker_client_vsmmu_reset(
    struct smmu_broker_client *client, uint32_t vsmmu, struct smmu_broker_context *contexts, uint32_t capacity,
    uint32_t *generation) {
    struct smmu_broker_vsmmu request = {.vsmmu = vsmmu};
    struct smmu_broker_exchange exchange = EXCHANGE(request, SMMU_BROKER_VSMMU_RESET, 0);
    return ask_contexts(client, &exchange, contexts, capacity, generation);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

int smmu_broker_client_memory_map(
    struct smmu_broker_client *client, int fd, uint64_t ipa, uint64_t size, uint64_t offset, uint32_t flags) {
    struct smmu_broker_memory_map map = {.ipa = ipa, .size = size, .offset = offset, .flags = flags};
    struct smmu_broker_exchange exchange = EXCHANGE(map, SMMU_BROKER_MEMORY_MAP, 0);
    exchange.fds = &fd;
    exchange.fd_count = 1;
    return plain(client, &exchange);
}

int smmu_broker_client_memory_unmap(struct smmu_broker_client *client, uint64_t ipa, uint64_t size) {
    struct smmu_broker_memory_unmap unmap = {.ipa = ipa, .size = size};
    struct smmu_broker_exchange exchange = EXCHANGE(unmap, SMMU_BROKER_MEMORY_UNMAP, 0);
    return plain(client, &exchange);
}

/* ---- Devices ----------------------------------------------------------------------------------------------------- */

int smmu_broker_client_device_attach(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, const char *device,
    struct smmu_broker_device_attach_reply *reply, int *device_fd) {
    *device_fd = -1;
    struct smmu_broker_device_attach attach = {.vsmmu = vsmmu, .vsid = vsid};
    int error = set_name(attach.device, device);
    if (error < 0)
        return error;
    struct smmu_broker_exchange exchange = EXCHANGE(attach, SMMU_BROKER_DEVICE_ATTACH, sizeof *reply);
    exchange.received_fd = device_fd;
    return copied(client, &exchange, reply);
}

int smmu_broker_client_device_rebind(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint32_t new_vsid) {
    struct smmu_broker_device_rebind rebind = {.vsmmu = vsmmu, .vsid = vsid, .new_vsid = new_vsid};
    struct smmu_broker_exchange exchange = EXCHANGE(rebind, SMMU_BROKER_DEVICE_REBIND, 0);
    return plain(client, &exchange);
}

int smmu_broker_client_device_detach(struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid) {
    struct smmu_broker_device request = {.vsmmu = vsmmu, .vsid = vsid};
    struct smmu_broker_exchange exchange = EXCHANGE(request, SMMU_BROKER_DEVICE_DETACH, 0);
    return plain(client, &exchange);
}

int smmu_broker_client_device_reset(struct smmu_broker_client *client, const char *device) {
    struct smmu_broker_device_reset request = {.device = {0}};
    int error = set_name(request.device, device);
    if (error < 0)
        return error;
    struct smmu_broker_exchange exchange = EXCHANGE(request, SMMU_BROKER_DEVICE_RESET, 0);
    return plain(client, &exchange);
}

/* ---- STEs and commands ------------------------------------------------------------------------------------------- */

int smmu_broker_client_ste_set(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, const uint64_t ste[8],
    struct smmu_broker_context *context) {
    struct smmu_broker_ste_set set = {.vsmmu = vsmmu, .vsid = vsid};
    memcpy(set.ste, ste, sizeof set.ste);
    struct smmu_broker_ste_set_reply reply;
    struct smmu_broker_exchange exchange = EXCHANGE(set, SMMU_BROKER_STE_SET, sizeof reply);
    int error = copied(client, &exchange, &reply);
    if (error < 0)
        return error;
    if (reply.context.vsid != vsid)
        return smmu_broker_protocol_error(client, "The broker's reply is about another stream.");
    if (context != NULL)
        *context = reply.context;
    return 0;
}

int smmu_broker_client_commands(
    struct smmu_broker_client *client, uint32_t vsmmu, const struct smmu_broker_command *commands, uint32_t count,
    struct smmu_broker_progress *progress) {
    if (progress != NULL)
        *progress = (struct smmu_broker_progress){0, SMMU_BROKER_CERROR_NONE};
    if (count == 0 || count > SMMU_BROKER_MAXIMUM_COMMANDS)
        return -EINVAL;
    struct smmu_broker_commands request = {.vsmmu = vsmmu, .count = count};
    struct smmu_broker_exchange exchange = EXCHANGE(request, SMMU_BROKER_COMMANDS, 0);
    exchange.tail = commands;
    exchange.tail_size = count * (uint32_t)sizeof *commands;
    exchange.command_count = count;
    int error = plain(client, &exchange);
    if (progress != NULL)
        *progress = (struct smmu_broker_progress){client->completed, client->cerror};
    return error;
}

/* ---- Interrupts, events, page responses -------------------------------------------------------------------------- */

int smmu_broker_client_msi_doorbell(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint64_t iova, uint64_t ipa,
    struct smmu_broker_msi_doorbell_reply *reply) {
    struct smmu_broker_msi_doorbell doorbell = {.vsmmu = vsmmu, .vsid = vsid, .iova = iova, .ipa = ipa};
    struct smmu_broker_exchange exchange = EXCHANGE(doorbell, SMMU_BROKER_MSI_DOORBELL, sizeof *reply);
    return copied(client, &exchange, reply);
}

int smmu_broker_client_events_subscribe_socket(struct smmu_broker_client *client, uint32_t vsmmu, int socket_fd) {
    struct smmu_broker_events_subscribe request = {.delivery = SMMU_BROKER_DELIVERY_SOCKET, .vsmmu = vsmmu};
    struct smmu_broker_exchange exchange = EXCHANGE(request, SMMU_BROKER_EVENTS_SUBSCRIBE, 0);
    exchange.fds = &socket_fd;
    exchange.fd_count = 1;
    return plain(client, &exchange);
}

int smmu_broker_client_events_subscribe_queue(
    struct smmu_broker_client *client, uint32_t vsmmu, const struct smmu_broker_shared_queue *queue) {
    struct smmu_broker_events_subscribe request = {
        .delivery = SMMU_BROKER_DELIVERY_QUEUE, .vsmmu = vsmmu, .queue_base = queue->base,
        .queue_registers = queue->registers, .queue_log2 = queue->log2};
    struct smmu_broker_exchange exchange = EXCHANGE(request, SMMU_BROKER_EVENTS_SUBSCRIBE, 0);
    const int fds[SMMU_BROKER_MAXIMUM_FDS] = {
        queue->records_fd, queue->registers_fd, queue->signal_fd, queue->notices_fd};
    exchange.fds = fds;
    exchange.fd_count = queue->notices_fd < 0 ? 3 : 4;
    return plain(client, &exchange);
}

int smmu_broker_client_page_response(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint32_t stag, uint32_t code) {
    struct smmu_broker_page_response response = {.vsmmu = vsmmu, .vsid = vsid, .stag = stag, .code = code};
    struct smmu_broker_exchange exchange = EXCHANGE(response, SMMU_BROKER_PAGE_RESPONSE, 0);
    return plain(client, &exchange);
}

/* ---- The model's device side ------------------------------------------------------------------------------------- */

/* Sends an access; the bytes that follow its reply, which are left in client->packet. */
static int ask_access(
    struct smmu_broker_client *client, struct smmu_broker_access *access, uint16_t type, const void *data,
    struct smmu_broker_access_reply *reply) {
    int is_read = type == SMMU_BROKER_DMA && (access->flags & SMMU_BROKER_ACCESS_WRITE) == 0;
    struct smmu_broker_exchange exchange = EXCHANGE(*access, type, sizeof *reply);
    exchange.tail = data;
    exchange.tail_size = data == NULL ? 0 : access->size;
    if (is_read)
        exchange.maximum_reply += access->size;
    int size = smmu_broker_exchange(client, &exchange);
    if (size < 0)
        return size;
    struct smmu_broker_access_reply copy;
    memcpy(&copy, client->packet.bytes, sizeof copy);
    uint32_t follows = (uint32_t)size - (uint32_t)sizeof copy;
    if (copy.size > access->size || follows != (is_read ? copy.size : 0))
        return smmu_broker_protocol_error(client, "The broker's reply has not as much data as it says.");
    *reply = copy;
    return (int)copy.size;
}

int smmu_broker_client_translate(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint64_t iova, uint32_t ssid, uint32_t flags,
    struct smmu_broker_access_reply *reply) {
    struct smmu_broker_access access = {.vsmmu = vsmmu, .vsid = vsid, .iova = iova, .ssid = ssid, .flags = flags};
    return ask_access(client, &access, SMMU_BROKER_TRANSLATE, NULL, reply);
}

int smmu_broker_client_dma_read(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint64_t iova, uint32_t ssid, uint32_t flags,
    void *data, uint32_t size, struct smmu_broker_access_reply *reply) {
    if (size == 0 || size > SMMU_BROKER_MAXIMUM_DATA || (flags & SMMU_BROKER_ACCESS_WRITE) != 0)
        return -EINVAL;
    struct smmu_broker_access access = {
        .vsmmu = vsmmu, .vsid = vsid, .iova = iova, .ssid = ssid, .flags = flags, .size = size};
    int count = ask_access(client, &access, SMMU_BROKER_DMA, NULL, reply);
    if (count > 0)
        memcpy(data, client->packet.bytes + sizeof *reply, (size_t)count);
    return count;
}

int smmu_broker_client_dma_write(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint64_t iova, uint32_t ssid, uint32_t flags,
    const void *data, uint32_t size, struct smmu_broker_access_reply *reply) {
    if (size == 0 || size > SMMU_BROKER_MAXIMUM_DATA)
        return -EINVAL;
    struct smmu_broker_access access = {
        .vsmmu = vsmmu, .vsid = vsid, .iova = iova, .ssid = ssid, .flags = flags | SMMU_BROKER_ACCESS_WRITE,
        .size = size};
    return ask_access(client, &access, SMMU_BROKER_DMA, data, reply);
}
