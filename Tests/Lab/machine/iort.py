#!/usr/bin/env python3
"""iort.py FILE: the table by which the lab's kernel finds its SMMU (Arm DEN 0049, IORT).

QEMU's own table says of the root complex that memory accesses are coherent, but not that a device's writes end in the
caches whatever its attributes say (CANWBS, memory flag 2). Linux nests only where it knows that, or where the SMMU
forces attributes (S2FWB, which the emulated one lacks). Of an emulated device it is true. The kernel prefers this table
to the firmware's because it has the same OEM IDs and a newer OEM revision.
"""
import struct
import sys

HEADER = struct.Struct("<4sIBB6s8sI4sI")
ITS_GROUP, ROOT_COMPLEX, SMMU_V3 = 0, 2, 4
SMMU_BASE, SMMU_INTERRUPTS = 0x0905_0000, 74  # hw/arm/virt.c; the first is SPI 74
ALL_REQUESTERS = 0xFFFF


def node(kind, revision, identifier, content, target=None):
    """A node whose requester or stream IDs all go to the node at the offset `target`, unchanged."""
    fixed = 16 + len(content)
    mapping = b"" if target is None else struct.pack("<IIIII", 0, ALL_REQUESTERS, 0, target, 0)
    count, offset = (0, 0) if target is None else (1, fixed)
    return struct.pack("<BHBIII", kind, fixed + len(mapping), revision, identifier, count, offset) + content + mapping


def nodes(first):
    its = node(ITS_GROUP, 1, 0, struct.pack("<II", 1, 0))
    event, page_request, error, sync = (32 + SMMU_INTERRUPTS + index for index in (0, 1, 3, 2))
    coherent = 1
    smmu = node(SMMU_V3, 4, 1, struct.pack("<QIIQIIIIIII", SMMU_BASE, coherent, 0, 0, 0, event, page_request, error,
                                           sync, 0, 0), target=first)
    flags = 1 | 2 | 4  # coherent, cacheable, CANWBS
    root = node(ROOT_COMPLEX, 3, 2, struct.pack("<IBHBIIB3x", coherent, 0, 0, flags, 0, 0, 64),
                target=first + len(its))
    return [its, smmu, root]


def table():
    first = HEADER.size + 12
    parts = nodes(first)
    body = struct.pack("<III", len(parts), first, 0) + b"".join(parts)
    fields = [b"IORT", HEADER.size + len(body), 5, 0, b"BOCHS ", b"BXPC    ", 2, b"LAB ", 1]
    fields[3] = -sum(HEADER.pack(*fields) + body) % 256
    return HEADER.pack(*fields) + body


with open(sys.argv[1], "wb") as file:
    file.write(table())
