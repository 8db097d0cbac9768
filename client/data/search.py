"""Words of records, for finding them: Han text character by character, letters and digits by their beginning.

SQLite's own tokenizers find no two-character name: they take a run of Han text for one word, and trigrams need
three. So the text is split here, each Han character a token, and a query is a phrase of such tokens: 张三 is found
wherever 张 stands before 三. Names are found by pinyin, too: ``zs``, ``zhangsan``, ``zhang san``. The index is
encrypted like everything in the store, and kept by triggers, so nothing that is written can miss it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, product

VERSION = 1
"""Counts the ways in which words are made; a store whose index was made in another way is indexed anew."""
GAP = "¦"
"""Stands between words, so that no phrase reaches from one into the next."""
NAME = 4
"""A run of Han text up to this length may be a person's name, and is read in all the ways its characters can be."""
LONGEST = 20
"""Longer runs are sentences: nobody types their initials."""
READINGS = 8
_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_HAN}]|(?:(?![{_HAN}])[^\W_])+")
_RUN = re.compile(rf"[{_HAN}]{{2,{LONGEST}}}")
_LONG_NUMBER = re.compile(r"[0-9a-z]*[0-9]{6}[0-9a-z]*")


def words(*texts: str) -> str:
    """All that the texts of a record can be found by, as the index takes it: tokens and gaps, with spaces between."""
    found: dict[str, None] = {}
    for text in texts:
        for word in _normal(text).split():
            tokens = _TOKEN.findall(word)
            if tokens:
                found[" ".join(tokens)] = None
            for token in tokens:
                found.update(dict.fromkeys(_endings(token)))
            for run in _RUN.findall(word):
                found.update(dict.fromkeys(_pinyin(run)))
    return f" {GAP} ".join(found)


def query(text: str) -> str:
    """What FTS5 is asked for ``text``: all its words, each as a phrase whose last letters or digits may go on.

    Empty when there are no words: punctuation separates and is not looked for.
    """
    phrases = []
    for word in _normal(text).split():
        tokens = _TOKEN.findall(word)
        if tokens:
            goes_on = " *" if tokens[-1].isascii() or not re.match(f"[{_HAN}]", tokens[-1]) else ""
            phrases.append(f'"{" ".join(tokens)}"{goes_on}')
    return " AND ".join(phrases)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


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
        yield "".join(syllable[0] for syllable in syllables)
        yield "".join(syllables)
        if len(run) <= NAME:
            yield from syllables


@lru_cache(maxsize=8192)
def _readings(character: str) -> tuple[str, ...]:
    """The pinyin of a character without tones, ``v`` for ü as it is typed; the most usual first, empty if unknown."""
    # the tables of phrases are large, and names are in none of them
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin.constants import PINYIN_DICT

    told = unicodedata.normalize("NFD", PINYIN_DICT.get(ord(character), "")).replace("u\u0308", "v")
    plain = "".join(letter for letter in told if letter == "," or "a" <= letter <= "z")
    return tuple(dict.fromkeys(syllable for syllable in plain.split(",") if syllable))
