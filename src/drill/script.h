/* script.h - a packetdrill script as it was read.
 *
 * A script is a list of options, shell commands that come before everything, and events in the
 * order of the file. Everything is in one arena and stays as written: what a name means, which
 * sequence number a relative one stands for and when a relative time is, is decided when the event
 * is played. */
#ifndef TERN_DRILL_SCRIPT_H
#define TERN_DRILL_SCRIPT_H

#include "drill/text.h"

struct drill_pos {
    uint32_t line, column; /* both from 1 */
};

/* ---- values: the arguments of calls ---------------------------------------------------------- */

enum drill_expr_kind {
    EXPR_INT,
    EXPR_STRING,
    EXPR_WORD,   /* a symbol, by name */
    EXPR_ANY,    /* ... */
    EXPR_LIST,   /* [a, b] */
    EXPR_STRUCT, /* {name = a, b} */
    EXPR_CALL,   /* htons(8080) */
    EXPR_UNARY,
    EXPR_BINARY,
};

struct drill_expr {
    enum drill_expr_kind kind;
    struct drill_pos pos;
    int64_t number;
    const char *text; /* of a string (its bytes), word or function; the operator */
    size_t len;
    const char *field;        /* of a struct's member: its name, or NULL */
    struct drill_expr *count; /* of a member like msg_iov(1): the 1, or NULL */
    struct drill_expr *first; /* operands, elements, members, arguments */
    struct drill_expr *next;  /* the sibling */
};

/* ---- packets --------------------------------------------------------------------------------- */

enum { /* drill_packet.flags, as in the header; AE is the ninth bit */
       DRILL_FIN = 0x01,
       DRILL_SYN = 0x02,
       DRILL_RST = 0x04,
       DRILL_PSH = 0x08,
       DRILL_ACK = 0x10,
       DRILL_URG = 0x20,
       DRILL_ECE = 0x40,
       DRILL_CWR = 0x80,
       DRILL_AE = 0x100,
};

enum drill_opt_kind { /* numbers of IANA's registry */
                      DRILL_OPT_EOL = 0,
                      DRILL_OPT_NOP = 1,
                      DRILL_OPT_MSS = 2,
                      DRILL_OPT_WSCALE = 3,
                      DRILL_OPT_SACKOK = 4,
                      DRILL_OPT_SACK = 5,
                      DRILL_OPT_TS = 8,
                      DRILL_OPT_MD5 = 19,
                      DRILL_OPT_FO = 34,
                      DRILL_OPT_ACCECN0 = 172, /* EE0B first */
                      DRILL_OPT_ACCECN1 = 174, /* EE1B first */
                      DRILL_OPT_EXP = 254,     /* shared experiments; Fast Open's is 0xf989 */
};

enum { DRILL_OPT_VALUES = 8, DRILL_OPT_BYTES = 38, DRILL_OPTS_MAX = 40 };

struct drill_opt {
    uint8_t kind;
    uint8_t count;                    /* of values */
    uint8_t len;                      /* of bytes */
    bool signs;                       /* of MD5: the bytes are the key, the digest follows */
    uint32_t value[DRILL_OPT_VALUES]; /* MSS, shift, TS val and ecr, SACK edges, AccECN counters */
    uint8_t bytes[DRILL_OPT_BYTES];   /* Fast Open's cookie, MD5's digest, data of a raw option */
    const char *symbol;               /* instead of bytes: the name of a definition, ... */
    size_t symbol_len;                /* ... which config_read() replaces by its value */
};

enum drill_opts { DRILL_OPTS_NONE, DRILL_OPTS_LIST, DRILL_OPTS_ANY };
enum drill_proto { DRILL_TCP, DRILL_UDP, DRILL_ICMP };
enum drill_ecn {
    DRILL_ECN_UNCHECKED = -1,
    DRILL_NOECN = 0,
    DRILL_ECT1 = 1,
    DRILL_ECT0 = 2,
    DRILL_CE
};

/* What an ICMP error quotes of the packet that caused it. */
struct drill_quote {
    enum drill_proto proto;
    uint32_t seq, end, len; /* TCP: sequence numbers; UDP: only len */
    bool given;
};

struct drill_packet {
    bool outbound;
    enum drill_proto proto;
    int ecn;                 /* enum drill_ecn */
    int tos, ttl, flowlabel; /* -1: not given */
    int sport, dport;        /* -1: not given */

    /* TCP; sequence numbers are relative */
    uint16_t flags;
    uint32_t seq, end, len;
    bool has_ack, ack_any, win_any, ignore_seq;
    uint32_t ack;
    int64_t win; /* -1: not given */
    bool has_urg;
    uint16_t urg;
    enum drill_opts opts;
    uint8_t opt_count;
    struct drill_opt opt[DRILL_OPTS_MAX];

    /* ICMP */
    const char *icmp_type, *icmp_code; /* names or numbers; the code may be NULL */
    int64_t icmp_mtu;                  /* -1: not given */
    struct drill_quote quote;
};

/* ---- events ---------------------------------------------------------------------------------- */

enum drill_when {
    DRILL_AT,    /* 0.1 */
    DRILL_AFTER, /* +.1: from when the event before was done */
    DRILL_ANY_TIME,
};

struct drill_time {
    enum drill_when when;
    bool range;         /* from start to end */
    int64_t start, end; /* ns */
};

enum drill_kind { DRILL_PACKET, DRILL_CALL, DRILL_SHELL, DRILL_CODE };

struct drill_call {
    const char *name;
    struct drill_expr *args; /* a list by `next` */
    size_t arg_count;
    struct drill_expr *result;
    const char *error; /* EAGAIN; NULL: none expected */
    bool blocking;
    int64_t end; /* ns, like the start of the event */
};

struct drill_event {
    struct drill_event *next;
    enum drill_kind kind;
    struct drill_pos pos;
    const char *start, *body; /* in the text that was read: with its time, and behind it */
    struct drill_time time;
    union {
        struct drill_packet *packet;
        struct drill_call *call;
        const char *text; /* of a shell line or of code */
    };
};

struct drill_option {
    struct drill_option *next;
    const char *name, *value; /* value NULL: none given */
    struct drill_pos pos;
};

struct drill_script {
    struct drill_arena arena;
    const char *path;
    struct drill_option *options;
    struct drill_event *events; /* DRILL_SHELL without a time first: the init command */
    const char *text, *end;     /* what was read */
    char error[256];            /* "file:line:column: what"; empty: readable */
};

/* Adds the bytes that hexadecimal digits say to an option. NULL, or what is wrong with them. */
const char *drill_opt_hex(struct drill_opt *o, const char *digits, size_t len);

/* Reads a script of `len` bytes. false: `error` says where and why. Either way
 * drill_script_free() is due. */
bool drill_read(struct drill_script *s, const char *path, const char *text, size_t len);
void drill_script_free(struct drill_script *s);

/* Splits "name=value" or "name value" of an option line, dashes in front allowed. */
void drill_option_split(struct drill_arena *a, const char *text, size_t len,
                        struct drill_option *out);

#endif
