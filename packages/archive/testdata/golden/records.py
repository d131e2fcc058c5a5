"""The CBOR records of format.md sections 2, 5 and 6, built from the values in values.py."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import cbor

TYPES = ["file", "directory", "symlink", "fifo", "socket", "char", "block"]


def public_key(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, label: bytes, body: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).sign(label + body)


def statement(seed: bytes, label: bytes, body: bytes) -> bytes:
    return cbor.encode([body, sign(seed, label, body), public_key(seed)])


def entry_ids(entry: dict) -> list:
    return [s[0] for s in entry.get("segments", [])] + [entry[key] for key in ("list", "tree") if key in entry]


def entry_map(entry: dict, links: list) -> dict:
    out = {0: entry["name"], 1: TYPES.index(entry["type"]), 2: entry["mode"], 3: entry["uid"], 4: entry["gid"]}
    out[5] = entry["mtime"]
    if "size" in entry:
        out[6] = entry["size"]
    if "segments" in entry:
        out[7] = flat_segments(entry["segments"], links)
    for key, name in ((8, "list"), (10, "tree")):
        if name in entry:
            out[key] = links.index(entry[name])
    for key, name in ((9, "fileId"), (11, "target"), (12, "xattrs"), (14, "group"), (15, "device"), (18, "deleted")):
        if name in entry:
            out[key] = entry[name]
    if "extents" in entry:
        out[13] = [n for extent in entry["extents"] for n in extent]
    return out


def flat_segments(segments: list, links: list) -> list:
    return [n for id, offset, length in segments for n in (links.index(id), offset, length)]


def leaf(entries: list, gone: bytes = None) -> tuple:
    """Returns (links, body)."""
    ids = [id for entry in entries for id in entry_ids(entry)] + ([gone] if gone else [])
    links = sorted(set(ids))
    body = {0: 1, 1: [entry_map(entry, links) for entry in entries]}
    if gone:
        body[3] = links.index(gone)
    return links, cbor.encode(body)


def index(children: list) -> tuple:
    links = sorted({child["id"] for child in children})
    return links, cbor.encode({0: 1, 2: [[child["first"], links.index(child["id"])] for child in children]})


def list_leaf(segments: list) -> tuple:
    links = sorted({segment[0] for segment in segments})
    return links, cbor.encode({0: 1, 1: flat_segments(segments, links)})


def list_index(children: list) -> tuple:
    links = sorted({child["id"] for child in children})
    flat = [n for child in children for n in (child["start"], links.index(child["id"]))]
    return links, cbor.encode({0: 1, 2: flat})


def envelope(e: dict) -> bytes:
    names = ["archiveId", "deviceId", "setId", "destinationId", "sequence", "deviceTime", "root", "parent"]
    out = {0: 1, 9: e["descriptionHash"]} | {key: e[name] for key, name in enumerate(names, 1)}
    return cbor.encode(out | ({10: True} if e["partial"] else {}))


def description(d: dict) -> bytes:
    counts = [d["counts"][name] for name in ("files", "directories", "others", "bytes")]
    skipped = [[item["path"], item["reason"]] for item in d["skipped"]]
    return cbor.encode({0: 1, 1: d["deviceName"], 2: d["setName"], 3: d["paths"], 4: counts, 5: d["agentVersion"],
                        6: d["started"], 7: skipped, 8: d["skippedCount"], 9: d["os"]})  # fmt: skip


def key_file_body(keys: dict, generation: int, recipient: str, created: int) -> bytes:
    return cbor.encode({0: 1, 1: keys["archiveId"], 2: generation, 3: keys["idKey"], 4: keys["chunkerKey"],
                        5: keys["contentKeys"][generation], 6: keys["dataParams"], 7: keys["bundleParams"],
                        8: recipient, 9: created})  # fmt: skip


def device_list(archive_id: bytes, counter: int, devices: list) -> bytes:
    names = ["deviceId", "publicKey", "recipient", "name", "added", "removed"]
    maps = [{key: d[name] for key, name in enumerate(names) if d[name] is not None} for d in devices]
    return cbor.encode({0: 1, 1: archive_id, 2: counter, 3: maps})


def receipt(r: dict) -> bytes:
    names = ["archiveId", "snapshotId", "received", "serverId"]
    return cbor.encode({0: 1} | {key: r[name] for key, name in enumerate(names, 1)})


def tombstone(t: dict) -> bytes:
    names = ["archiveId", "snapshotId", "deviceId", "setId", "destinationId", "sequence", "received", "reason", "retired"]
    return cbor.encode({0: 1} | {key: t[name] for key, name in enumerate(names, 1)})
