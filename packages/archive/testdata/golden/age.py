"""Identities and age files (https://age-encryption.org/v1), with all randomness given."""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

import mlkem

BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32(prefix: str, data: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in data)
    words = [int(bits[i : i + 5].ljust(5, "0"), 2) for i in range(0, len(bits), 5)]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    total = polymod(expanded + words + [0] * 6) ^ 1
    checksum = [total >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(BECH32[w] for w in words + checksum)


def polymod(values: list) -> int:
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            total ^= generator if top >> i & 1 else 0
    return total


def hybrid_keys(scalar: bytes) -> tuple:
    expanded = hashlib.shake_256(scalar).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])


def hybrid_identity(scalar: bytes) -> tuple:
    """Returns (identity text, recipient text, public key bytes)."""
    kem, curve = hybrid_keys(scalar)
    public = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    return bech32("age-secret-key-pq-", scalar).upper(), bech32("age1pq", public), public


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    prk = hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()[:length]


SUITE = b"HPKE" + bytes.fromhex("647a00010003")


def labeled_extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.new(salt or bytes(32), b"HPKE-v1" + SUITE + label + secret, hashlib.sha256).digest()


def labeled_expand(prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    message = length.to_bytes(2, "big") + b"HPKE-v1" + SUITE + label + info
    return hmac.new(prk, message + b"\x01", hashlib.sha256).digest()[:length]


def hybrid_stanza(scalar: bytes, file_key: bytes, m: bytes, ephemeral: bytes) -> tuple:
    """Returns (arguments, body) of an mlkem768x25519 stanza for the identity `scalar`."""
    kem, curve = hybrid_keys(scalar)
    curve_public = curve.public_key().public_bytes_raw()
    kem_secret, kem_text = mlkem.encapsulate(kem.public_key().public_bytes_raw(), m)
    assert kem.decapsulate(kem_text) == kem_secret, "this ML-KEM agrees with the library's"
    once = X25519PrivateKey.from_private_bytes(ephemeral)
    curve_secret = once.exchange(X25519PublicKey.from_public_bytes(curve_public))
    curve_text = once.public_key().public_bytes_raw()
    shared = hashlib.sha3_256(kem_secret + curve_secret + curve_text + curve_public + b"\\.//^\\").digest()
    context = b"\0" + labeled_extract(b"", b"psk_id_hash", b"")
    context += labeled_extract(b"", b"info_hash", b"age-encryption.org/mlkem768x25519")
    secret = labeled_extract(shared, b"secret", b"")
    key, nonce = labeled_expand(secret, b"key", context, 32), labeled_expand(secret, b"base_nonce", context, 12)
    return ["mlkem768x25519", plain64(kem_text + curve_text)], ChaCha20Poly1305(key).encrypt(nonce, file_key, b"")


def scrypt_stanza(passphrase: str, file_key: bytes, salt: bytes, log_n: int) -> tuple:
    text = passphrase.encode("utf-8")
    labelled = b"age-encryption.org/v1/scrypt" + salt
    key = hashlib.scrypt(text, salt=labelled, n=1 << log_n, r=8, p=1, maxmem=1 << 30, dklen=32)
    return ["scrypt", plain64(salt), str(log_n)], ChaCha20Poly1305(key).encrypt(bytes(12), file_key, b"")


def plain64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def age_file(stanzas: list, file_key: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    """One chunk of at most 64 KiB."""
    header = b"age-encryption.org/v1\n"
    for arguments, body in stanzas:
        text = plain64(body)
        lines = [text[i : i + 64] for i in range(0, len(text) + 1, 64)]
        header += ("-> " + " ".join(arguments) + "\n" + "\n".join(lines) + "\n").encode()
    header += b"---"
    mac = hmac.new(hkdf(file_key, b"", b"header"), header, hashlib.sha256).digest()
    payload = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload")).encrypt(bytes(11) + b"\x01", plaintext, b"")
    return header + b" " + plain64(mac).encode() + b"\n" + nonce + payload
