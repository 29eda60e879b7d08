/* One request and its reply: what the typed requests share. Not for VMMs. */
#ifndef SMMU_BROKER_CONNECTION_H
#define SMMU_BROKER_CONNECTION_H

#include "smmu_broker_client.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Messages and guest structures are little-endian, and are used here as they are."
#endif

/* Descriptors that one request may send. */
#define SMMU_BROKER_MAXIMUM_FDS 4u

/* A request to be sent, and what its reply may be. */
struct smmu_broker_exchange {
    /* The fixed part; its header is filled in on the way. */
    struct smmu_broker_request *request;
    uint32_t request_size;
    uint16_t type;
    /* What follows it, or NULL. */
    const void *tail;
    uint32_t tail_size;
    /* Descriptors to send. */
    const int *fds;
    uint32_t fd_count;
    /* Bytes of a successful reply. */
    uint32_t minimum_reply;
    uint32_t maximum_reply;
    /* Commands sent, of COMMANDS; `completed` may reach so far. */
    uint32_t command_count;
    /* Where a descriptor of the reply goes; NULL when it may have none. */
    int *received_fd;
};

/*
 * Sends the request and waits for its reply. The size of a successful reply, which is in client->packet and within the
 * bounds; or -errno. client->reason, cerror, completed and error_text are set either way.
 */
int smmu_broker_exchange(struct smmu_broker_client *client, const struct smmu_broker_exchange *exchange);

/* The connection breaks: `text` becomes the error's, and -EPROTO is returned. */
int smmu_broker_protocol_error(struct smmu_broker_client *client, const char *text);

#endif
