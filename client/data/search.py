"""Words of records, for finding them: which terms a text is found by, and what the index is asked for a query.

SQLite's own tokenizers find no two-character name: they take a run of Han text for one word, and trigrams need
three. So the text is split here, each Han character a token, letters and digits in runs, and up to three neighbours
make one *term*: 张三 is found wherever 张 stands before 三. The last letters or digits of a term stand there by each
of their first nine, so that whatever somebody types is one term, and the index hands out its records from the newest
end without collecting the rest. Names are found by pinyin, too: ``zs``, ``zhangsan``, ``zhang san``.

The index keeps no positions. What more than three neighbours say is asked for three by three, and looked at again in
the record itself (``Wanted.says``).
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

VERSION = 2
"""Counts the ways in which words are made; a store whose index was made in another way is indexed anew."""
JOINT = "¦"
"""Stands between neighbours in a term, and before a facet; no word has it."""
NEIGHBOURS = 3
BEGINNING = 9
"""Letters and digits are found by their beginning: up to this length each beginning is a term of its own."""
NAME = 4
"""A run of Han text up to this length may be a person's name, and is read in all the ways its characters can be."""
LONGEST = 20
"""Longer runs are sentences: nobody types their initials."""
READINGS = 8
_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_HAN}]|(?:(?![{_HAN}])[^\W_])+")
_IS_HAN = re.compile(rf"[{_HAN}]")
_RUN = re.compile(rf"[{_HAN}]{{2,{LONGEST}}}")
_LONG_NUMBER = re.compile(r"[0-9a-z]*[0-9]{6}[0-9a-z]*")
Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: all of ``terms``, and for each of ``begun`` a term that begins so. That finds perhaps a
    little more than was wanted; ``phrases`` are those words that have to be looked at again.
    """

    terms: tuple[str, ...]
    begun: tuple[str, ...]
    phrases: tuple[Phrase, ...]

    def says(self, *texts: str) -> bool:
        """Whether a record's texts hold every word of ``phrases``."""
        if not self.phrases:
            return True
        held = [_TOKEN.findall(word) for text in texts for word in _normal(text).split()]
        return all(any(_stands_in(phrase, tokens) for tokens in held) for phrase in self.phrases)


def words(*texts: str) -> list[str]:
    """All terms that the texts of a record can be found by, each once."""
    said = dict.fromkeys(word for text in texts for word in _normal(text).split())
    return list(dict.fromkeys(term for word in said for term in _terms(word)))


@lru_cache(maxsize=4096)
def _terms(word: str) -> tuple[str, ...]:
    """The terms of one word; kept, because most words are those of items and of departments."""
    found: dict[str, None] = {}
    tokens = _TOKEN.findall(word)
    for last, token in enumerate(tokens):
        ends = _beginnings(token)
        for first in range(max(0, last - NEIGHBOURS + 1), last + 1):
            head = "".join(before + JOINT for before in tokens[first:last])
            found.update(dict.fromkeys(head + end for end in ends))
        found.update(dict.fromkeys(_endings(token)))
    for run in _RUN.findall(word):
        found.update(dict.fromkeys(_pinyin(run)))
    return tuple(found)


def facet(name: str, value: str) -> str:
    """The term of a property that is no word, such as the state: nobody can type it."""
    return f"{JOINT}{name}{value.encode().hex()}"


def query(text: str) -> Wanted | None:
    """What is asked of the index for ``text``: all its words, of each the last letters or digits may go on.

    None when there are no words: punctuation separates and is not looked for.
    """
    terms: dict[str, None] = {}
    begun: dict[str, None] = {}
    phrases = []
    for word in _normal(text).split():
        tokens = tuple(_TOKEN.findall(word))
        for first in range(max(1, len(tokens) - NEIGHBOURS + 1) if tokens else 0):
            part = tokens[first : first + NEIGHBOURS]
            # what is longer than all beginnings is looked up among the whole words that begin so: they are few
            long = len(part[-1]) > BEGINNING
            (begun if long else terms)[JOINT.join(part)] = None
        if len(tokens) > NEIGHBOURS:
            phrases.append(tokens)
    return Wanted(tuple(terms), tuple(begun), tuple(phrases)) if terms or begun else None


def any_of(terms: Sequence[str]) -> str:
    """The part of an FTS5 query that is fulfilled by one of ``terms``."""
    return "(" + " OR ".join(f'"{each}"' for each in terms) + ")"


def _stands_in(phrase: Phrase, tokens: Sequence[str]) -> bool:
    *whole, last = phrase
    for first in range(len(tokens) - len(whole)):
        end = first + len(whole)
        if tokens[first:end] == whole and (
            tokens[end] == last or (tokens[end].startswith(last) and not _IS_HAN.match(last))
        ):
            return True
    return False


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _beginnings(token: str) -> list[str]:
    if _IS_HAN.match(token):
        return [token]
    ends = [token[:length] for length in range(1, min(BEGINNING, len(token)) + 1)]
    return ends if len(token) <= BEGINNING else [*ends, token]


def _endings(token: str) -> Iterator[str]:
    """How people name long numbers: by their last four or six, and a serial without its zeros."""
    if len(token) >= 11 and _LONG_NUMBER.fullmatch(token):
        yield token[-4:]
        yield token[-6:]
    if len(token) < 11 and token.isdecimal() and token[0] == "0" and token.strip("0"):
        yield token.lstrip("0")


def _pinyin(run: str) -> Iterator[str]:
    """Initials and full pinyin of a run of Han text; of a possible name in every reading, and by syllable."""
    readings = [_readings(character) for character in run]
    if not all(readings):
        return
    if len(run) > NAME:
        readings = [syllables[:1] for syllables in readings]
    for syllables in islice(product(*readings), READINGS):
        yield from _beginnings("".join(syllable[0] for syllable in syllables))
        yield from _beginnings("".join(syllables))
        if len(run) <= NAME:
            for syllable in syllables:
                yield from _beginnings(syllable)


@lru_cache(maxsize=8192)
def _readings(character: str) -> tuple[str, ...]:
    """The pinyin of a character without tones, ``v`` for ü as it is typed; the most usual first, empty if unknown."""
    # the tables of phrases are large, and names are in none of them
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin.constants import PINYIN_DICT

    told = unicodedata.normalize("NFD", PINYIN_DICT.get(ord(character), "")).replace("u\u0308", "v")
    plain = "".join(letter for letter in told if letter == "," or "a" <= letter <= "z")
    return tuple(dict.fromkeys(syllable for syllable in plain.split(",") if syllable))
