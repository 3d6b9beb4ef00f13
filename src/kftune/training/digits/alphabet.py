"""The tokens that a model reads from a picture: three special ones and the Khmer digits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

DIGITS = "០១២៣៤៥៦៧៨៩"
PAD, START, END = 0, 1, 2
"""PAD fills a batch after the end, and is the blank of the CTC loss."""

VOCABULARY: tuple[str, ...] = ("<pad>", "<start>", "<end>", *DIGITS)

_NUMBER = {token: number for number, token in enumerate(VOCABULARY)}


def encode(text: str) -> list[int]:
    """Returns the tokens of a number, without special ones.

    Args:
        text: Khmer digits.

    Raises:
        KeyError: A character is no Khmer digit.
    """
    return [_NUMBER[character] for character in text]


def decode(tokens: Iterable[int]) -> str:
    """Returns the digits before the first END, without other special tokens.

    Args:
        tokens: Numbers in `VOCABULARY`.
    """
    text = ""
    for token in tokens:
        if token == END:
            break
        text += VOCABULARY[token] if token > END else ""
    return text


def decode_ctc(tokens: Sequence[int]) -> str:
    """Returns the digits that the best path of a CTC output means: repeated tokens are one, and PAD parts them.

    Args:
        tokens: One number in `VOCABULARY` for each column.
    """
    before = [PAD, *tokens]
    return decode(token for last, token in zip(before, tokens, strict=False) if token != last and token != END)
