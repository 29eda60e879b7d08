/*
 * smmu_broker.h: how a VMM talks to smmu-broker.
 *
 * The transport is AF_UNIX, SOCK_SEQPACKET: one packet is one message. Only the client asks; each request gets exactly
 * one reply with the same cookie, in the order of the requests. Events come on a socket of their own, which the client
 * makes and passes (SMMU_BROKER_EVENTS_SUBSCRIBE), and are never answered.
 *
 * All numbers are little-endian, all layouts fixed and without hidden padding. Reserved fields are 0 when sent and refused
 * when they are not. A message is as long as its type says, and its `size` says so too.
 *
 * This header compiles as C11 and C++17. It is the specification; docs/protocol.md explains it.
 */
#ifndef SMMU_BROKER_H
#define SMMU_BROKER_H

#include <stdint.h>

#ifdef __cplusplus
#define SMMU_BROKER_ASSERT_SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), #type)
extern "C" {
#else
#define SMMU_BROKER_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#endif

/* ---- Limits and versions ---------------------------------------------------------------------------------------- */

#define SMMU_BROKER_VERSION 1u
/*
 * Bytes of a name's field: of a VM, a device, a grant. A name is 1 to 63 letters, digits, '-', '_', '.' or ':'; all bytes
 * after it are 0.
 */
#define SMMU_BROKER_NAME_SIZE 64u
/* Commands in one SMMU_BROKER_COMMANDS. */
#define SMMU_BROKER_MAXIMUM_COMMANDS 4096u
/* Contexts in one SMMU_BROKER_VSMMU_STATE. */
#define SMMU_BROKER_MAXIMUM_ENTRIES 512u
/* Bytes of data in one SMMU_BROKER_DMA. */
#define SMMU_BROKER_MAXIMUM_DATA 4096u
/* Event records in one SMMU_BROKER_EVENT. */
#define SMMU_BROKER_MAXIMUM_EVENTS 128u
/* Bytes of the largest packet in either direction. */
#define SMMU_BROKER_MAXIMUM_PACKET 65792u

/* Features, for HELLO. Unknown bits are not negotiated. */
#define SMMU_BROKER_FEATURE_MODEL (1ull << 0)         /* TRANSLATE and DMA work: the backend is the model */
#define SMMU_BROKER_FEATURE_SHARED_EVENTS (1ull << 1) /* events into a queue in shared memory */
#define SMMU_BROKER_FEATURE_PAGE_RESPONSE (1ull << 2) /* stalled transactions can be answered */

/* ---- Requests and replies --------------------------------------------------------------------------------------- */

enum smmu_broker_type {
    SMMU_BROKER_HELLO = 1,
    SMMU_BROKER_VSMMU_CREATE = 2,
    SMMU_BROKER_VSMMU_DESTROY = 3,
    SMMU_BROKER_VSMMU_STATE = 4,
    SMMU_BROKER_VSMMU_RESET = 5,
    SMMU_BROKER_MEMORY_MAP = 6,
    SMMU_BROKER_MEMORY_UNMAP = 7,
    SMMU_BROKER_DEVICE_ATTACH = 8,
    SMMU_BROKER_DEVICE_REBIND = 9,
    SMMU_BROKER_DEVICE_DETACH = 10,
    SMMU_BROKER_DEVICE_RESET = 11,
    SMMU_BROKER_STE_SET = 12,
    SMMU_BROKER_COMMANDS = 13,
    SMMU_BROKER_MSI_DOORBELL = 14,
    SMMU_BROKER_EVENTS_SUBSCRIBE = 15,
    SMMU_BROKER_PAGE_RESPONSE = 16,
    SMMU_BROKER_TRANSLATE = 17,
    SMMU_BROKER_DMA = 18,
};

/* Why a request was refused: by name, so that a program can tell; the reply's sentence tells a person. */
enum smmu_broker_reason {
    SMMU_BROKER_REASON_NONE = 0,
    /* The packet itself. */
    SMMU_BROKER_REASON_TOO_SHORT = 1,
    SMMU_BROKER_REASON_TOO_LONG = 2,
    SMMU_BROKER_REASON_SIZE_MISMATCH = 3,
    SMMU_BROKER_REASON_UNKNOWN_TYPE = 4,
    SMMU_BROKER_REASON_RESERVED_NOT_ZERO = 5,
    SMMU_BROKER_REASON_WRONG_FD_COUNT = 6,
    SMMU_BROKER_REASON_FDS_TRUNCATED = 7,
    SMMU_BROKER_REASON_BAD_NAME = 8,
    SMMU_BROKER_REASON_BAD_COUNT = 9,
    SMMU_BROKER_REASON_BAD_VALUE = 10,
    /* The conversation. */
    SMMU_BROKER_REASON_HELLO_EXPECTED = 16,
    SMMU_BROKER_REASON_HELLO_REPEATED = 17,
    SMMU_BROKER_REASON_BAD_VERSION = 18,
    SMMU_BROKER_REASON_NOT_SUPPORTED = 19,
    SMMU_BROKER_REASON_NOT_GRANTED = 20,
    SMMU_BROKER_REASON_QUOTA = 21,
    /* Memory. */
    SMMU_BROKER_REASON_NOT_MEMORY = 32,
    SMMU_BROKER_REASON_NOT_SEALED = 33,
    SMMU_BROKER_REASON_HUGETLB_UNSUPPORTED = 34,
    SMMU_BROKER_REASON_FD_NOT_WRITABLE = 35,
    SMMU_BROKER_REASON_NOT_ALIGNED = 36,
    SMMU_BROKER_REASON_ADDRESS_OVERFLOW = 37,
    SMMU_BROKER_REASON_BEYOND_FILE = 38,
    SMMU_BROKER_REASON_OVERLAP = 39,
    SMMU_BROKER_REASON_NO_SUCH_MAP = 40,
    SMMU_BROKER_REASON_MSI_WINDOW = 41,
    /* Objects. */
    SMMU_BROKER_REASON_UNKNOWN_VSMMU = 48,
    SMMU_BROKER_REASON_UNKNOWN_VSID = 49,
    SMMU_BROKER_REASON_DUPLICATE_VSID = 50,
    SMMU_BROKER_REASON_UNKNOWN_DEVICE = 51,
    SMMU_BROKER_REASON_DEVICE_BUSY = 52,
    SMMU_BROKER_REASON_OTHER_SMMU = 53,
    SMMU_BROKER_REASON_NARROWER_DEVICE = 54,
    SMMU_BROKER_REASON_VSMMU_IN_USE = 55,
    SMMU_BROKER_REASON_VSMMU_FAILED = 56,
    SMMU_BROKER_REASON_MISSING_CONTEXT = 57,
    SMMU_BROKER_REASON_UNKNOWN_STAG = 58,
    SMMU_BROKER_REASON_NOT_ORPHANED = 59,
    SMMU_BROKER_REASON_NOT_SOCKET = 60,
    SMMU_BROKER_REASON_NOT_EVENTFD = 61,
    /* Commands: `cerror` and `completed` say more. */
    SMMU_BROKER_REASON_ILLEGAL_COMMAND = 64,
    SMMU_BROKER_REASON_CONFIGURATION_COMMAND = 65,
    SMMU_BROKER_REASON_PAGE_RESPONSE_COMMAND = 66,
    /* The host. */
    SMMU_BROKER_REASON_HOST_FAILURE = 80,
    /* The admin socket. */
    SMMU_BROKER_REASON_UNKNOWN_SESSION = 96,
};

/* At the start of every request. */
struct smmu_broker_request {
    uint16_t type; /* enum smmu_broker_type */
    uint16_t reserved;
    uint32_t size; /* of the packet, this header included */
    uint64_t cookie;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_request, 16);

/* In the `type` of a reply, beside the type of its request. */
#define SMMU_BROKER_REPLY 0x8000u

/* CMDQ_CONS.ERR as the guest is to see it (IHI 0070, 7.1). */
enum smmu_broker_cerror {
    SMMU_BROKER_CERROR_NONE = 0,
    SMMU_BROKER_CERROR_ILL = 1,
    SMMU_BROKER_CERROR_ABT = 2,
    SMMU_BROKER_CERROR_ATC_INV_SYNC = 3,
};

/*
 * At the start of every reply. A successful one goes on with what its type says. A refused one has nothing of that, but
 * `text_size` bytes of an English sentence in UTF-8 without a final 0: what failed, whose fault it is, what to do.
 */
struct smmu_broker_reply {
    uint16_t type; /* the request's, with SMMU_BROKER_REPLY */
    uint16_t text_size;
    uint32_t size; /* of the packet, this header included */
    uint64_t cookie;
    uint32_t status;    /* 0, or an errno */
    uint32_t reason;    /* enum smmu_broker_reason */
    uint32_t cerror;    /* enum smmu_broker_cerror, of COMMANDS */
    uint32_t completed; /* COMMANDS: how many commands, from the first on, are done and need not be sent again */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_reply, 32);

/* ---- HELLO ------------------------------------------------------------------------------------------------------- */

struct smmu_broker_hello {
    struct smmu_broker_request header;
    uint32_t version; /* the highest that the client speaks, from 1 on */
    uint32_t reserved;
    uint64_t features;                /* those that the client wants */
    char name[SMMU_BROKER_NAME_SIZE]; /* of the VM, for people */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_hello, 96);

struct smmu_broker_hello_reply {
    struct smmu_broker_reply header;
    uint32_t version; /* spoken from now on: the lower of both sides' highest */
    uint32_t maximum_packet;
    uint64_t features;       /* those of the wanted that are there */
    uint64_t epoch;          /* changes when the daemon has lost the session's state */
    uint64_t maximum_memory; /* bytes that may be mapped */
    uint32_t maximum_vsmmus;
    uint32_t maximum_contexts;
    uint32_t maximum_commands; /* in one COMMANDS */
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_hello_reply, 80);

/* ---- vSMMUs ------------------------------------------------------------------------------------------------------ */

/* SMMU_IDR0…5, IIDR and AIDR. */
struct smmu_broker_registers {
    uint32_t idr[6];
    uint32_t iidr;
    uint32_t aidr;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_registers, 32);

/* A vSMMU on the physical SMMU of `device`, or of the devices of a template. DEVICE_ATTACH alone takes a device. */
struct smmu_broker_vsmmu_create {
    struct smmu_broker_request header;
    char device[SMMU_BROKER_NAME_SIZE];
    struct smmu_broker_registers wanted; /* what the guest is to be shown, at most; all 0: as much as possible */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_vsmmu_create, 112);

/* A field of the ID registers in which the guest is shown less than was wanted. */
struct smmu_broker_narrowing {
    char field[24]; /* "IDR0.STALL_MODEL", with a final 0 */
    uint32_t wanted;
    uint32_t host;
    uint32_t given;
    uint32_t cause; /* enum smmu_broker_cause */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_narrowing, 40);

enum smmu_broker_cause {
    SMMU_BROKER_CAUSE_HOST = 1,    /* the physical SMMU has less */
    SMMU_BROKER_CAUSE_NESTING = 2, /* cannot be offered to a guest whose stage 1 runs nested */
    SMMU_BROKER_CAUSE_POLICY = 3,  /* the host's configuration withholds it */
};

struct smmu_broker_vsmmu_create_reply {
    struct smmu_broker_reply header;
    uint32_t vsmmu;  /* its number, for every request that names a vSMMU */
    uint32_t errata; /* SMMU_BROKER_ERRATUM_* */
    struct smmu_broker_registers host;
    struct smmu_broker_registers advertised; /* what to show the guest; frozen from now on */
    uint32_t narrowing_count;
    uint32_t reserved;
    /* struct smmu_broker_narrowing narrowings[narrowing_count] follow. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_vsmmu_create_reply, 112);

/* The guest has to issue each TLBI and CFGI twice, or be shown the erratum. */
#define SMMU_BROKER_ERRATUM_REPEAT_TLBI_CFGI (1u << 0)

/* VSMMU_DESTROY (no device may be attached) and VSMMU_RESET: the request that names only a vSMMU. */
struct smmu_broker_vsmmu {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_vsmmu, 24);

/* A context and its STE as the guest wrote it. */
struct smmu_broker_entry {
    uint32_t vsid;
    uint32_t reserved;
    uint64_t ste[8];
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_entry, 72);

#define SMMU_BROKER_STATE_SMMUEN (1u << 0)
#define SMMU_BROKER_STATE_GBPA_ABORT (1u << 1)

/* What the guest wrote to CR0.SMMUEN and GBPA.ABORT. With SMMUEN the STEs of all attached vSIDs come along. */
struct smmu_broker_vsmmu_state {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t flags;       /* SMMU_BROKER_STATE_* */
    uint32_t entry_count; /* 0 without SMMUEN */
    uint32_t reserved;
    /* struct smmu_broker_entry entries[entry_count] follow. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_vsmmu_state, 32);

enum smmu_broker_context_state {
    SMMU_BROKER_CONTEXT_ABORT = 0,
    SMMU_BROKER_CONTEXT_BYPASS = 1,
    SMMU_BROKER_CONTEXT_TRANSLATE = 2,
};

/* What became of one context. */
struct smmu_broker_context {
    uint32_t vsid;
    uint32_t state;  /* enum smmu_broker_context_state */
    uint32_t status; /* 0, or the errno with which the host refused; the state is then what is in effect */
    uint32_t illegal; /* 1: the STE is ILLEGAL, and so the context aborts */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_context, 16);

/* Reply of VSMMU_STATE and VSMMU_RESET. */
struct smmu_broker_contexts_reply {
    struct smmu_broker_reply header;
    uint32_t context_count;
    uint32_t generation; /* of the vSMMU's events: those of an older one are from before a reset */
    /* struct smmu_broker_context contexts[context_count] follow. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_contexts_reply, 40);

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

#define SMMU_BROKER_MEMORY_READ (1u << 0)
#define SMMU_BROKER_MEMORY_WRITE (1u << 1)
#define SMMU_BROKER_MEMORY_DMABUF (1u << 2) /* the descriptor is a dma-buf: a BAR of a device of this session */

/* Guest memory at an IPA, from a file whose descriptor comes with the packet. */
struct smmu_broker_memory_map {
    struct smmu_broker_request header;
    uint64_t ipa;    /* this, size and offset: multiples of 4096 */
    uint64_t size;   /* bytes, not 0 */
    uint64_t offset; /* in the file */
    uint32_t flags;  /* SMMU_BROKER_MEMORY_*: READ, WRITE or both */
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_memory_map, 48);

/* Whole earlier maps. */
struct smmu_broker_memory_unmap {
    struct smmu_broker_request header;
    uint64_t ipa;
    uint64_t size;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_memory_unmap, 32);

/* ---- Devices ----------------------------------------------------------------------------------------------------- */

struct smmu_broker_device_attach {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t vsid;
    char device[SMMU_BROKER_NAME_SIZE]; /* "0000:01:00.0", or the name of a model device */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_device_attach, 88);

#define SMMU_BROKER_DEVICE_ATS (1u << 0)
#define SMMU_BROKER_DEVICE_FD (1u << 1) /* a vfio device descriptor comes along */

/* With a vfio device descriptor where the backend has one. */
struct smmu_broker_device_attach_reply {
    struct smmu_broker_reply header;
    uint64_t msi_base; /* IOVA window that the guest's firmware must identity-map; size 0: none */
    uint64_t msi_size;
    uint32_t flags; /* SMMU_BROKER_DEVICE_* */
    uint32_t pasid_bits;
    uint32_t physical_stream; /* StreamID of the physical SMMU, for people */
    uint32_t state;           /* enum smmu_broker_context_state */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_device_attach_reply, 64);

struct smmu_broker_device_rebind {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t vsid;
    uint32_t new_vsid;
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_device_rebind, 32);

/* DEVICE_DETACH. */
struct smmu_broker_device {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t vsid;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_device, 24);

/* DEVICE_RESET: of an orphaned device, which is no session's. */
struct smmu_broker_device_reset {
    struct smmu_broker_request header;
    char device[SMMU_BROKER_NAME_SIZE];
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_device_reset, 80);

/* ---- STEs and commands ------------------------------------------------------------------------------------------- */

struct smmu_broker_ste_set {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t vsid;
    uint64_t ste[8];
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_ste_set, 88);

struct smmu_broker_ste_set_reply {
    struct smmu_broker_reply header;
    struct smmu_broker_context context;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_ste_set_reply, 48);

/* One 16-byte command as the guest wrote it (IHI 0070, 4). */
struct smmu_broker_command {
    uint64_t words[2];
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_command, 16);

/* A CMD_SYNC among them is allowed and does nothing more: every command of a successful reply is complete. */
struct smmu_broker_commands {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t count; /* 1…SMMU_BROKER_MAXIMUM_COMMANDS */
    /* struct smmu_broker_command commands[count] follow. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_commands, 24);

/* ---- Interrupts, events, page responses -------------------------------------------------------------------------- */

/* Model: a guest doorbell at `ipa`. iommufd: nothing is set, the reply says the fixed window. */
struct smmu_broker_msi_doorbell {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t vsid;
    uint64_t iova;
    uint64_t ipa;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_msi_doorbell, 40);

struct smmu_broker_msi_doorbell_reply {
    struct smmu_broker_reply header;
    uint64_t base;
    uint64_t size;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_msi_doorbell_reply, 48);

enum smmu_broker_delivery {
    SMMU_BROKER_DELIVERY_SOCKET = 1, /* one descriptor: a SEQPACKET socket */
    SMMU_BROKER_DELIVERY_QUEUE = 2,  /* three or four: memory with an event queue's records, memory with its PROD and
                                        CONS (perhaps the same again), an eventfd to signal, and, if LOST, HEALTH and
                                        DEVICE_GONE are wanted, a SEQPACKET socket for them */
};

/*
 * An event queue as the architecture has it (IHI 0070, 3.5, 6.3): 2^queue_log2 records, and two little-endian words of 32
 * bits, PROD and CONS, one behind the other as EVENTQ_PROD and EVENTQ_CONS lie in page 1 of an SMMU (0x100a8, 0x100ac).
 * Both memories: memfds with F_SEAL_SHRINK, open for reading and writing.
 */

struct smmu_broker_events_subscribe {
    struct smmu_broker_request header;
    uint32_t delivery;   /* enum smmu_broker_delivery */
    uint32_t vsmmu;      /* or, for a socket, SMMU_BROKER_EVERY_VSMMU */
    /* Of DELIVERY_QUEUE, else 0: */
    uint64_t queue_base;      /* offset of the records in their memory, aligned to the queue's size */
    uint64_t queue_registers; /* offset of PROD in its memory, a multiple of 8; CONS follows it */
    uint32_t queue_log2;      /* log2 of the records, 1…19 */
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_events_subscribe, 48);

/* All vSMMUs that have no subscription of their own, those made later included. */
#define SMMU_BROKER_EVERY_VSMMU 0xffffffffu

enum smmu_broker_page_response_code {
    SMMU_BROKER_PAGE_RETRY = 0,
    SMMU_BROKER_PAGE_TERMINATE = 1,
    SMMU_BROKER_PAGE_ABORT = 2,
    SMMU_BROKER_PAGE_TERMINATE_ALL = 3, /* STALL_TERM: every stalled transaction of the vSID */
};

struct smmu_broker_page_response {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t vsid;
    uint32_t stag; /* 0 with TERMINATE_ALL */
    uint32_t code; /* enum smmu_broker_page_response_code */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_page_response, 32);

/* ---- The model's device side ------------------------------------------------------------------------------------- */

#define SMMU_BROKER_ACCESS_WRITE (1u << 0)
#define SMMU_BROKER_ACCESS_PRIVILEGED (1u << 1)
#define SMMU_BROKER_ACCESS_INSTRUCTION (1u << 2)
#define SMMU_BROKER_ACCESS_SUBSTREAM (1u << 3) /* `ssid` is meant */

/* TRANSLATE: one 4-byte access without data. DMA: `size` bytes, which follow when it is a write. */
struct smmu_broker_access {
    struct smmu_broker_request header;
    uint32_t vsmmu;
    uint32_t vsid;
    uint64_t iova;
    uint32_t ssid;  /* 20 bits; 0 without SMMU_BROKER_ACCESS_SUBSTREAM */
    uint32_t flags; /* SMMU_BROKER_ACCESS_* */
    uint32_t size;  /* TRANSLATE: 0; DMA: 1…SMMU_BROKER_MAXIMUM_DATA */
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_access, 48);

enum smmu_broker_outcome {
    SMMU_BROKER_OUTCOME_OK = 0,
    SMMU_BROKER_OUTCOME_BYPASS = 1, /* stage 1 does not translate */
    SMMU_BROKER_OUTCOME_ABORT = 2,  /* terminated without an event */
    SMMU_BROKER_OUTCOME_FAULT = 3,
    SMMU_BROKER_OUTCOME_STALLED = 4,
    SMMU_BROKER_OUTCOME_NOT_REACHED = 5, /* of stage 2, when stage 1 did not come through */
};

#define SMMU_BROKER_PERMISSION_READ (1u << 0)
#define SMMU_BROKER_PERMISSION_WRITE (1u << 1)

/* What hardware would do. For a DMA read `size` bytes of data follow. */
struct smmu_broker_access_reply {
    struct smmu_broker_reply header;
    uint32_t stage1;      /* enum smmu_broker_outcome */
    uint32_t stage2;      /* enum smmu_broker_outcome */
    uint64_t ipa;         /* what stage 1 gave */
    uint32_t permissions; /* stage 1's, for unprivileged data: SMMU_BROKER_PERMISSION_* */
    uint32_t recorded;    /* 1: `event` has been recorded */
    uint64_t event[4];    /* of a fault, recorded or not; else 0 */
    uint32_t size;        /* bytes of data that follow, or that were written */
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_access_reply, 96);

/* ---- On the event socket ----------------------------------------------------------------------------------------- */

enum smmu_broker_event_type {
    SMMU_BROKER_EVENT = 1,
    SMMU_BROKER_LOST = 2,
    SMMU_BROKER_HEALTH = 3,
    SMMU_BROKER_DEVICE_GONE = 4,
    SMMU_BROKER_EPOCH = 5,
};

/* At the start of every packet. `sequence` counts the vSMMU's records from 0: a repeated one is a duplicate. */
struct smmu_broker_event_header {
    uint16_t type;  /* enum smmu_broker_event_type */
    uint16_t count; /* of what follows */
    uint32_t size;  /* of the packet, this header included */
    uint64_t sequence; /* of the first of what follows */
    uint32_t vsmmu;
    uint32_t generation;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_event_header, 24);

/* EVENT: `count` of these follow: records as the guest's event queue takes them. */
struct smmu_broker_event_record {
    uint64_t words[4];
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_event_record, 32);

enum smmu_broker_loss {
    SMMU_BROKER_LOSS_KERNEL_QUEUE = 1, /* the vEVENTQ overflowed */
    SMMU_BROKER_LOSS_SUBSCRIBER = 2,   /* a monitor did not keep up, or the VMM when a vSMMU was reset or destroyed */
};

/* LOST: one of these. The sequence numbers it covers are used up. */
struct smmu_broker_lost {
    uint64_t count;
    uint32_t where; /* enum smmu_broker_loss */
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_lost, 16);

enum smmu_broker_health_state {
    SMMU_BROKER_HEALTHY = 0,
    SMMU_BROKER_SUSPECT = 1,
    SMMU_BROKER_QUARANTINED = 2,
    SMMU_BROKER_RECOVERED = 3,
};

/* Why it changed. New ones may be added. */
enum smmu_broker_health_reason {
    SMMU_BROKER_HEALTH_NONE = 0,
    SMMU_BROKER_HEALTH_EVENT_STORM = 1, /* more faults than its grant takes for normal */
    SMMU_BROKER_HEALTH_ATC_TIMEOUT = 2, /* it did not answer an ATC invalidation */
    SMMU_BROKER_HEALTH_SLOW_ATC = 3,    /* it answers them late */
    SMMU_BROKER_HEALTH_OPERATOR = 4,
    SMMU_BROKER_HEALTH_HOST_FAILURE = 5,
    SMMU_BROKER_HEALTH_CALM = 6,      /* calm for long enough */
    SMMU_BROKER_HEALTH_PARK_TIME = 7, /* its time on ABORT is over */
    SMMU_BROKER_HEALTH_RESET = 8,     /* VSMMU_RESET */
    SMMU_BROKER_HEALTH_CONFIGURATION = 9,
};

/* HEALTH and DEVICE_GONE: one of these. They and EPOCH have the number of the next record, and use none. */
struct smmu_broker_health {
    uint32_t vsid;
    uint32_t state;   /* enum smmu_broker_health_state */
    uint32_t reason;  /* enum smmu_broker_health_reason: of this change */
    uint32_t reasons; /* bit n: reason n has made it worse since it was last healthy */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_health, 16);

/* EPOCH: one of these. */
struct smmu_broker_epoch {
    uint64_t epoch;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_epoch, 8);

#ifdef __cplusplus
}
#endif

#endif
