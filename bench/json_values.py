# SPDX-License-Identifier: MIT
"""What is read from JSON and written as JSON: for the product and for its peers."""

from __future__ import annotations

import json
import random

MAPS = 1000
FLOATS = 10_000
TEXT = 1_000_000

WORDS = ["the", "tool", "reads", "a", "list", "of", "names,", "which", "is", "long;"]
SIGNS = ["Größe", "naïve", "Ελλάδα", "данные", "日本語", "文字列", "🐍"]


def maps():
    """Maps in maps, as a service answers them: short texts, integers, reals, lists."""
    dice = random.Random(1)
    return [
        {
            "id": 100_000 + i,
            "name": f"{dice.choice(WORDS)} {i}",
            "active": dice.random() < 0.5,
            "parent": None,
            "score": round(dice.random() * 100, 2),
            "tags": [dice.choice(WORDS) for _ in range(3)],
            "place": {
                "city": dice.choice(WORDS),
                "at": {
                    "latitude": dice.randrange(90),
                    "longitude": dice.randrange(180),
                },
            },
        }
        for i in range(MAPS)
    ]


def floats():
    """Reals of 16 and 17 digits, as models answer them."""
    dice = random.Random(2)
    return [dice.uniform(-1, 1) for _ in range(FLOATS)]


def prose(words):
    """One text of lines, with a word in quotes here and there."""
    dice = random.Random(3)
    lines, size = [], 0
    while size < TEXT:
        line = " ".join(dice.choice(words) for _ in range(12))
        lines.append(f'"{line}"' if dice.random() < 0.1 else line)
        size += len(lines[-1].encode()) + 1
    return "\n".join(lines)


def text():
    """Text of ASCII."""
    return prose(WORDS)


def signs():
    """Text of which half the words are in other alphabets."""
    return prose(WORDS + 2 * SIGNS)


VALUES = {f.__name__: f for f in (maps, floats, text, signs)}


def value_of(shape):
    """The value of that name."""
    return VALUES[shape]()


def text_of(shape):
    """The same as JSON without blanks, its characters as they are."""
    return json.dumps(value_of(shape), separators=(",", ":"), ensure_ascii=False)
