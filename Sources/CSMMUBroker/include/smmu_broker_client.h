/*
 * smmu_broker_client.h: a small client of smmu-broker for VMMs, in plain C.
 *
 * Three parts, each useful alone: a connection with one function for each message of smmu_broker.h; the guest's command
 * queue, consumed and turned into messages; the guest's event queue, filled with the records that the broker sends.
 *
 * No threads, no globals, no allocation: all state is in structures that the caller owns. One structure serves one
 * thread at a time. Functions return 0 or a count, or -errno:
 *
 *   -EPROTO     the broker sent what the protocol does not allow; the connection is of no more use, close it
 *   -ETIMEDOUT  no reply in time (smmu_broker_client.timeout_ms), or the broker's answer when a device did not reply
 *   -EPIPE, -ECONNRESET  the broker is gone
 *   -EINVAL     an argument is out of range; nothing was sent
 *   any other   the errno with which the broker refused (smmu_broker_error_text says why) or a system call failed
 *
 * Compiles as C11 and C++17, on little-endian machines.
 */
#ifndef SMMU_BROKER_CLIENT_H
#define SMMU_BROKER_CLIENT_H

#include <stddef.h>

#include "smmu_broker.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Connection -------------------------------------------------------------------------------------------------- */

/* Bytes of a refusal's sentence that are kept, the final 0 included. */
#define SMMU_BROKER_ERROR_TEXT_SIZE 512u

/*
 * A connection. smmu_broker_connect and smmu_broker_adopt fill it in; of the fields the caller may set `timeout_ms` and
 * read those under "the last request". 66 KB: rather not for a stack.
 */
struct smmu_broker_client {
    int fd;
    /* Milliseconds that one request may take; negative (so it starts): as long as it takes. */
    int timeout_ms;
    /* 1 after -EPROTO: every further request fails with it. */
    uint32_t broken;
    /* The last request: what the broker gave as reason, error of the command queue and number of completed commands. */
    uint32_t reason;    /* enum smmu_broker_reason; NONE too when no reply came */
    uint32_t cerror;    /* enum smmu_broker_cerror */
    uint32_t completed;
    /* Cookies of the last request sent, and of the last reply received. */
    uint64_t sent;
    uint64_t answered;
    char error_text[SMMU_BROKER_ERROR_TEXT_SIZE];
    /* The last packet as it came. One byte more than any has, so that a longer one shows. */
    union {
        struct smmu_broker_reply reply;
        unsigned char bytes[SMMU_BROKER_MAXIMUM_PACKET + 1];
    } packet;
};

/* Connects to the broker's socket at `path`. Close with smmu_broker_close. Sends nothing: HELLO is to come first. */
int smmu_broker_connect(struct smmu_broker_client *client, const char *path);

/*
 * Takes over a connected SEQPACKET socket, as a management program passes one. From success on `fd` is the client's,
 * and close-on-exec; on failure (-EPROTOTYPE: no such socket) it stays the caller's.
 */
int smmu_broker_adopt(struct smmu_broker_client *client, int fd);

/* Closes the connection; again is harmless. The broker then detaches what the session has attached. */
void smmu_broker_close(struct smmu_broker_client *client);

/* What went wrong with the last request, as a sentence in UTF-8; "" when nothing did. Valid until the next request. */
const char *smmu_broker_error_text(const struct smmu_broker_client *client);

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

/*
 * One function for each message; smmu_broker.h says what they mean. Each sends one packet and waits for its reply.
 * After a local -ETIMEDOUT the request may or may not have been carried out; a reply that comes later is dropped.
 *
 * Descriptors that a function takes stay the caller's: the broker gets copies. Strings end in 0.
 * Pointers named `reply` may not be NULL unless it says so, and are written on success only.
 */

/* The first request of a connection. `features`: SMMU_BROKER_FEATURE_*. */
int smmu_broker_client_hello(
    struct smmu_broker_client *client, const char *vm_name, uint64_t features, struct smmu_broker_hello_reply *reply);

/*
 * `wanted` may be NULL: as much as possible. Returns how many fields were narrowed; the first `capacity` of them are in
 * `narrowings` (NULL with capacity 0).
 */
int smmu_broker_client_vsmmu_create(
    struct smmu_broker_client *client, const char *device, const struct smmu_broker_registers *wanted,
    struct smmu_broker_vsmmu_create_reply *reply, struct smmu_broker_narrowing *narrowings, uint32_t capacity);
