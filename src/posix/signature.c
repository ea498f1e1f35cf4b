/* signature.c - the keys of a socket, each for a prefix of peers. A listener tells the stack all of
 * them, a connection the one with the longest prefix that its peer is in. */
#include "posix/signature.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct signature {
    struct signature *next;
    uint8_t ip[16];
    uint32_t bits, len;
    uint8_t key[TERN_MD5_KEY_MAX];
};

static bool in_prefix(const struct signature *s, const uint8_t ip[16])
{
    for (uint32_t i = 0; i < s->bits; i++)
        if ((s->ip[i / 8] ^ ip[i / 8]) & (0x80 >> i % 8))
            return false;
    return true;
}

static void tell(const struct sock *sk, const struct signature *s)
{
    tern_md5_key key = {.bits = s->bits, .len = s->len, .key = s->key};
    memcpy(key.ip, s->ip, sizeof key.ip);
    (void)tern_md5_set(sk->p->conf.stack, sk->k, &key);
}

void signature_apply(struct sock *sk)
{
    const struct signature *best = NULL;

    for (const struct signature *s = sk->signatures; s != NULL; s = s->next) {
        if (sk->listening)
            tell(sk, s);
        else if (in_prefix(s, sk->peer.ip) && (best == NULL || s->bits > best->bits))
            best = s;
    }
    if (best != NULL)
        tell(sk, best);
}

/* The prefix that a struct tcp_md5sig names: 0 or -EINVAL. */
static int read_prefix(const struct sock *sk, bool extended, const struct tcp_md5sig *from,
                       struct signature *out)
{
    tern_addr a = {0};
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    memcpy(&in, &from->tcpm_addr, sizeof in);
    memcpy(&in6, &from->tcpm_addr, sizeof in6);
    if (in.sin_family != sk->domain)
        return -EINVAL;
    if (sk->domain == AF_INET) {
        a.ip[10] = a.ip[11] = 0xff;
        memcpy(a.ip + 12, &in.sin_addr, 4);
    } else {
        memcpy(a.ip, &in6.sin6_addr, 16);
    }
    bool four = addr_is4(&a);
    out->bits = four ? 32 : 128;
    if (extended && from->tcpm_flags & TCP_MD5SIG_FLAG_PREFIX) {
        if (from->tcpm_prefixlen > out->bits)
            return -EINVAL;
        out->bits = from->tcpm_prefixlen;
    }
    if (extended && from->tcpm_ifindex != 0 && from->tcpm_flags & TCP_MD5SIG_FLAG_IFINDEX)
        return -EINVAL; /* there are no routing domains */
    out->bits += four ? 96 : 0;
    memcpy(out->ip, a.ip, sizeof out->ip);
    return 0;
}

int signature_set(struct sock *sk, bool extended, const void *value, socklen_t len)
{
    struct tcp_md5sig from;
    struct signature new = {0};
    struct signature **at = &sk->signatures;

    if (!sk->p->conf.md5)
        return -ENOPROTOOPT; /* as a Linux without it */
    if (len < sizeof from)
        return -EINVAL;
    if (value == NULL)
        return -EFAULT;
    memcpy(&from, value, sizeof from);
    int err = read_prefix(sk, extended, &from, &new);
    if (err != 0)
        return err;
    while (*at != NULL && ((*at)->bits != new.bits || !in_prefix(*at, new.ip)))
        at = &(*at)->next;
    struct signature *s = *at;
    if (from.tcpm_keylen == 0 && s == NULL)
        return -ENOENT;
    if (from.tcpm_keylen > sizeof new.key)
        return -EINVAL;
    if (s == NULL && (s = calloc(1, sizeof *s)) == NULL)
        return -ENOMEM;
    new.next = *at != NULL ? (*at)->next : NULL;
    new.len = from.tcpm_keylen;
    memcpy(new.key, from.tcpm_key, new.len);
    *s = new;
    if (sk->k.id != 0 && (sk->listening || in_prefix(s, sk->peer.ip)))
        tell(sk, s);
    *at = new.len != 0 ? s : new.next;
    if (new.len == 0)
        free(s);
    return 0;
}

void signature_free(struct sock *sk)
{
    while (sk->signatures != NULL) {
        struct signature *s = sk->signatures;
        sk->signatures = s->next;
        free(s);
    }
}
