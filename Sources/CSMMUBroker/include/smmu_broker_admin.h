/*
 * smmu_broker_admin.h: how an operator's program talks to smmu-broker.
 *
 * The admin socket is another one than the VMMs', with its own group: whoever may connect may do all of this. Framing is
 * that of smmu_broker.h: AF_UNIX, SOCK_SEQPACKET, the same headers of requests and replies, the same rules for lengths,
 * counts, reserved fields and names. There is no HELLO; STATUS says the version.
 *
 * Lists come in pieces: a reply has as much as fits a packet and says how much there is.
 *
 * This header compiles as C11 and C++17. It is the specification; docs/admin-protocol.md explains it.
 */
#ifndef SMMU_BROKER_ADMIN_H
#define SMMU_BROKER_ADMIN_H

#include "smmu_broker.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SMMU_BROKER_ADMIN_VERSION 1u
/* Sessions in one reply of LIST. */
#define SMMU_BROKER_ADMIN_MAXIMUM_SESSIONS 192u
/* Contexts in one reply of SHOW. */
#define SMMU_BROKER_ADMIN_MAXIMUM_CONTEXTS 256u
/* Devices in one reply of HELD_BACK. */
#define SMMU_BROKER_ADMIN_MAXIMUM_HELD_BACK 256u
/* Device patterns in one SESSION_CREATE. */
#define SMMU_BROKER_ADMIN_MAXIMUM_PATTERNS 64u
/* Bytes of text in one reply of STATUS, METRICS and RELOAD. */
#define SMMU_BROKER_ADMIN_MAXIMUM_TEXT 32768u
/* Batches of invalidations in one reply of EXPLAIN. */
#define SMMU_BROKER_ADMIN_MAXIMUM_INVALIDATIONS 8u
/* Words of memory in one reply of EXPLAIN. */
#define SMMU_BROKER_ADMIN_MAXIMUM_WORDS 256u
/* Records in one packet of a monitor. */
#define SMMU_BROKER_ADMIN_MAXIMUM_RECORDS 64u

enum smmu_broker_admin_type {
    SMMU_BROKER_ADMIN_STATUS = 64,
    SMMU_BROKER_ADMIN_LIST = 65,
    SMMU_BROKER_ADMIN_SHOW = 66,
    SMMU_BROKER_ADMIN_METRICS = 67,
    SMMU_BROKER_ADMIN_MONITOR = 68,
    SMMU_BROKER_ADMIN_SESSION_CREATE = 69,
    SMMU_BROKER_ADMIN_QUARANTINE = 70,
    SMMU_BROKER_ADMIN_RELEASE = 71,
    SMMU_BROKER_ADMIN_RELOAD = 72,
    SMMU_BROKER_ADMIN_HAND_BACK = 73,
    SMMU_BROKER_ADMIN_READMIT = 74,
    SMMU_BROKER_ADMIN_HELD_BACK = 75,
    SMMU_BROKER_ADMIN_LET_GO = 76,
    SMMU_BROKER_ADMIN_EXPLAIN = 77,
};

/* STATUS, RELOAD and HELD_BACK are a struct smmu_broker_request and nothing else. */

/* ---- Records ----------------------------------------------------------------------------------------------------- */

/* What has been done, counted from the beginning. */
struct smmu_broker_admin_counters {
    uint64_t requests;
    uint64_t refusals;
    uint64_t batches; /* of commands */
    uint64_t commands;
    uint64_t ignored_commands; /* completed without reaching the backend */
    uint64_t stes_installed;
    uint64_t resynchronizations;
    uint64_t host_failures;
    uint64_t events;           /* read from the sources */
    uint64_t events_delivered; /* handed to the VMMs' sockets, or written into their queues */
    uint64_t events_lost;      /* by the sources */
    uint64_t journal_suppressed;
    uint64_t events_discarded; /* read, and lost by the daemon: at a reset, with the vSMMU, or with the session */
    uint64_t events_outdated;  /* read, and not written into a queue, because they are from before a reset */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_counters, 112);

