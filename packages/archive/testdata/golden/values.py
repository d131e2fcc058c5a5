"""The fixed keys, and what the golden records say, as plain data. Nothing here is random."""

import hashlib


def fixed(name: str, length: int = 32) -> bytes:
    """`length` bytes that depend on the name alone."""
    return hashlib.shake_256(b"holdfast golden " + name.encode()).digest(length)


ARCHIVE = fixed("archive id", 16)
KEYS = {
    "archiveId": ARCHIVE,
    "idKey": fixed("id key"),
    "chunkerKey": fixed("chunker key"),
    "contentKeys": {1: fixed("content key 1"), 2: fixed("content key 2")},
    "dataParams": [262144, 1048576, 4194304, 22, 18],
    "bundleParams": [131072, 524288, 1048576, 21, 17],
}
A, B, C, D = (fixed(f"chunk {letter}") for letter in "ABCD")
TIME = [1_700_000_000, 123_456_789]

# Entries as a reader sees them: ids, not indexes. Each is one map of format.md section 5.2.
LEAF = [
    {"name": b".profile", "type": "file", "mode": 0o644, "uid": 1000, "gid": 1000, "mtime": TIME, "size": 5,
     "segments": [[A, 131067, 5]], "fileId": fixed("file id", 16)},
    {"name": b"big", "type": "file", "mode": 0o600, "uid": 0, "gid": 0, "mtime": [0, 0], "size": 5_000_000_000,
     "list": D},
    {"name": b"block", "type": "block", "mode": 0o660, "uid": 0, "gid": 6, "mtime": TIME, "device": [8, 1]},
    {"name": b"char", "type": "char", "mode": 0o666, "uid": 0, "gid": 0, "mtime": TIME, "device": [1, 3]},
    {"name": b"docs", "type": "directory", "mode": 0o1777, "uid": 1000, "gid": 4_294_967_295, "mtime": TIME, "tree": C,
     "xattrs": [[b"security.selinux", b"label\0"], [b"user.empty", b""]]},
    {"name": b"empty", "type": "file", "mode": 0, "uid": 0, "gid": 0, "mtime": [-1, 999_999_999], "size": 0},
    {"name": b"fifo", "type": "fifo", "mode": 0o600, "uid": 1, "gid": 2, "mtime": [-2_208_988_800, 0]},
    {"name": b"hard1", "type": "file", "mode": 0o640, "uid": 7, "gid": 8, "mtime": TIME, "size": 262144,
     "segments": [[A, 0, 131072], [B, 0, 131072]], "group": 1},
    {"name": b"hard2", "type": "file", "mode": 0o640, "uid": 7, "gid": 8, "mtime": TIME, "size": 262144,
     "segments": [[A, 0, 131072], [B, 0, 131072]], "group": 1},
    {"name": b"holes", "type": "file", "mode": 0o644, "uid": 0, "gid": 0, "mtime": TIME, "size": 1_099_511_627_776,
     "extents": []},
    {"name": b"link", "type": "symlink", "mode": 0o777, "uid": 0, "gid": 0, "mtime": TIME, "target": b"../\xff"},
    {"name": b"socket", "type": "socket", "mode": 0o755, "uid": 0, "gid": 0, "mtime": TIME},
    {"name": b"sparse", "type": "file", "mode": 0o644, "uid": 0, "gid": 0, "mtime": TIME, "size": 10_485_760,
     "segments": [[B, 0, 8192]], "extents": [[0, 4096], [1_048_576, 4096]], "fileId": fixed("sparse id", 16)},
    {"name": b"\xff\xfe not utf-8", "type": "file", "mode": 0o7777, "uid": 0, "gid": 0, "mtime": [253_402_300_800, 1],
     "size": 131072, "segments": [[B, 8192, 131072]]},
]
PART = [LEAF[0], LEAF[10]]
# One name twice: what was no directory stands before the directory.
GONE = [dict(LEAF[10], name=b"docs", deleted=1_700_000_000_001), dict(LEAF[4], deleted=0),
        dict(LEAF[7], group=2, deleted=1_700_000_000_000)]  # fmt: skip
INDEX = [{"first": b".profile", "id": B}, {"first": b"link", "id": A}]
SEGMENTS = [[B, 0, 4_194_304], [A, 7, 1], [B, 4_194_304, 4_194_304]]
LIST_INDEX = [{"start": 0, "id": C}, {"start": 4_294_967_296, "id": A}]

ENVELOPE = {
    "archiveId": ARCHIVE, "deviceId": fixed("device", 16), "setId": fixed("set", 16),
    "destinationId": fixed("destination", 16), "sequence": 1, "deviceTime": 1_700_000_000_123, "root": A,
    "parent": None, "partial": False,
}  # fmt: skip
DESCRIPTION = {
    "deviceName": "Ada’s laptop 💻", "setName": "Home", "paths": [b"/home/ada", b"C:\\\xff"],
    "counts": {"files": 162_000, "directories": 20_000, "others": 7, "bytes": 3_000_000_000},
    "agentVersion": "4.1.5", "started": 1_699_999_999_000,
    "skipped": [{"path": b"/home/ada/locked", "reason": "EACCES"}], "skippedCount": 1001, "os": "linux",
}  # fmt: skip
