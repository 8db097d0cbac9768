"""The small language of computed fields: ``sum(rows.amount) * 0.03``. Read by a parser of its own.

Values are numbers (decimal), text, yes/no, or nothing. Arithmetic with nothing gives nothing, as does what makes no
sense (a division by zero, text times text); ``sum``, ``count``, ``min``, ``max`` and ``concat`` pass over nothing.

- ``+ - * /``, brackets, numbers, ``"text"``, ``== != < <= > >=``, ``and or not``
- names: a field of the form; in a table's column also the columns of the same row
- ``sum(…)``, ``count(…)``, ``min(…)``, ``max(…)``: of fields, expressions or whole columns (``rows.amount``);
  ``count(rows)`` is the number of rows
- ``age(date)`` in full years today, ``years(from, to)`` full years, ``days(from, to)`` calendar days
- ``if(condition, then, else)``, ``concat(…)``, ``round(number, digits)``, ``capitals(amount)`` for 大写
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from modules.common.codes import amount_in_capitals

Value = Decimal | str | bool | None
LONGEST = 500
"""Characters of an expression."""
DEEPEST = 20
"""Brackets within each other."""
_ARITHMETIC = Context(prec=34, rounding=ROUND_HALF_UP, traps=[DivisionByZero, InvalidOperation, Overflow])
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')|(?P<mark><=|>=|==|!=|[-+*/(),<>]))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression finds its values: ``look(name)``, ``column(table, column)`` and the day of today."""

    look: Callable[[str], Value]
    column: Callable[[str, str], list[Value]]
    rows: Callable[[str], int]
    today: date | None = None


Run = Callable[[Scope], Value]
RunMany = Callable[[Scope], list[Value]]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: what it reads (fields, ``table.column``, tables), whether it needs today, and how to run."""

    fields: frozenset[str]
    columns: frozenset[str]
    tables: frozenset[str]
    timely: bool
    run: Run


def parse(text: str, is_table: Callable[[str], bool]) -> Expression:
    """``text`` as an expression. Raises ``ValueError`` with the place that is wrong."""
    return _Parser(text, is_table).whole()


class _Parser:
    def __init__(self, text: str, is_table: Callable[[str], bool]) -> None:
        if len(text) > LONGEST:
            raise ValueError(f"> {LONGEST}")
        self._is_table = is_table
        self._tokens = list(self._cut(text))
        self._at = 0
        self._depth = 0
        self._fields: set[str] = set()
        self._columns: set[str] = set()
        self._tables: set[str] = set()
        self._timely = False

    def whole(self) -> Expression:
        run = self._either()
        if self._peek() != ("end", ""):
            raise self._wrong()
        return Expression(frozenset(self._fields), frozenset(self._columns), frozenset(self._tables), self._timely, run)

    @staticmethod
    def _cut(text: str) -> Iterator[tuple[str, str]]:
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if not found or not found.lastgroup:
                raise ValueError(text[at:].strip()[:12])
            yield found.lastgroup, found[found.lastgroup]
            at = found.end()
        yield "end", ""

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _take(self, *marks: str) -> str:
        """The next token if it is one of ``marks``, else nothing."""
        kind, text = self._peek()
        if kind in ("mark", "name") and text in marks:
            self._at += 1
            return text
        return ""

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            raise self._wrong()

    def _wrong(self) -> ValueError:
        return ValueError(" ".join(text for _, text in self._tokens[self._at : self._at + 4]) or "…")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"> {DEEPEST}")

    def _either(self) -> Run:
        run = self._both()
        while self._take("or"):
            run = _either(run, self._both())
        return run

    def _both(self) -> Run:
        run = self._negation()
        while self._take("and"):
            run = _both(run, self._negation())
        return run

    def _negation(self) -> Run:
        if not self._take("not"):
            return self._comparison()
        self._deeper()
        run = self._negation()
        self._depth -= 1
        return lambda scope: run(scope) is not True

    def _comparison(self) -> Run:
        run = self._sum()
        mark = self._take("==", "!=", "<", "<=", ">", ">=")
        return _compared(mark, run, self._sum()) if mark else run

    def _sum(self) -> Run:
        run = self._product()
        while mark := self._take("+", "-"):
            run = _calculated(mark, run, self._product())
        return run

    def _product(self) -> Run:
        run = self._sign()
        while mark := self._take("*", "/"):
            run = _calculated(mark, run, self._sign())
        return run

    def _sign(self) -> Run:
        if not self._take("-"):
            return self._atom()
        self._deeper()
        run = self._sign()
        self._depth -= 1
        return _calculated("-", lambda scope: Decimal(0), run)

    def _atom(self) -> Run:
        kind, text = self._peek()
        if kind == "mark" and text == "(":
            self._at += 1
            self._deeper()
            run = self._either()
            self._depth -= 1
            self._need(")")
            return run
        if kind not in ("number", "text", "name"):
            raise self._wrong()
        self._at += 1
        if kind == "number":
            number = Decimal(text)
            return lambda scope: number
        if kind == "text":
            return lambda scope: text[1:-1]
        if self._peek() == ("mark", "("):
            return self._call(text)
        if "." in text or self._is_table(text) or text in ("and", "or", "not"):
            raise ValueError(text)  # a whole column is no one value
        self._fields.add(text)
        return lambda scope: scope.look(text)

    def _call(self, name: str) -> Run:
        self._need("(")
        self._deeper()
        many = name in _MANY
        runs: list[RunMany] = []
        if not self._take(")"):
            while True:
                runs.append(self._argument(name, many))
                if not self._take(","):
                    break
            self._need(")")
        self._depth -= 1
        if many:
            if not runs:
                raise ValueError(name)
            return lambda scope: _MANY[name]([value for run in runs for value in run(scope)])
        if name not in _ONE or len(runs) != _ONE[name][0]:
            raise ValueError(name)
        function = _ONE[name][1]
        self._timely = self._timely or name == "age"
        return lambda scope: function(scope, *(run(scope)[0] for run in runs))

    def _argument(self, function: str, many: bool) -> RunMany:
        kind, text = self._peek()
        if many and kind == "name" and self._tokens[self._at + 1][1] in (",", ")"):
            table, _, column = text.partition(".")
            if column:
                self._at += 1
                self._columns.add(text)
                return lambda scope: scope.column(table, column)
            if function == "count" and self._is_table(text):
                self._at += 1
                self._tables.add(text)
                return lambda scope: [True] * scope.rows(text)
        run = self._either()
        return lambda scope: [run(scope)]


def _number(value: Value) -> Decimal | None:
    return value if isinstance(value, Decimal) else None


def _calculated(mark: str, left: Run, right: Run) -> Run:
    operation = {
        "+": _ARITHMETIC.add,
        "-": _ARITHMETIC.subtract,
        "*": _ARITHMETIC.multiply,
        "/": _ARITHMETIC.divide,
    }[mark]

    def run(scope: Scope) -> Value:
        a, b = _number(left(scope)), _number(right(scope))
        if a is None or b is None:
            return None
        try:
            return operation(a, b)
        except (DivisionByZero, InvalidOperation, Overflow):
            return None

    return run


def _compared(mark: str, left: Run, right: Run) -> Run:
    def run(scope: Scope) -> Value:
        a, b = left(scope), right(scope)
        if mark in ("==", "!="):
            return (type(a) is type(b) and a == b) == (mark == "==")
        if type(a) is not type(b) or not isinstance(a, (Decimal, str)):
            return None
        less, more = a < b, a > b  # type: ignore[operator]
        return {"<": less, "<=": not more, ">": more, ">=": not less}[mark]

    return run


def _either(left: Run, right: Run) -> Run:
    return lambda scope: left(scope) is True or right(scope) is True


def _both(left: Run, right: Run) -> Run:
    return lambda scope: left(scope) is True and right(scope) is True


def _sum(values: list[Value]) -> Value:
    total = Decimal(0)
    for value in values:
        if isinstance(value, Decimal):
            try:
                total = _ARITHMETIC.add(total, value)
            except (InvalidOperation, Overflow):
                return None
    return total


def _count(values: list[Value]) -> Value:
    return Decimal(sum(value not in (None, "") for value in values))


def _least(values: list[Value], sign: int) -> Value:
    numbers = [value for value in values if isinstance(value, Decimal)]
    if numbers:
        return min(numbers) if sign < 0 else max(numbers)
    texts = [value for value in values if isinstance(value, str) and value]
    if not texts:
        return None
    return min(texts) if sign < 0 else max(texts)


def _concat(values: list[Value]) -> Value:
    return "".join(in_words(value) for value in values)


def in_words(value: Value) -> str:
    """A value as text: numbers without needless zeros."""
    if isinstance(value, Decimal):
        plain = f"{value:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return value if isinstance(value, str) else ""


def _date(value: Value) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def full_years(begin: date, end: date) -> int:
    """Full years from one day to another: one more from the anniversary on; 29 February's is 1 March in other years."""
    return end.year - begin.year - ((end.month, end.day) < (begin.month, begin.day))