int smmu_broker_client_vsmmu_destroy(struct smmu_broker_client *client, uint32_t vsmmu);

/*
 * `flags`: SMMU_BROKER_STATE_*. With SMMUEN `entries` has the STEs of all attached vSIDs (smmu_broker_read_ste helps),
 * else `entry_count` is 0. Both return how many contexts there are; the first `capacity` of them are in `contexts`
 * (NULL with capacity 0). `generation` may be NULL.
 */
int smmu_broker_client_vsmmu_state(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t flags, const struct smmu_broker_entry *entries,
    uint32_t entry_count, struct smmu_broker_context *contexts, uint32_t capacity, uint32_t *generation);
int smmu_broker_client_vsmmu_reset(
    struct smmu_broker_client *client, uint32_t vsmmu, struct smmu_broker_context *contexts, uint32_t capacity,
    uint32_t *generation);

/* `fd`: a memfd or another file of memory; `ipa`, `size` and `offset` in bytes; `flags`: SMMU_BROKER_MEMORY_*. */
int smmu_broker_client_memory_map(
    struct smmu_broker_client *client, int fd, uint64_t ipa, uint64_t size, uint64_t offset, uint32_t flags);
int smmu_broker_client_memory_unmap(struct smmu_broker_client *client, uint64_t ipa, uint64_t size);

/*
 * `device_fd` gets the vfio device, which is the caller's to close, and close-on-exec; -1 where the backend has none,
 * and on failure. -EMFILE: the device is attached, but this process had no room for its descriptor; detach it.
 */
int smmu_broker_client_device_attach(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, const char *device,
    struct smmu_broker_device_attach_reply *reply, int *device_fd);
int smmu_broker_client_device_rebind(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint32_t new_vsid);
int smmu_broker_client_device_detach(struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid);
int smmu_broker_client_device_reset(struct smmu_broker_client *client, const char *device);

/* `context` may be NULL. */
int smmu_broker_client_ste_set(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, const uint64_t ste[8],
    struct smmu_broker_context *context);

/* How far the broker came with commands. */
struct smmu_broker_progress {
    uint32_t completed; /* from the first on; they need not be sent again */
    uint32_t cerror;    /* enum smmu_broker_cerror */
};

/*
 * 1…SMMU_BROKER_MAXIMUM_COMMANDS commands. On an error too `progress` says how many are complete: 0 when no reply came.
 * May be NULL.
 */
int smmu_broker_client_commands(
    struct smmu_broker_client *client, uint32_t vsmmu, const struct smmu_broker_command *commands, uint32_t count,
    struct smmu_broker_progress *progress);

int smmu_broker_client_msi_doorbell(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint64_t iova, uint64_t ipa,
    struct smmu_broker_msi_doorbell_reply *reply);

/*
 * Events of `vsmmu`, or with SMMU_BROKER_EVERY_VSMMU of all that have no subscription of their own, to a socket: one of
 * smmu_broker_event_sockets; close it afterwards.
 */
int smmu_broker_client_events_subscribe_socket(struct smmu_broker_client *client, uint32_t vsmmu, int socket_fd);

/* An event queue that the broker writes into. The descriptors stay the caller's. */
struct smmu_broker_shared_queue {
    int records_fd;     /* the memory with the records: guest RAM, or a memfd; with F_SEAL_SHRINK */
    int registers_fd;   /* the memory with PROD and CONS; may be the same */
    int signal_fd;      /* an eventfd: an irqfd of the guest, or one that this program waits for */
    int notices_fd;     /* one of smmu_broker_event_sockets, for LOST, HEALTH and DEVICE_GONE; -1: none */
    uint64_t base;      /* of the records, aligned to their size, 32 << log2 */
    uint64_t registers; /* of PROD, a multiple of 8; CONS follows */
    uint32_t log2;      /* of the number of records, 1…19 */
    uint32_t reserved;
};

/*
 * Events of `vsmmu` into a shared queue; needs SMMU_BROKER_FEATURE_SHARED_EVENTS. Write PROD and CONS before. VSMMU_RESET
 * and VSMMU_DESTROY end it: subscribe again when the guest enables its event queue.
 */
int smmu_broker_client_events_subscribe_queue(
    struct smmu_broker_client *client, uint32_t vsmmu, const struct smmu_broker_shared_queue *queue);
