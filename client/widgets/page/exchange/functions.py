"""PDF functions (ISO 32000-2, 7.10): what shadings and special inks are computed by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Function = Callable[[Sequence[float]], list[float]]
_DEPTH = 8
_STEPS = 10_000


def function_of(thing: Any, depth: int = 0) -> Function:
    """A function, or an array of them of one value each. Raises ``ValueError`` for what is none."""
    import pikepdf

    if depth > _DEPTH:
        raise ValueError("deep")
    if isinstance(thing, pikepdf.Array):
        parts = [function_of(each, depth + 1) for each in thing]
        return lambda values: [part(values)[0] for part in parts]
    kind = int(thing.get("/FunctionType", -1))
    domain = [float(each) for each in thing.get("/Domain", [0, 1])]
    inner = {0: _sampled, 2: _power, 3: _stitched, 4: _calculated}[kind](thing, domain, depth)
    limits = [float(each) for each in thing.get("/Range", [])]

    def called(values: Sequence[float]) -> list[float]:
        inside = [min(max(value, domain[2 * n]), domain[2 * n + 1]) for n, value in enumerate(values)]
        out = inner(inside)
        return [min(max(v, limits[2 * n]), limits[2 * n + 1]) for n, v in enumerate(out)] if limits else out

    return called


def _power(thing: Any, domain: list[float], depth: int) -> Function:
    start = [float(each) for each in thing.get("/C0", [0])]
    end = [float(each) for each in thing.get("/C1", [1])]
    power = float(thing.get("/N", 1))
    return lambda values: [a + values[0] ** power * (b - a) for a, b in zip(start, end, strict=True)]


def _stitched(thing: Any, domain: list[float], depth: int) -> Function:
    parts = [function_of(each, depth + 1) for each in thing.Functions]
    edges = [domain[0], *(float(each) for each in thing.Bounds), domain[1]]
    encode = [float(each) for each in thing.Encode]

    def called(values: Sequence[float]) -> list[float]:
        value = values[0]
        number = next((n for n in range(len(parts) - 1) if value < edges[n + 1]), len(parts) - 1)
        low, high = edges[number], edges[number + 1]
        first, last = encode[2 * number], encode[2 * number + 1]
        return parts[number]([first + (value - low) * (last - first) / (high - low) if high > low else first])

    return called


def _sampled(thing: Any, domain: list[float], depth: int) -> Function:
    sizes = [int(each) for each in thing.Size]
    bits = int(thing.BitsPerSample)
    limits = [float(each) for each in thing.Range]
    outputs = len(limits) // 2
    encode = [float(each) for each in thing.get("/Encode", [e for size in sizes for e in (0, size - 1)])]
    decode = [float(each) for each in thing.get("/Decode", limits)]
    data: bytes = thing.read_bytes()
    top = (1 << bits) - 1
    whole = int.from_bytes(data, "big") if bits not in (8, 16) else 0

    def sample(at: int) -> float:
        if bits == 8:
            return data[at]
        if bits == 16:
            return data[2 * at] << 8 | data[2 * at + 1]
        return whole >> (len(data) * 8 - (at + 1) * bits) & top

    def called(values: Sequence[float]) -> list[float]:
        places = []
        for n, value in enumerate(values):
            low, high = domain[2 * n], domain[2 * n + 1]
            first, last = encode[2 * n], encode[2 * n + 1]
            place = first + (value - low) * (last - first) / (high - low) if high > low else first
            places.append(min(max(place, 0), sizes[n] - 1))
        near = [round(place) for place in places[1:]]
        start = math.floor(places[0])
        part = places[0] - start
        out = []
        for n in range(outputs):
            found = []
            for first_ in (start, min(start + 1, sizes[0] - 1)):
                at, step = first_, sizes[0]
                for place_, size in zip(near, sizes[1:], strict=True):
                    at += place_ * step
                    step *= size
                found.append(sample(at * outputs + n))
            value = found[0] + (found[1] - found[0]) * part
            out.append(decode[2 * n] + value * (decode[2 * n + 1] - decode[2 * n]) / top)
        return out

    return called


def _calculated(thing: Any, domain: list[float], depth: int) -> Function:
    words = thing.read_bytes().decode("latin-1").replace("{", " { ").replace("}", " } ").split()
    program, _ = _block(words, words.index("{") + 1)

    def called(values: Sequence[float]) -> list[float]:
        stack: list[float] = list(values)
        _run(program, stack, [_STEPS])
        return stack

    return called


def _block(words: list[str], at: int) -> tuple[list[Any], int]:
    out: list[Any] = []
    while at < len(words):
        if words[at] == "}":
            return out, at + 1
        if words[at] == "{":
            inner, at = _block(words, at + 1)
            out.append(inner)
            continue
        out.append(words[at])
        at += 1
    raise ValueError("open block")


_TWO: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b if b else 0.0, "idiv": lambda a, b: int(a / b) if b else 0,
    "mod": lambda a, b: math.fmod(a, b) if b else 0.0, "exp": lambda a, b: a**b,
    "atan": lambda a, b: math.degrees(math.atan2(a, b)) % 360,
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "and": lambda a, b: int(a) & int(b),
    "or": lambda a, b: int(a) | int(b), "xor": lambda a, b: int(a) ^ int(b),
}  # fmt: skip
_ONE: dict[str, Callable[[float], float]] = {
    "neg": lambda a: -a, "abs": abs, "ceiling": math.ceil, "floor": math.floor, "round": round, "truncate": math.trunc,
    "sqrt": lambda a: math.sqrt(max(a, 0)), "sin": lambda a: math.sin(math.radians(a)),
    "cos": lambda a: math.cos(math.radians(a)), "ln": lambda a: math.log(a) if a > 0 else 0.0,
    "log": lambda a: math.log10(a) if a > 0 else 0.0, "cvi": int, "cvr": float, "not": lambda a: not a,
}  # fmt: skip


def _run(program: list[Any], stack: list[float], left: list[int]) -> None:
    blocks: list[list[Any]] = []
    for word in program:
        left[0] -= 1
        if left[0] < 0 or len(stack) > 200:
            raise ValueError("long")
        if isinstance(word, list):
            blocks.append(word)
        elif word in _TWO:
            b, a = stack.pop(), stack.pop()
            stack.append(_TWO[word](a, b))
        elif word in _ONE:
            stack.append(_ONE[word](stack.pop()))
        elif word in ("if", "ifelse"):
            other = blocks.pop() if word == "ifelse" else []
            then = blocks.pop()
            _run(then if stack.pop() else other, stack, left)
        elif word == "pop":
            stack.pop()
        elif word == "dup":
            stack.append(stack[-1])
        elif word == "exch":
            stack[-1], stack[-2] = stack[-2], stack[-1]
        elif word == "copy":
            count = int(stack.pop())
            stack += stack[len(stack) - count :]
        elif word == "index":
            stack.append(stack[-1 - int(stack.pop())])
        elif word == "roll":
            by, count = int(stack.pop()), int(stack.pop())
            top = stack[len(stack) - count :]
            stack[len(stack) - count :] = [top[(n - by) % count] for n in range(count)]
        elif word in ("true", "false"):
            stack.append(word == "true")
        else:
            stack.append(float(word))


def samples(function: Function, start: float, end: float, most: int = 24) -> list[tuple[float, list[float]]]:
    """Values over an interval, as few as describe it: places from 0 to 1 with the values there."""
    found = [(n / most, function([start + (end - start) * n / most])) for n in range(most + 1)]
    kept = [found[0]]
    for (_, before), (at, now), (_, after) in zip(found, found[1:], found[2:], strict=False):
        bent = any(abs(b + a - 2 * n) > 0.004 for b, n, a in zip(before, now, after, strict=True))
        if bent:
            kept.append((at, now))
    return [*kept, found[-1]]
