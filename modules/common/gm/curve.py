"""Arithmetic on the SM2 curve (GB/T 32918.5-2017) in plain Python: the ground that is there on every machine.

It is quick enough to verify (about 1.5 ms), and its time depends on the numbers it is given: who can measure a signer's
time closely learns of the key. So ``engines`` signs with it only where nothing native is there, and says so.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

Point = tuple[int, int]
"""Affine coordinates."""
Jacobian = tuple[int, int, int]
"""(x, y, z) for (x/z², y/z³); z = 0 is the point at infinity."""

INFINITY: Jacobian = (1, 1, 0)
_G_WIDTH, _P_WIDTH, _COMB = 8, 5, 4


def on_curve(point: Point) -> bool:
    """Whether the point's coordinates are of the field and fulfil the curve's equation."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x + A) * x - B) % P == 0


def decode(data: bytes) -> Point:
    """The point of 65 bytes (04 x y), 33 (02 or 03, x) or 64 (x y). Raises ``ValueError`` for anything else."""
    form, body = (4, data) if len(data) == 64 else (data[0] if data else 0, data[1:])
    x = int.from_bytes(body[:32])
    if form == 4 and len(body) == 64:
        point = (x, int.from_bytes(body[32:]))
    elif form in (2, 3) and len(body) == 32:
        root = pow((x * x + A) * x + B, (P + 1) // 4, P)
        point = (x, root if root & 1 == form & 1 else P - root)
    else:
        raise ValueError("not the form of a point")
    if not on_curve(point):
        raise ValueError("not a point of the curve")
    return point


def encode(point: Point) -> bytes:
    """The 65 bytes 04 x y."""
    return b"\x04" + point[0].to_bytes(32) + point[1].to_bytes(32)


def double(point: Jacobian) -> Jacobian:
    """2·point, by the formulas for a = -3 (dbl-2001-b)."""
    x, y, z = point
    delta, gamma = z * z % P, y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    new_x = (alpha * alpha - 8 * beta) % P
    return new_x, (alpha * (4 * beta - new_x) - 8 * gamma * gamma) % P, 2 * y * z % P


def add_affine(left: Jacobian, right: Point) -> Jacobian:
    """left + right."""
    x1, y1, z1 = left
    if not z1:
        return right[0], right[1], 1
    squared = z1 * z1 % P
    h = (right[0] * squared - x1) % P
    r = (right[1] * squared * z1 - y1) % P
    if not h:
        return INFINITY if r else double(left)
    h2 = h * h % P
    h3, v = h * h2 % P, x1 * h2 % P
    x = (r * r - h3 - 2 * v) % P
    return x, (r * (v - x) - y1 * h3) % P, z1 * h % P


def to_affine(points: list[Jacobian]) -> list[Point]:
    """Affine forms of points of which none is infinity, at the price of one inversion."""
    products = [1]
    for point in points:
        products.append(products[-1] * point[2] % P)
    inverse = pow(products[-1], -1, P)
    result = []
    for point, before in zip(reversed(points), reversed(products[:-1]), strict=True):
        z = inverse * before % P
        inverse = inverse * point[2] % P
        z2 = z * z % P
        result.append((point[0] * z2 % P, point[1] * z2 * z % P))
    return result[::-1]


def _odd_multiples(point: Point, width: int) -> list[Point]:
    """1·point, 3·point, … below 2^(width-1)·point."""
    [twice] = to_affine([double((*point, 1))])
    multiples: list[Jacobian] = [(*point, 1)]
    for _ in range(2 ** (width - 2) - 1):
        multiples.append(add_affine(multiples[-1], twice))
    return to_affine(multiples)


def _sparse(number: int, width: int) -> list[tuple[int, int]]:
    """The non-adjacent form of a number: (place, odd digit), highest place first."""
    digits, place = [], 0
    while number:
        zeros = (number & -number).bit_length() - 1
        number >>= zeros
        place += zeros
        digit = number & (2**width - 1)
        if digit >> (width - 1):
            digit -= 2**width
        digits.append((place, digit))
        number -= digit
    return digits[::-1]


@cache
def _base_odd() -> list[Point]:
    return _odd_multiples(G, _G_WIDTH)


def multiply_two(s: int, t: int, point: Point) -> Point | None:
    """s·G + t·point, None for infinity: what a verification needs, in one chain of doublings."""
    steps = [(place, digit, _base_odd()) for place, digit in _sparse(s, _G_WIDTH)]
    table = _odd_multiples(point, _P_WIDTH) if t else []
    steps += [(place, digit, table) for place, digit in _sparse(t, _P_WIDTH)]
    steps.sort(key=lambda step: -step[0])
    total = INFINITY
    for (place, digit, points), (lower, *_) in pairwise([*steps, (0, 0, table)]):
        x, y = points[abs(digit) >> 1]
        total = add_affine(total, (x, y if digit > 0 else P - y))
        for _ in range(place - lower):
            total = double(total)
    return to_affine([total])[0] if total[2] else None


@cache
def _base_comb() -> list[list[Point]]:
    """For each place of four bits, 1…15 times 16^place·G."""
    rows: list[list[Jacobian]] = []
    start = G
    for _ in range(256 // _COMB):
        row: list[Jacobian] = [(*start, 1)]
        for _ in range(2**_COMB - 1):
            row.append(add_affine(row[-1], start))
        [start] = to_affine([row.pop()])
        rows.append(row)
    flat = to_affine([point for row in rows for point in row])
    size = 2**_COMB - 1
    return [flat[at : at + size] for at in range(0, len(flat), size)]


def multiply_base(scalar: int) -> Point:
    """scalar·G for 0 < scalar < N, without a doubling."""
    total = INFINITY
    for row in _base_comb():
        if digit := scalar & 15:
            total = add_affine(total, row[digit - 1])
        scalar >>= _COMB
    return to_affine([total])[0]


def multiply(scalar: int, point: Point) -> Point:
    """scalar·point for 0 < scalar < N."""
    result = multiply_two(0, scalar, point)
    if result is None:
        raise ValueError("the multiple is no point")
    return result