/* Two connected sockets, close-on-exec and non-blocking: one to receive from, one to pass. */
int smmu_broker_event_sockets(int fds[2]);

/* `code`: enum smmu_broker_page_response_code. */
int smmu_broker_client_page_response(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint32_t stag, uint32_t code);

/* The model's device side; `flags`: SMMU_BROKER_ACCESS_*; size in bytes, 1…SMMU_BROKER_MAXIMUM_DATA. */
int smmu_broker_client_translate(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint64_t iova, uint32_t ssid, uint32_t flags,
    struct smmu_broker_access_reply *reply);
/* Returns the bytes read into `data`: all, or 0 when the access did not come through. */
int smmu_broker_client_dma_read(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint64_t iova, uint32_t ssid, uint32_t flags,
    void *data, uint32_t size, struct smmu_broker_access_reply *reply);
/* Returns the bytes written. SMMU_BROKER_ACCESS_WRITE is added to `flags`. */
int smmu_broker_client_dma_write(
    struct smmu_broker_client *client, uint32_t vsmmu, uint32_t vsid, uint64_t iova, uint32_t ssid, uint32_t flags,
    const void *data, uint32_t size, struct smmu_broker_access_reply *reply);

/* ---- What a VMM had better not be able to do --------------------------------------------------------------------- */

/*
 * The vfio device of DEVICE_ATTACH is more than registers and interrupts: whoever holds it can attach it to anything in
 * its session's iommufd, the stage 2 without stage 1 say, or detach it. It never gets at memory outside its session, but
 * a VMM that is taken over can undo what the guest and the broker have agreed on. A VMM has no need of that: it can give
 * up the three ioctls that do it, for good.
 *
 * Denies VFIO_DEVICE_BIND_IOMMUFD, VFIO_DEVICE_ATTACH_IOMMUFD_PT and VFIO_DEVICE_DETACH_IOMMUFD_PT (EPERM) to all
 * threads of this process and to all that they start, by seccomp, and sets no_new_privs for them, so that no program
 * they run gains privileges by its set-user-ID bit or capabilities. Neither can be taken back. Everything else stays
 * allowed; rules that are there, or come later, hold as well. It has to come after what this process attaches to an
 * iommufd of its own. Descriptors that were passed to other processes are not concerned.
 *
 * -EBUSY: another thread has rules of its own, nothing was done but no_new_privs; call this before there are such
 * threads. -ENOSYS: a processor that is neither x86-64 nor aarch64. -EINVAL: a kernel without seccomp.
 */
int smmu_broker_deny_attach(void);

/*
 * The same rule as a program of classic BPF, for a VMM or its launcher that installs seccomp rules by itself (struct
 * sock_filter of linux/filter.h). It knows the 32-bit ABIs of both processors too. Returns the number of instructions,
 * or -ENOBUFS when there is no room for SMMU_BROKER_SECCOMP_RULE_LENGTH.
 */
#define SMMU_BROKER_SECCOMP_RULE_LENGTH 20
struct sock_filter;
int smmu_broker_seccomp_rule(struct sock_filter *instructions, uint32_t capacity);

/* ---- Guest memory and the stream table --------------------------------------------------------------------------- */

/*
 * How the functions below reach guest memory. Addresses are the guest's physical ones (IPA). Return 0, or -errno when a
 * byte of it is not there; then nothing may be assumed of the rest. `write` is for the event queue alone.
 */
struct smmu_broker_memory {
    int (*read)(void *user, uint64_t address, void *bytes, size_t size);
    int (*write)(void *user, uint64_t address, const void *bytes, size_t size);
    void *user;
};

/* The guest's stream table: registers as the guest wrote them and, of the IDs, as it reads them. */
struct smmu_broker_stream_table {
    uint64_t base;     /* STRTAB_BASE */
    uint32_t base_cfg; /* STRTAB_BASE_CFG */
    uint32_t idr0;     /* ST_LEVEL counts */
    uint32_t idr1;     /* SIDSIZE counts */
};

/*
 * Copies a stream's STE, of a linear or a two-level table (IHI 0070, 3.3.1, 5.1). When there is none (-ENOENT: no such
 * stream) or it cannot be read (-EFAULT), `ste` is all 0, which has V 0: what to hand to the broker then.
 */
int smmu_broker_read_ste(
    const struct smmu_broker_stream_table *table, const struct smmu_broker_memory *memory, uint32_t vsid,
    uint64_t ste[8]);