struct smmu_broker_admin_session {
    uint64_t id;                       /* never used twice */
    char vm[SMMU_BROKER_NAME_SIZE];    /* all 0 before HELLO */
    char grant[SMMU_BROKER_NAME_SIZE]; /* all 0: none */
    uint32_t pid;                      /* of who connected */
    uint32_t uid;
    uint32_t vsmmus;
    uint32_t contexts;
    uint32_t maps;
    uint16_t suspect_contexts;
    uint16_t quarantined_contexts;
    uint64_t mapped_bytes;
    uint64_t busy_ns; /* how long it has been at what it does now, which may be a blocking call; 0: it waits */
    struct smmu_broker_admin_counters counters;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_session, 288);

#define SMMU_BROKER_ADMIN_CONTEXT_ILLEGAL (1u << 0)       /* the STE is ILLEGAL, and so the context aborts */
#define SMMU_BROKER_ADMIN_CONTEXT_VSMMU_ENABLED (1u << 1) /* SMMUEN */
#define SMMU_BROKER_ADMIN_CONTEXT_VSMMU_FAILED (1u << 2)  /* aborts until the vSMMU is reset */

/* How long something took. The quantiles are bounds of buckets, which are powers of two. */
struct smmu_broker_admin_latency {
    uint64_t count; /* how often it was measured; 0: the others are 0 too */
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t maximum_ns; /* exactly */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_latency, 32);

struct smmu_broker_admin_context {
    uint32_t vsmmu;
    uint32_t vsid;
    char device[SMMU_BROKER_NAME_SIZE];
    char smmu[SMMU_BROKER_NAME_SIZE]; /* the physical one */
    uint32_t physical_stream;
    uint32_t state;  /* enum smmu_broker_context_state */
    uint32_t flags;  /* SMMU_BROKER_ADMIN_CONTEXT_* */
    uint32_t health; /* enum smmu_broker_health_state */
    uint64_t events;
    uint64_t stes_installed;
    uint64_t ste[2]; /* words 0 and 1 of the installed stage 1; 0 without */
    uint32_t health_reason;  /* enum smmu_broker_health_reason: of its last change; 0: there was none */
    uint32_t health_reasons; /* bit n: reason n has made it worse since it was last healthy */
    uint64_t health_ns;      /* for how long it has been so; 0 while it has never been otherwise */
    uint64_t parked_ns;      /* until it leaves ABORT by itself; 0: it does not, or is not there */
    struct smmu_broker_admin_latency stalls; /* from reading a stalled transaction's event until its answer */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_context, 240);

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

