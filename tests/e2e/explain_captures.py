#!/usr/bin/env python3
"""explain_captures.py ALL CAPTURE...: captures made of recorded ones, into the working folder.

ALL is a pcap file of IP packets with nanoseconds. The names of the captures it was made of are
printed in the order in which they begin in it.
"""
import os, struct, sys

RAW = 101


def read(path):
    data = open(path, "rb").read()
    at, packets = 24, []
    while at + 16 <= len(data):
        s, ns, have, _ = struct.unpack_from("<IIII", data, at)
        packets.append((s * 10**9 + ns, data[at + 16 : at + 16 + have]))
        at += 16 + have
    return packets


def write(name, packets, link=RAW, cut=None):
    with open(name + ".pcap", "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link))
        for t, p in packets:
            kept = p[:cut]
            f.write(struct.pack("<IIII", t // 10**9, t % 10**9, len(kept), len(p)) + kept)


def headers(p):
    """Of IP, and of IP and TCP together."""
    ip = (p[0] & 15) * 4 if p[0] >> 4 == 4 else 40
    return ip, ip + (p[ip + 12] >> 4) * 4


def client(p):
    ip = headers(p)[0]
    return struct.unpack_from(">H", p, ip)[0] != 80


def before(link):
    """What stands before an IP packet on a link, and its number."""

    def ether(p):
        return b"\x08\x00" if p[0] >> 4 == 4 else b"\x86\xdd"

    def ppp(p):
        return b"\x00\x21" if p[0] >> 4 == 4 else b"\x00\x57"

    def size(n):
        return struct.pack(">H", n)

    mac = bytes(range(12))
    return {
        "ether": (1, lambda p: mac + ether(p)),
        "vlan": (1, lambda p: mac + b"\x81\x00\x00\x07" + ether(p)),
        "qinq": (1, lambda p: mac + b"\x88\xa8\x00\x01\x81\x00\x00\x07" + ether(p)),
        "mpls": (1, lambda p: mac + b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40"),
        "pppoe": (1, lambda p: mac + b"\x88\x64\x11\x00\x00\x01" + size(len(p) + 2) + ppp(p)),
        "sll": (113, lambda p: bytes(14) + ether(p)),
        "sll2": (276, lambda p: ether(p) + bytes(18)),
        "null": (0, lambda p: struct.pack("<I", 2 if p[0] >> 4 == 4 else 10)),
        "ppp": (9, lambda p: b"\xff\x03" + ppp(p)),
        "hdlc": (104, lambda p: b"\x0f\x00" + ether(p)),
    }[link]


def join(packets):
    """Neighbours of one stream become one, as a card hands them up."""
    out = []
    for t, p in packets:
        ip, all_ = headers(p)
        if out:
            q = out[-1][1]
            qip, qall = headers(q)
            seq, qseq = (struct.unpack_from(">I", x, i + 4)[0] for x, i in ((p, ip), (q, qip)))
            data = len(q) - qall
            plain = p[0] >> 4 == 4 == q[0] >> 4 and (p[ip + 13] | q[qip + 13]) & 0xC7 == 0
            same = p[12:20] == q[12:20] and p[ip : ip + 4] == q[qip : qip + 4]
            room = len(q) + len(p) < 60000 and len(p) > all_ and data > 0
            if plain and same and room and seq == (qseq + data) % 2**32:
                q = q + p[all_:]
                out[-1] = (out[-1][0], q[:2] + struct.pack(">H", len(q)) + q[4:])
                continue
        out.append((t, p))
    return out


def partial(p):
    """Checksums that the card was to complete, and a length that it was to fill in."""
    ip = headers(p)[0]
    if p[0] >> 4 == 4:
        p = p[:2] + bytes(2) + p[4:10] + bytes(2) + p[12:]
    return p[: ip + 16] + b"\x12\x34" + p[ip + 18 :]


def flood(n):
    """SYNs from everywhere, and nothing else."""
    out = []
    for i in range(n):
        src, dst = struct.pack(">I", 0x0A000000 + i * 7919 % 2**24), bytes((192, 0, 2, 1))
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + src + dst
        tcp = struct.pack(">HHIIBBHHH", 1024 + i % 60000, 80, i * 65537, 0, 0x50, 2, 1024, 0, 0)
        out.append((10**18 + i * 10**5, ip + tcp))
    return out


def altered(packets):
    """One acknowledgement of what was never sent."""
    out = list(packets)
    at = [i for i, (_, p) in enumerate(out) if len(p) > 1000][3]
    p = bytearray(out[at][1])
    ip = headers(p)[0]
    ack = struct.unpack_from(">I", p, ip + 8)[0]
    struct.pack_into(">I", p, ip + 8, (ack + 100000) % 2**32)
    out[at] = (out[at][0], bytes(p))
    return out


def main():
    packets = read(sys.argv[1])
    for link in ("ether", "vlan", "qinq", "mpls", "pppoe", "sll", "sll2", "null", "ppp", "hdlc"):
        number, head = before(link)
        write(link, [(t, head(p) + p) for t, p in packets], number)
    write("cut", packets, cut=80)
    write("client", [x for x in packets if client(x[1])])
    write("server", [x for x in packets if not client(x[1])])
    write("gaps", [x for i, x in enumerate(packets) if i * 2654435761 % 2**32 > 2**32 // 7])
    write("joined", join(packets))
    write("partial", [(t, partial(p)) for t, p in packets])
    write("flood", flood(3000))
    write("altered", altered(packets))
    first = sorted((read(path)[0][0], os.path.basename(path)[:-5]) for path in sys.argv[2:])
    for _, name in first:
        print(name)


main()