/* ---- The guest's command queue ----------------------------------------------------------------------------------- */

/* Where smmu_broker_drain_cmdq sends what it finds. A connection, or something else for tests and replay. */
struct smmu_broker_transport {
    /* As smmu_broker_client_commands; `progress` is never NULL, and is 0 on entry. */
    int (*commands)(
        void *user, uint32_t vsmmu, const struct smmu_broker_command *commands, uint32_t count,
        struct smmu_broker_progress *progress);
    /* As smmu_broker_client_ste_set; `context` is never NULL. */
    int (*ste_set)(
        void *user, uint32_t vsmmu, uint32_t vsid, const uint64_t ste[8], struct smmu_broker_context *context);
    /* As smmu_broker_client_page_response, but 0 for an answer to what is not stalled: to the guest it does nothing. */
    int (*page_response)(void *user, uint32_t vsmmu, uint32_t vsid, uint32_t stag, uint32_t code);
    void *user;
};

/* The transport over a connection; the client has to outlive it. */
struct smmu_broker_transport smmu_broker_client_transport(struct smmu_broker_client *client);

enum smmu_broker_signal {
    SMMU_BROKER_SIGNAL_NONE = 0,
    SMMU_BROKER_SIGNAL_IRQ = 1, /* the wired interrupt */
    SMMU_BROKER_SIGNAL_MSI = 2, /* write `data`, 32 bits, to `address` */
    SMMU_BROKER_SIGNAL_SEV = 3, /* an event for WFE */
};

/* A CMD_SYNC that is complete. */
struct smmu_broker_sync {
    uint32_t signal; /* enum smmu_broker_signal */
    uint32_t data;
    uint64_t address;
    uint32_t cons; /* past the SYNC: let the guest see it no later than the signal */
    uint32_t reserved;
};

/* A guest's command queue. All 0 is a good start and, with the registers anew, right after a reset. */
struct smmu_broker_cmdq {
    /* What the guest wrote; set before every drain. */
    uint64_t base; /* CMDQ_BASE; its LOG2SIZE counts, at most IDR1.CMDQS */
    uint32_t prod; /* CMDQ_PROD */

    /* What the guest is to read, index and wrap bit without ERR. Moved on by every drain. */
    uint32_t cons;
    /* The last drain. */
    uint32_t error;    /* ERR (enum smmu_broker_cerror) of the command at CONS; not NONE: raise GERROR.CMDQ_ERR */
    uint32_t consumed; /* commands */
    /* An ATC_INV went unanswered; the next SYNC will say so. Keep it between drains. */
    uint32_t atc_failed;

    /* Commands of one drain at most; 0: as many as the queue has. With some left CONS and PROD differ: drain again. */
    uint32_t limit;

    uint32_t vsmmu;
    uint32_t stream_count;
    /* The attached vSIDs, in any order. */
    const uint32_t *streams;
    /* Room in which commands are gathered; its size, at most what HELLO allows, is that of the largest packet. */
    struct smmu_broker_command *batch;
    uint32_t batch_capacity;

    struct smmu_broker_stream_table table; /* idr0 and idr1 count for more than the table */
    struct smmu_broker_memory memory;
    struct smmu_broker_transport transport;

    /* NULL: STEs are read from `table`. Else gives an STE (IPAs and all); not 0: there is none that can be read. */
    int (*read_ste)(void *user, uint32_t vsid, uint64_t ste[8]);
    /* A SYNC is complete, and so is all before it. May be NULL. */
    void (*synced)(void *user, const struct smmu_broker_sync *sync);
    /* What became of a context for which an STE was sent. May be NULL. */
    void (*changed)(void *user, const struct smmu_broker_context *context);
    /* Of these three. */
    void *user;
};

/*
 * Consumes the queue from CONS to PROD, or to an error. Call it when the guest has written PROD, has acknowledged
 * GERROR.CMDQ_ERR, or CONS was short of PROD, and only while CR0.CMDQEN is set and no CMDQ_ERR is active.
 *
 * Returns 0 also when the queue stopped at a command (`error`). Negative: the broker could not be asked or refused for
 * a reason that is not the guest's; CONS is at the first command that is not complete, and another drain goes on there.
 * -EINVAL: the structure makes no sense.
 *
 * Every entry is copied before it is looked at, and PROD is believed for one queue's worth at most.
 *
 *   CFGI_STE, CFGI_STE_RANGE, CFGI_ALL  an STE_SET with the STE as it is now, for each attached stream that is meant
 *   RESUME, STALL_TERM                  a PAGE_RESPONSE, for attached streams
 *   PREFETCH_*                          nothing
 *   SYNC                                once all before it is complete: `synced`. It is not sent.
 *   all others                          gathered and sent as COMMANDS; the broker judges them
 *
 * The order is the queue's: what is gathered is sent and complete before any of the first four takes effect.
 * An ATC_INV that a device did not answer is consumed, and the next SYNC stops with CERROR_ATC_INV_SYNC, once.
 */