struct smmu_broker_admin_status_reply {
    struct smmu_broker_reply header;
    uint32_t version;    /* SMMU_BROKER_ADMIN_VERSION of the daemon */
    uint32_t pid;        /* of the daemon */
    uint64_t epoch;      /* as in HELLO */
    uint64_t uptime_ns;
    uint64_t started_ns; /* CLOCK_REALTIME */
    char release[SMMU_BROKER_NAME_SIZE]; /* of the daemon: "0.1.0" */
    char backend[SMMU_BROKER_NAME_SIZE]; /* "model" */
    uint32_t sessions;
    uint32_t maximum_sessions;
    uint32_t vsmmus;
    uint32_t contexts;
    uint32_t monitors;
    uint32_t busy_sessions;    /* in a turn for more than a second */
    uint32_t reloads;          /* that were done */
    uint32_t refused_reloads;  /* the old configuration stayed */
    uint64_t ended_sessions;
    struct smmu_broker_admin_counters counters; /* of all sessions, those that have ended too */
    uint32_t suspect_contexts;
    uint32_t quarantined_contexts;
    uint32_t text_size;
    uint32_t held_back; /* devices that no session has, and nobody gets at the moment */
    /* `text_size` bytes follow: the configuration files that were read, a line for each. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_status_reply, 360);

/* Sessions in the order of their numbers. */
struct smmu_broker_admin_list {
    struct smmu_broker_request header;
    uint64_t after; /* those with higher numbers than this; 0: all */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_list, 24);

struct smmu_broker_admin_list_reply {
    struct smmu_broker_reply header;
    uint32_t total; /* sessions at the moment */
    uint32_t count; /* of those that follow; 0: there are no more */
    /* struct smmu_broker_admin_session sessions[count] follow. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_list_reply, 40);

struct smmu_broker_admin_show {
    struct smmu_broker_request header;
    uint64_t session;
    uint32_t first; /* index of the first context that is wanted */
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_show, 32);

struct smmu_broker_admin_show_reply {
    struct smmu_broker_reply header;
    struct smmu_broker_admin_session session;
    uint32_t total; /* contexts at the moment */
    uint32_t count; /* of those that follow */
    /* struct smmu_broker_admin_context contexts[count] follow. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_show_reply, 328);

/* OpenMetrics text. Offset 0 makes a new one; any other goes on in the one that this connection got last. */
struct smmu_broker_admin_metrics {
    struct smmu_broker_request header;
    uint32_t offset;
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_metrics, 24);

struct smmu_broker_admin_metrics_reply {
    struct smmu_broker_reply header;
    uint32_t total; /* bytes of the whole text */
    uint32_t text_size;
    /* `text_size` bytes follow. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_metrics_reply, 40);

/*
 * What is known of one access of a device, as of a fault that was recorded. The session that has the device is asked: it
 * answers when it is through with what it is at, or the reply is the error BUSY after a second. Nothing changes by it.
 */
struct smmu_broker_admin_explain {
    struct smmu_broker_request header;
    uint64_t session;
    uint32_t vsmmu;
    uint32_t vsid;
    uint64_t iova;
    uint32_t ssid;  /* 0 without SMMU_BROKER_ACCESS_SUBSTREAM */
    uint32_t flags; /* SMMU_BROKER_ACCESS_* */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_explain, 48);

/* A batch of invalidations: its first and its last command stand for all of it. An STE_SET counts as CFGI_STE. */
struct smmu_broker_admin_invalidation {
    struct smmu_broker_command first;
    struct smmu_broker_command last;
    uint64_t age_ns; /* before the session answered */
    uint32_t count;  /* of commands that reached the SMMU */
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_invalidation, 48);

/* A word of memory, at an address as the SMMU sees it. */
struct smmu_broker_admin_word {
    uint64_t address;
    uint64_t value;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_word, 16);

#define SMMU_BROKER_ADMIN_EXPLAIN_ENTRY (1u << 0)  /* the guest has given an STE */
#define SMMU_BROKER_ADMIN_EXPLAIN_MEMORY (1u << 1) /* guest memory is at hand */

/*
 * The words are those that a translation of the access reads, in memory as it is now: whoever has them can follow the
 * walk. Without EXPLAIN_MEMORY there are none, and what describes the SMMU is 0.
 */
struct smmu_broker_admin_explain_reply {
    struct smmu_broker_reply header;
    struct smmu_broker_admin_context context;
    uint64_t ste[8]; /* as the guest gave it last; 0 without SMMU_BROKER_ADMIN_EXPLAIN_ENTRY */
    struct smmu_broker_registers registers; /* of the SMMU that walks */
    uint64_t strtab_base;
    uint32_t strtab_base_cfg;
    uint32_t stream; /* the device's StreamID in that stream table */
    uint32_t flags;  /* SMMU_BROKER_ADMIN_EXPLAIN_* */
    uint32_t invalidation_count;
    uint32_t word_count;
    uint32_t reserved;
    uint64_t time_ns; /* CLOCK_REALTIME: when the session answered */
    /* struct smmu_broker_admin_invalidation invalidations[invalidation_count] follow, the newest first, */
    /* then struct smmu_broker_admin_word words[word_count], in the order in which they are read. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_explain_reply, 408);

/* ---- Changing ---------------------------------------------------------------------------------------------------- */

/* A device name, or a pattern with '*' and '?'; 1 to 63 characters, all bytes after them are 0. */
struct smmu_broker_admin_pattern {
    char text[SMMU_BROKER_NAME_SIZE];
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_pattern, 64);

/*
 * A session without a connection to the VMMs' socket: the reply's descriptor is one end of a connected socket, to be
 * passed into a VMM. Whoever has it has what is said here; no grant of the configuration is asked. HELLO comes first on it.
 */
struct smmu_broker_admin_session_create {
    struct smmu_broker_request header;
    char name[SMMU_BROKER_NAME_SIZE]; /* of the grant, for people */
    uint64_t maximum_memory;          /* bytes; 0: the default, and so below */
    uint32_t maximum_maps;
    uint32_t maximum_vsmmus;
    uint32_t maximum_contexts;
    uint32_t pattern_count; /* 1…SMMU_BROKER_ADMIN_MAXIMUM_PATTERNS */
    /* struct smmu_broker_admin_pattern devices[pattern_count] follow. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_session_create, 104);

/* Reply of SESSION_CREATE (with one descriptor), QUARANTINE, RELEASE, HAND_BACK and LET_GO. */
struct smmu_broker_admin_session_reply {
    struct smmu_broker_reply header;
    uint64_t session;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_session_reply, 40);

/*
 * QUARANTINE: an attached device goes to ABORT and stays there. RELEASE: it may translate again. The reply says which
 * session has been told; it does so when it is through with what it is at.
 */
struct smmu_broker_admin_device {
    struct smmu_broker_request header;
    char device[SMMU_BROKER_NAME_SIZE];
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_device, 80);

/*
 * HAND_BACK: a session's device goes to ABORT and is detached, so that the host's driver can let it go; its VMM is told by
 * DEVICE_GONE. Nobody gets it from then on, until the host's driver has taken it anew, or READMIT. The answer of READMIT
 * has nothing behind its header. LET_GO: RELEASE if the device is quarantined, else HAND_BACK, as its session finds it.
 */

enum smmu_broker_admin_held_back_reason {
    SMMU_BROKER_ADMIN_ORPHANED = 1, /* somebody still has a descriptor of it, which a session handed out */
    SMMU_BROKER_ADMIN_WITHHELD = 2, /* by HAND_BACK */
};

struct smmu_broker_admin_held_device {
    char device[SMMU_BROKER_NAME_SIZE];
    char vm[SMMU_BROKER_NAME_SIZE]; /* that had it last */
    uint64_t session;               /* that had it last */
    uint32_t reason;                /* enum smmu_broker_admin_held_back_reason */
    uint32_t reserved;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_held_device, 144);

struct smmu_broker_admin_held_back_reply {
    struct smmu_broker_reply header;
    uint32_t total; /* at the moment */
    uint32_t count; /* of those that follow: as many as there are, or as fit */
    /* struct smmu_broker_admin_held_device devices[count] follow. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_held_back_reply, 40);

struct smmu_broker_admin_reload_reply {
    struct smmu_broker_reply header;
    uint32_t applied; /* 1: the new configuration counts; 0: it has errors, and the old one stays */
    uint32_t text_size;
    /* `text_size` bytes follow: what was found in the files, a line for each. */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_reload_reply, 40);

/* ---- Monitors ---------------------------------------------------------------------------------------------------- */

#define SMMU_BROKER_ADMIN_MONITOR_HISTORY (1u << 0) /* first what is kept of the past */
#define SMMU_BROKER_ADMIN_MONITOR_FOLLOW (1u << 1)  /* then what happens; without it the socket is closed */
#define SMMU_BROKER_ADMIN_MONITOR_NOTICES (1u << 2) /* not only events */
#define SMMU_BROKER_ADMIN_EVERY_SESSION 0xffffffffffffffffull

/* Bit n of `kinds`: event records of number n; the last bit: of all numbers from 63 on. */
#define SMMU_BROKER_ADMIN_EVERY_KIND 0xffffffffffffffffull

/*
 * With one descriptor: a SEQPACKET socket, on which packets come from then on. It says HISTORY, FOLLOW or both. What is
 * wanted must fit everything that is said here; `kinds` is for events alone.
 */
struct smmu_broker_admin_monitor {
    struct smmu_broker_request header;
    uint64_t session; /* or SMMU_BROKER_ADMIN_EVERY_SESSION */
    uint32_t flags;   /* SMMU_BROKER_ADMIN_MONITOR_* */
    uint32_t vsmmu;   /* or SMMU_BROKER_EVERY_VSMMU */
    uint64_t kinds;   /* not 0; or SMMU_BROKER_ADMIN_EVERY_KIND */
    char device[SMMU_BROKER_NAME_SIZE]; /* all 0: every device, and what concerns none */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_monitor, 104);

enum smmu_broker_admin_monitor_type {
    SMMU_BROKER_ADMIN_EVENT = 1,
    SMMU_BROKER_ADMIN_NOTICE = 2,
    SMMU_BROKER_ADMIN_LOST = 3,
};

/* At the start of every packet of a monitor's socket. Nothing is ever sent back. */
struct smmu_broker_admin_monitor_header {
    uint16_t type;  /* enum smmu_broker_admin_monitor_type */
    uint16_t count; /* of what follows */
    uint32_t size;  /* of the packet, this header included */
    uint64_t sequence; /* of this packet on this socket, from 1 on */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_monitor_header, 16);

/* In `flags` of an event: those that are counted in it are of the same kind, and not of the same address. */
#define SMMU_BROKER_ADMIN_EVENT_SAMPLE (1u << 0)

/* EVENT: `count` of these. One may stand for several faults that are alike: the VMM has had each of them. */
struct smmu_broker_admin_event {
    uint64_t sequence; /* of the last of them among the vSMMU's records, as its VMM sees it */
    uint64_t time_ns;  /* CLOCK_REALTIME: of the last of them */
    uint64_t session;
    uint32_t vsmmu;
    uint32_t generation;
    uint32_t vsid;
    uint32_t flags; /* SMMU_BROKER_ADMIN_EVENT_* */
    char vm[SMMU_BROKER_NAME_SIZE];
    char device[SMMU_BROKER_NAME_SIZE]; /* all 0: the record names no attached stream */
    uint64_t words[4]; /* of the last of them */
    uint64_t faults;   /* how many they are; at least 1 */
    uint64_t first_ns; /* CLOCK_REALTIME: of the first of them */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_event, 216);

enum smmu_broker_admin_notice_kind {
    SMMU_BROKER_ADMIN_BEGAN = 1,        /* HELLO */
    SMMU_BROKER_ADMIN_ENDED = 2,
    SMMU_BROKER_ADMIN_ATTACHED = 3,     /* device, vsmmu, vsid */
    SMMU_BROKER_ADMIN_DETACHED = 4,     /* device, vsmmu, vsid */
    SMMU_BROKER_ADMIN_EVENTS_LOST = 5,  /* vsmmu, count: by the source */
    SMMU_BROKER_ADMIN_RESYNCHRONIZED = 6, /* vsmmu: the host failed, and all is well again */
    SMMU_BROKER_ADMIN_VSMMU_FAILED = 7, /* vsmmu: its devices abort */
    SMMU_BROKER_ADMIN_DEVICE_TIMED_OUT = 8, /* vsmmu: an ATC_INV was not answered */
    SMMU_BROKER_ADMIN_HEALTH = 9,       /* device, vsmmu, vsid, state, reason, count: faults within a storm's span */
};

/* NOTICE: `count` of these. What a kind does not have is 0. */
struct smmu_broker_admin_notice {
    uint64_t time_ns; /* CLOCK_REALTIME */
    uint64_t session;
    uint32_t kind;  /* enum smmu_broker_admin_notice_kind */
    uint32_t state; /* enum smmu_broker_health_state, of HEALTH */
    uint32_t vsmmu;
    uint32_t vsid;
    uint64_t count;
    char vm[SMMU_BROKER_NAME_SIZE];
    char device[SMMU_BROKER_NAME_SIZE];
    uint32_t reason;  /* enum smmu_broker_health_reason, of HEALTH */
    uint32_t reasons; /* bit n: reason n has made it worse since it was last healthy */
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_notice, 176);

/* LOST: one of these. This monitor was too slow for so many, which come nowhere after it. */
struct smmu_broker_admin_lost {
    uint64_t faults; /* each of those that were told as one is counted */
    uint64_t notices;
};
SMMU_BROKER_ASSERT_SIZE(smmu_broker_admin_lost, 16);

#ifdef __cplusplus
}
#endif

#endif
