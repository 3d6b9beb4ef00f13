"""Character classes of Go's regexps as ranges of code points, and their text for RE2.

Unicode's categories come from Python's tables; scripts are derived from the characters' names.

Source: Go, regexp/syntax (perl_groups.go, parse.go) and unicode (tables.go).
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import groupby

Ranges = tuple[tuple[int, int], ...]
"""Sorted and separate ranges, with both ends included."""

LAST = sys.maxunicode
_LAST_CASED = 0x1F000
# The two letters outside ASCII that fold to ASCII letters.
_ASCII_FOLDS = {"k": 0x212A, "s": 0x017F}


def ranges(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Sorts ranges and joins adjacent ones."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def negated(found: Ranges) -> Ranges:
    """Returns all other code points."""
    edges = [-1, *(edge for low, high in found for edge in (low, high)), LAST + 1]
    return tuple((low + 1, high - 1) for low, high in zip(edges[::2], edges[1::2], strict=True) if low + 1 < high)


def folded(found: Ranges) -> Ranges:
    """Adds the code points that differ only in case, as `(?i)` does."""
    if found and found[-1][1] < 0x80:
        text = "".join(map(chr, (code for low, high in found for code in range(low, high + 1)))).lower()
        extra = [_ASCII_FOLDS[letter] for letter in text if letter in _ASCII_FOLDS]
        both = {*text, *text.upper()} if any(character.isalpha() for character in text) else set()
        return ranges([*found, *((ord(letter),) * 2 for letter in both), *((code, code) for code in extra)])
    more = [code for orbit in _orbits() if any(_holds(found, code) for code in orbit) for code in orbit]
    return ranges([*found, *((code, code) for code in more)])


def text_of(found: Ranges) -> str:
    """Returns the class as RE2 reads it."""
    if not found:
        return f"[^{_code(0)}-{_code(LAST)}]"
    return f"[{''.join(_code(low) if low == high else f'{_code(low)}-{_code(high)}' for low, high in found)}]"


_DIGITS: Ranges = ((0x30, 0x39),)
_SPACES: Ranges = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_WORDS: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))

PERL = {"d": _DIGITS, "s": _SPACES, "w": _WORDS}
_LETTERS: Ranges = ((0x41, 0x5A), (0x61, 0x7A))
POSIX: dict[str, Ranges] = {
    "alnum": ranges((*_DIGITS, *_LETTERS)),
    "alpha": _LETTERS,
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": _DIGITS,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": _WORDS,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}

_CATEGORIES = frozenset(
    "C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs".split()  # noqa: SIM905
)
_SCRIPTS = frozenset(
    """
    Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki Bopomofo
    Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common
    Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs
    Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Han Hangul
    Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi
    Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki
    Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean
    Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi
    Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong
    Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian
    Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi
    Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese
    Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan
    Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square
    """.split()  # noqa: SIM905 - a line for each would hide the list
)
# The beginnings of the names of a script's characters, where they are not the script's own name.
_NAMED = {
    "Latin": ("LATIN ", "FULLWIDTH LATIN ", "FEMININE ORDINAL", "MASCULINE ORDINAL", "KELVIN", "ANGSTROM"),
    "Han": ("CJK UNIFIED ", "CJK COMPATIBILITY IDEOGRAPH", "CJK RADICAL ", "KANGXI RADICAL ", "IDEOGRAPHIC ITERATION"),
    "Katakana": ("KATAKANA LETTER", "HALFWIDTH KATAKANA LETTER", "HALFWIDTH KATAKANA MIDDLE DOT"),
    "Hangul": ("HANGUL ", "HALFWIDTH HANGUL "),
    "Canadian_Aboriginal": ("CANADIAN SYLLABICS ",),
    "Phags_Pa": ("PHAGS-PA ",),
    "Braille": ("BRAILLE PATTERN ",),
    "Inherited": ("COMBINING ",),
}


def unicode_class(name: str) -> Ranges | None:
    r"""Returns the class of `\p{name}`, or None for a name that Go does not know."""
    if name == "Any":
        return ((0, LAST),)
    if name in _CATEGORIES:
        return ranges(part for category, parts in _categories().items() if category.startswith(name) for part in parts)
    if name == "Common":
        return ranges(part for category, parts in _categories().items() if category[0] in "NPSZC" for part in parts)
    return _script(name) if name in _SCRIPTS else None


@cache
def _categories() -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    start = 0
    for category, run in groupby(map(unicodedata.category, map(chr, range(LAST + 1)))):
        end = start + sum(1 for _ in run)
        if category != "Cn":
            found.setdefault(category, []).append((start, end - 1))
        start = end
    return found


@cache
def _script(name: str) -> Ranges:
    begins = _NAMED.get(name, (name.upper().replace("_", " ") + " ",))
    codes = (code for code in range(LAST + 1) if unicodedata.name(chr(code), "").startswith(begins))
    return ranges((code, code) for code in codes)


@cache
def _orbits() -> tuple[tuple[int, ...], ...]:
    """Returns groups of code points that differ only in case."""
    groups: dict[str, list[int]] = {}
    for code in range(_LAST_CASED):
        character = chr(code)
        key = next((form for form in (character.casefold(), character.lower()) if len(form) == 1), character)
        groups.setdefault(key, []).append(code)
    return tuple(tuple(codes) for codes in groups.values() if len(codes) > 1)


def _holds(found: Ranges, code: int) -> bool:
    return any(low <= code <= high for low, high in found)


def _code(code: int) -> str:
    return f"\\x{{{code:x}}}"
