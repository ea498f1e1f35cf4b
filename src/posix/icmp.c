/* icmp.c - the errno of what ICMP says, as Linux translates it (RFC 792, RFC 4443). */
#include "posix/posix.h"

enum { ICMP4_UNREACHABLE = 3, ICMP4_TIME = 11, ICMP6_UNREACHABLE = 1, ICMP6_TIME = 3 };

int icmp_errno(const tern_icmp *m)
{
    static const int unreachable4[] = {
        ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,  ECONNREFUSED, EMSGSIZE,     EOPNOTSUPP,
        ENETUNREACH,  EHOSTDOWN,    ENONET,       ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
        EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH,
    };
    static const int unreachable6[] = {ENETUNREACH,  EACCES, EHOSTUNREACH, EHOSTUNREACH,
                                       ECONNREFUSED, EACCES, EACCES};
    bool four = m->version == 4;

    if (m->type == (four ? ICMP4_TIME : ICMP6_TIME))
        return EHOSTUNREACH;
    if (four && m->type == ICMP4_UNREACHABLE &&
        m->code < sizeof unreachable4 / sizeof unreachable4[0])
        return unreachable4[m->code];
    if (!four && m->type == ICMP6_UNREACHABLE &&
        m->code < sizeof unreachable6 / sizeof unreachable6[0])
        return unreachable6[m->code];
    return EPROTO;
}
