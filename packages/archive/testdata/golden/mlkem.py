"""ML-KEM-768 encapsulation with given randomness (FIPS 203), so that golden age files come out the same each time."""

import hashlib

Q, K, DU, DV = 3329, 3, 10, 4


def bit_reverse7(n: int) -> int:
    return int(f"{n:07b}"[::-1], 2)


ZETAS = [pow(17, bit_reverse7(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * bit_reverse7(i) + 1, Q) for i in range(128)]


def ntt(f: list) -> list:
    f, i, length = list(f), 1, 128
    while length >= 2:
        for start in range(0, 256, 2 * length):
            zeta, i = ZETAS[i], i + 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j], f[j + length] = (f[j] + t) % Q, (f[j] - t) % Q
        length //= 2
    return f


def inverse_ntt(f: list) -> list:
    f, i, length = list(f), 127, 2
    while length <= 128:
        for start in range(0, 256, 2 * length):
            zeta, i = ZETAS[i], i - 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [x * 3303 % Q for x in f]


def multiply(f: list, g: list) -> list:
    h = []
    for i in range(128):
        a, b, c, d = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        h += [(a * c + b * d * GAMMAS[i]) % Q, (a * d + b * c) % Q]
    return h


def add(*polynomials: list) -> list:
    return [sum(column) % Q for column in zip(*polynomials)]


def sample_ntt(seed: bytes) -> list:
    stream, a, at = hashlib.shake_128(seed).digest(3 * 1024), [], 0
    while len(a) < 256:
        b0, b1, b2 = stream[at : at + 3]
        at += 3
        a += [d for d in (b0 + 256 * (b1 % 16), b1 // 16 + 16 * b2) if d < Q]
    return a[:256]


def sample_cbd2(key: bytes, n: int) -> list:
    b = hashlib.shake_256(key + bytes([n])).digest(128)
    bits = [byte >> i & 1 for byte in b for i in range(8)]
    return [(bits[4 * i] + bits[4 * i + 1] - bits[4 * i + 2] - bits[4 * i + 3]) % Q for i in range(256)]


def decode(b: bytes, d: int) -> list:
    bits = [byte >> i & 1 for byte in b for i in range(8)]
    return [sum(bits[d * i + j] << j for j in range(d)) for i in range(256)]


def compress_encode(f: list, d: int) -> bytes:
    numbers = [((x << d) + Q // 2) // Q % (1 << d) for x in f]
    total = sum(n << d * i for i, n in enumerate(numbers))
    return total.to_bytes(32 * d, "little")


def encapsulate(public_key: bytes, m: bytes) -> tuple:
    """Returns (shared secret, ciphertext)."""
    seeds = hashlib.sha3_512(m + hashlib.sha3_256(public_key).digest()).digest()
    secret, r = seeds[:32], seeds[32:]
    t = [decode(public_key[384 * i : 384 * (i + 1)], 12) for i in range(K)]
    rho = public_key[384 * K :]
    y = [ntt(sample_cbd2(r, i)) for i in range(K)]
    c1 = b""
    for i in range(K):
        row = [multiply(sample_ntt(rho + bytes([i, j])), y[j]) for j in range(K)]
        c1 += compress_encode(add(inverse_ntt(add(*row)), sample_cbd2(r, K + i)), DU)
    mu = [bit * ((Q + 1) // 2) for bit in decode(m, 1)]
    v = add(inverse_ntt(add(*(multiply(t[i], y[i]) for i in range(K)))), sample_cbd2(r, 2 * K), mu)
    return secret, c1 + compress_encode(v, DV)