int smmu_broker_drain_cmdq(struct smmu_broker_cmdq *queue);

/* ---- Events ------------------------------------------------------------------------------------------------------ */

/* One packet of the event socket; `header.type` says which of the rest it has. */
struct smmu_broker_events {
    struct smmu_broker_event_header header;
    union {
        struct smmu_broker_event_record records[SMMU_BROKER_MAXIMUM_EVENTS]; /* EVENT: header.count */
        struct smmu_broker_lost lost;                                        /* LOST */
        struct smmu_broker_health health;                                    /* HEALTH, DEVICE_GONE */
        struct smmu_broker_epoch epoch;                                      /* EPOCH */
    } body;
};

/*
 * Receives one packet without waiting. 1: `events` has it; 0: the broker has closed the socket; -EAGAIN: none is there;
 * -EPROTO: it is not what the protocol allows. What `events` has beyond header.count is undefined. Descriptors are
 * never taken.
 */
int smmu_broker_receive_events(int fd, struct smmu_broker_events *events);

/*
 * The index of the first record of an EVENT packet that has not come before, header.count when all have. `next` is the
 * sequence number expected next of the vSMMU in the header; 0 at the start, kept by the caller for each vSMMU. Also counts
 * what a LOST packet uses up.
 */
uint32_t smmu_broker_first_new(const struct smmu_broker_events *events, uint64_t *next);

/*
 * A shared queue that this program reads itself, and not the guest. Fill in the first three, the rest 0, or as CONS is.
 * CONS is this program's: nobody else may write it.
 */
struct smmu_broker_event_ring {
    const void *records; /* where base of smmu_broker_shared_queue is mapped */
    void *registers;     /* where PROD is mapped */
    uint32_t log2;
    uint32_t cons; /* what CONS is: index, wrap bit and OVACKFLG */
    uint32_t lost; /* 1: the last call found that records have been lost, and has acknowledged it */
    uint32_t reserved;
};

/*
 * Copies up to `capacity` records out of the queue, oldest first, and moves CONS behind them. Returns how many: 0 when
 * there is none. Take until it is 0, and only then wait for the eventfd. -EPROTO: PROD is no possible one.
 */
int smmu_broker_take_events(
    struct smmu_broker_event_ring *ring, struct smmu_broker_event_record *records, uint32_t capacity);

/* A guest's event queue that the VMM fills from a socket. */
struct smmu_broker_eventq {
    uint64_t base; /* EVENTQ_BASE; its LOG2SIZE counts, at most IDR1.EVENTQS */
    uint32_t idr1;
    uint32_t cons; /* EVENTQ_CONS with OVACKFLG, as the guest wrote it; set before every call */
    uint32_t prod; /* EVENTQ_PROD with OVFLG, for the guest to read; moved on by every call */

    /* The last call. */
    uint32_t appended;  /* records that the guest can see */
    uint32_t dropped;   /* records lost to the guest */
    uint32_t interrupt; /* 1: raise the event queue's interrupt */
    uint32_t aborted;   /* 1: a write failed: raise GERROR.EVENTQ_ABT */
    uint32_t reserved;

    struct smmu_broker_memory memory; /* `write` counts */
};

/*
 * For use while EVENTQEN is set and no EVENTQ_ABT is active. Returns how many records were dealt with, from the first.
 * Records for which the queue has no room are dropped, and OVFLG says so once; but a record of a stalled transaction is
 * never dropped (IHI 0070, 7.2.1): at one for which there is no room the call ends, and the caller brings it and those
 * behind it again when the guest has moved CONS. When a write aborts, its record and all behind it are lost.
 * A CONS that is no possible one makes the queue full. -EINVAL: the structure makes no sense.
 */
int smmu_broker_append_events(
    struct smmu_broker_eventq *queue, const struct smmu_broker_event_record *records, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