def _age(scope: Scope, born: Value) -> Value:
    day = _date(born)
    if day is None or scope.today is None or day > scope.today:
        return None
    return Decimal(full_years(day, scope.today))


def _years(scope: Scope, begin: Value, end: Value) -> Value:
    first, last = _date(begin), _date(end)
    return Decimal(full_years(first, last)) if first and last else None


def _days(scope: Scope, begin: Value, end: Value) -> Value:
    first, last = _date(begin), _date(end)
    return Decimal((last - first).days) if first and last else None


def _if(scope: Scope, condition: Value, then: Value, other: Value) -> Value:
    return then if condition is True else other


def _round(scope: Scope, value: Value, digits: Value) -> Value:
    number, places = _number(value), _number(digits)
    if number is None or places is None or not 0 <= places <= 6:
        return None
    try:
        return number.quantize(Decimal(1).scaleb(-int(places)), context=_ARITHMETIC)
    except InvalidOperation:
        return None


def _capitals(scope: Scope, value: Value) -> Value:
    number = _number(value)
    return None if number is None else amount_in_capitals(number) or None


_MANY: dict[str, Callable[[list[Value]], Value]] = {
    "sum": _sum,
    "count": _count,
    "min": lambda values: _least(values, -1),
    "max": lambda values: _least(values, 1),
    "concat": _concat,
}
_ONE: dict[str, tuple[int, Callable[..., Value]]] = {
    "age": (1, _age),
    "years": (2, _years),
    "days": (2, _days),
    "if": (3, _if),
    "round": (2, _round),
    "capitals": (1, _capitals),
}
FUNCTIONS = frozenset({*_MANY, *_ONE})
