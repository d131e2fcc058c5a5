"""Writes the golden files beside it. See README.md. Follows docs/format.md, not the program's code."""

import json
import pathlib

import zstandard

import age
import cbor
import chunks
import records
from values import (A, ARCHIVE, B, C, D, DESCRIPTION, ENVELOPE, GONE, INDEX, KEYS, LEAF, LIST_INDEX, PART, SEGMENTS,
                    fixed)  # fmt: skip

HERE = pathlib.Path(__file__).parent
VALUES = {}


def write(name: str, data: bytes, value=None) -> bytes:
    (HERE / name).write_bytes(data)
    if value is not None:
        VALUES[name] = value
    return data


def plain(value):
    """JSON has no bytes: they become {"hex": ...}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def write_json(name: str, value, indent=1) -> None:
    (HERE / name).write_text(json.dumps(plain(value), indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def linked(name: str, made: tuple, value) -> None:
    links, body = made
    write(f"{name}.links", b"".join(links))
    write(f"{name}.body", body, value)


def make_bodies() -> None:
    linked("tree-leaf", records.leaf(LEAF, gone=D), {"entries": LEAF, "gone": D})
    linked("tree-empty", records.leaf([]), {"entries": []})
    linked("tree-index", records.index(INDEX), {"children": INDEX})
    linked("part-leaf", records.leaf(PART), {"entries": PART})
    linked("gone-leaf", records.leaf(GONE), {"entries": GONE})
    linked("list-leaf", records.list_leaf(SEGMENTS), {"segments": SEGMENTS})
    linked("list-index", records.list_index(LIST_INDEX), {"children": LIST_INDEX})


def make_frames() -> list:
    """One of each kind that is stored; returns those of the golden pack."""
    text = b"Holdfast golden data. " * 400
    noise = fixed("noise", 1000)
    words = b"".join(fixed(f"word {n}", 1 + n % 9) for n in fixed("words", 30_000))
    tree, part, gone, segments = records.leaf(LEAF, gone=D), records.leaf(PART), records.leaf(GONE), records.list_leaf(SEGMENTS)
    one_shot = zstandard.ZstdCompressor(level=1).compress(text)
    stream = zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=False).compressobj()
    streamed = stream.compress(text) + stream.flush()
    made = {
        "data": ("data", noise, [], None, 2),
        "data-empty": ("data", b"", [], None, 2),
        "data-old-generation": ("data", noise, [], None, 1),
        "data-zstd": ("data", text, [], one_shot, 2),
        "data-zstd-blocks": ("data", words, [], zstandard.ZstdCompressor(level=9).compress(words), 2),
        "bundle": ("bundle", fixed("bundle", 40), [], None, 2),
        "bundle-zstd-streamed": ("bundle", text, [], streamed, 2),
        "tree": ("tree", tree[1], tree[0], None, 2),
        "part": ("part", part[1], part[0], None, 2),
        "list": ("list", segments[1], segments[0], None, 2),
        "gone": ("gone", gone[1], gone[0], None, 2),
        "commit": ("commit", b"\x01", sorted([A, B]), None, 2),
    }
    frames = {}
    for name, (kind, body, links, packed, generation) in made.items():
        frames[name] = make_frame(name, kind, body, links, packed, generation)
    return [frames["data"], frames["data-zstd"], frames["bundle"], frames["tree"], frames["commit"]]


def make_frame(name: str, kind: str, body: bytes, links: list, packed: bytes, generation: int) -> tuple:
    nonce = fixed(f"nonce {name}", 12)
    front, whole = chunks.frame(KEYS, kind, body, nonce, links, packed, generation)
    write(f"frame-{name}.entry", front)
    id = chunks.chunk_id(KEYS, kind, body, links)
    value = {"kind": chunks.KINDS[kind], "generation": generation, "id": id, "links": b"".join(links), "nonce": nonce}
    said = {"plaintext": body} if len(body) < 2000 else {"plainHash": chunks.sha(body)}
    write(f"frame-{name}.frame", whole, value | {"codec": 0 if packed is None else 1} | said)
    return front, whole


def make_packs(frames: list) -> None:
    data = chunks.pack(ARCHIVE, frames)
    write("pack.pack", data, {"packId": chunks.sha(data), "lengths": [len(whole) for _, whole in frames]})
    empty = chunks.pack(ARCHIVE, [])
    write("pack-empty.pack", empty, {"packId": chunks.sha(empty), "lengths": []})


def make_snapshots(device_seed: bytes) -> bytes:
    text = records.description(DESCRIPTION)
    write("description.cbor", text, DESCRIPTION)
    _, frame = make_frame("description", "description", text, [], None, 2)
    first = ENVELOPE | {"descriptionHash": chunks.sha(frame)}
    snapshot_id = chunks.sha(records.envelope(first))
    later = first | {"sequence": 4_294_967_296, "parent": snapshot_id, "partial": True}
    for name, value in (("first", first), ("later", later)):
        bytes_ = write(f"envelope-{name}.cbor", records.envelope(value), value)
        signature = records.sign(device_seed, b"holdfast snapshot 1\0", bytes_)
        mac = chunks.mac(chunks.mac(KEYS["idKey"], b"holdfast snapshot mac"), bytes_)
        object_ = [bytes_, signature, mac, frame]
        value = dict(zip(("envelope", "signature", "mac", "description"), object_))
        write(f"snapshot-{name}.cbor", cbor.encode(object_), value | {"id": chunks.sha(bytes_)})
    return snapshot_id


def make_statements(snapshot_id: bytes, server_seed: bytes) -> None:
    receipt = {"archiveId": ARCHIVE, "snapshotId": snapshot_id, "received": 1_700_000_001_000, "serverId": fixed("server", 16)}
    write("receipt.cbor", records.statement(server_seed, b"holdfast receipt 1\0", records.receipt(receipt)), receipt)
    tombstone = {key: ENVELOPE[key] for key in ("archiveId", "deviceId", "setId", "destinationId", "sequence")}
    tombstone |= {"snapshotId": snapshot_id, "received": 1_700_000_001_000, "reason": "retention", "retired": 1_702_000_000_000}
    write("tombstone.cbor", records.statement(server_seed, b"holdfast tombstone 1\0", records.tombstone(tombstone)), tombstone)


def make_keys(user_seed: bytes, device_seed: bytes) -> None:
    scalar, device_scalar = fixed("user age scalar"), fixed("device age scalar")
    identity, recipient, _ = age.hybrid_identity(scalar)
    _, device_recipient, _ = age.hybrid_identity(device_scalar)
    text = f"# holdfast identity 1\n{identity}\nHOLDFAST-SIGN-KEY-{user_seed.hex()}\n".encode()
    public = {"recipient": recipient, "publicKey": records.public_key(user_seed)}
    write("identity.txt", text, public)
    write("identity-device.age", hybrid_file("identity device", device_scalar, text))
    file_key = fixed("passphrase file key", 16)
    stanza = age.scrypt_stanza("correct horse b\u00e4ttery", file_key, fixed("salt", 16), 18)
    write("identity-passphrase.age", age.age_file([stanza], file_key, fixed("passphrase nonce", 16), text))
    for generation in (1, 2):
        body = records.key_file_body(KEYS, generation, recipient, 1_690_000_000_000 + generation)
        write(f"key-file-{generation}.body", body, {"recipient": recipient, "created": 1_690_000_000_000 + generation})
        signed = records.statement(user_seed, b"holdfast key file 1\0", body)
        write(f"key-file-{generation}.age", hybrid_file(f"key file {generation}", scalar, signed))
    devices = [
        {"deviceId": ENVELOPE["deviceId"], "publicKey": records.public_key(device_seed), "recipient": device_recipient,
         "name": "Ada’s laptop 💻", "added": 1_690_000_000_000, "removed": None},
        {"deviceId": fixed("old device", 16), "publicKey": fixed("old device key"), "recipient": recipient, "name": "",
         "added": 0, "removed": 1_695_000_000_000},
    ]  # fmt: skip
    listed = records.device_list(ARCHIVE, 300, devices)
    value = {"archiveId": ARCHIVE, "counter": 300, "devices": devices}
    write("device-list.cbor", records.statement(user_seed, b"holdfast device list 1\0", listed), value)


def hybrid_file(name: str, scalar: bytes, plaintext: bytes) -> bytes:
    file_key = fixed(f"{name} file key", 16)
    stanza = age.hybrid_stanza(scalar, file_key, fixed(f"{name} m"), fixed(f"{name} ephemeral"))
    return age.age_file([stanza], file_key, fixed(f"{name} nonce", 16), plaintext)


def make_tables() -> None:
    gear = chunks.gear(KEYS["chunkerKey"])
    write("gear.bin", b"".join(number.to_bytes(4, "big") for number in gear))
    lengths = sorted({n + d for e in range(1, 24) for n in (1 << e, 3 << e - 1) for d in (-1, 0, 1)} | {5, 8_388_613})
    write_json("padme.json", [[n, chunks.padme(n)] for n in lengths], indent=None)
    labels = [(b"holdfast part", 0, b"name"), (b"holdfast part", 3, b"\xff"), (b"holdfast list", 0, A)]
    border = [[label.decode(), level, text, chunks.border(KEYS["chunkerKey"], label, level, text)] for label, level, text in labels]
    write_json("border.json", border)
    contents = [b"x", fixed("noise", 1000)]
    write_json("file-id.json", [[content, chunks.mac(KEYS["idKey"], b"\x02" + content)[:16]] for content in contents])
    write_json("fastcdc.json", {"input": "SHAKE256 of 'holdfast golden ' and the name, that many bytes; or that many zeros",
                                "cases": [cut_case(gear, *case) for case in CUTS]})  # fmt: skip


SMALL = [64, 256, 1024, 10, 6]
CUTS = [
    ("random 1", 12_000_000, KEYS["dataParams"]),
    ("random 2", 6_000_000, KEYS["bundleParams"]),
    ("random 3", 65_536, SMALL),
    ("random 4", 64, SMALL),
    ("random 5", 65, SMALL),
    ("random 6", 0, SMALL),
    ("zeros", 10_000, SMALL),
    ("zeros", 9_000_000, KEYS["dataParams"]),
]


def cut_case(gear: list, name: str, length: int, params: list) -> dict:
    data = bytes(length) if name == "zeros" else fixed(name, length)
    return {"name": name, "length": length, "params": params, "pieces": chunks.cut(data, gear, params)}


def main() -> None:
    user_seed, device_seed, server_seed = fixed("user seed"), fixed("device seed"), fixed("server seed")
    make_bodies()
    make_packs(make_frames())
    snapshot_id = make_snapshots(device_seed)
    make_statements(snapshot_id, server_seed)
    make_keys(user_seed, device_seed)
    make_tables()
    seeds = {"user": user_seed, "device": device_seed, "server": server_seed}
    public = {name: records.public_key(seed) for name, seed in seeds.items()}
    device = age.hybrid_identity(fixed("device age scalar"))[0]
    write_json("keys.json", KEYS | {"seeds": seeds, "publicKeys": public, "deviceAge": device, "passphrase": "correct horse b\u00e4ttery"})
    write_json("values.json", VALUES)


main()
