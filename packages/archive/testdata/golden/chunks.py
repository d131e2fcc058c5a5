"""Ids, frames, packs and Padme of format.md sections 2.1, 3 and 4."""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KINDS = {"data": 1, "file": 2, "bundle": 3, "tree": 4, "part": 5, "list": 6, "gone": 7, "description": 8, "commit": 9}
LINKED = {"tree", "part", "list", "gone", "commit"}


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def sha(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def padme(length: int) -> int:
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    s = exponent.bit_length()
    mask = (1 << (exponent - s)) - 1
    return (length + mask) & ~mask


def chunk_id(keys: dict, kind: str, body: bytes, links: list = ()) -> bytes:
    linked = struct.pack(">I", len(links)) + b"".join(links) if kind in LINKED else b""
    return mac(keys["idKey"], bytes([KINDS[kind]]) + linked + body)


def entry(kind: str, generation: int, id: bytes, stored: int, links: list) -> bytes:
    return struct.pack(">BBH32sII", 1, KINDS[kind], generation, id, stored, len(links)) + b"".join(links)


def frame(keys: dict, kind: str, body: bytes, nonce: bytes, links: list = (), packed: bytes = None, generation: int = None):
    """Returns (entry, frame). `packed`, when given, is the body as one zstd frame."""
    generation = generation or max(keys["contentKeys"])
    id = chunk_id(keys, kind, body, links)
    codec, stored = (0, body) if packed is None else (1, packed)
    inside = bytes([codec]) + struct.pack(">I", len(body)) + stored
    inside += bytes(padme(len(inside)) - len(inside))
    front = entry(kind, generation, id, 12 + len(inside) + 16, links)
    key = mac(keys["contentKeys"][generation], bytes([KINDS[kind]]) + id)
    return front, front + nonce + AESGCM(key).encrypt(nonce, inside, keys["archiveId"] + front)


def pack(archive_id: bytes, frames: list) -> bytes:
    """`frames`: pairs (entry, frame)."""
    out = b"HFPACK\r\n" + struct.pack(">I", 1) + archive_id
    table = b""
    for front, whole in frames:
        table += struct.pack(">I", len(out)) + front
        out += whole
    numbers = struct.pack(">II", len(frames), len(table))
    return out + table + numbers + sha(table + numbers)


def gear(chunker_key: bytes) -> list:
    rows = (mac(chunker_key, b"holdfast gear" + bytes([i])) for i in range(32))
    return [number for row in rows for number in struct.unpack(">8I", row)]


def border(chunker_key: bytes, label: bytes, level: int, text: bytes) -> int:
    return struct.unpack(">I", mac(chunker_key, label + bytes([level]) + text)[:4])[0]


def cut(data: bytes, table: list, params: list) -> list:
    """Lengths of the pieces of one run (section 3.3)."""
    least, normal, most, strict, loose = params
    strict_mask = ((1 << strict) - 1) << (32 - strict)
    loose_mask = ((1 << loose) - 1) << (32 - loose)
    pieces, start = [], 0
    while start < len(data):
        length = piece(data[start : start + most], table, least, normal, strict_mask, loose_mask)
        pieces.append(length)
        start += length
    return pieces


def piece(run: bytes, table: list, least: int, normal: int, strict_mask: int, loose_mask: int) -> int:
    h = 0
    for at in range(least, len(run)):
        h = (h << 1) + table[run[at]] & 0xFFFFFFFF
        # "while fewer than `normal` bytes have been passed": the byte at `at` is the (at + 1)th of the piece.
        if h & (strict_mask if at < normal else loose_mask) == 0:
            return at + 1
    return len(run)
