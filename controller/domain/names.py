"""What models and people may be called: one rule each, asked at every door.

A name that is shown in a decision, a page or an audit must not look like another one: models and whom a token speaks
for are written in ASCII, and a person whom an identity provider names is written in one alphabet. A path, a URL, a
control character or a mark that turns the direction of writing is no name.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from controller.domain.errors import UserError

MODEL_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
LONGEST_MODEL_NAME: Final = 100
ACTOR: Final = r"[a-z][a-z0-9-]*:[A-Za-z0-9][A-Za-z0-9._@+-]*"
LONGEST_ACTOR: Final = 200

_ALIKE: Final = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC"})
"""Alphabets whose letters look like each other's."""
_LOOKS_LIKE: Final = str.maketrans(
    # Cyrillic, Greek, digits; upper-case letters count as their lower-case ones do.
    "авекмнорстухіјѕԁһԛԝӏαβεζηικμνορτυχ01",
    "abekmhopctyxijsdhqwlabezhikmvoptyxol",
)
_MODEL = re.compile(MODEL_NAME)
_ACTOR = re.compile(ACTOR)


def check_model_name(name: str) -> str:
    """``name`` if a model may be called so; UserError otherwise."""
    if len(name) > LONGEST_MODEL_NAME or not _MODEL.fullmatch(name):
        raise UserError(
            f"{name[:80]!r} cannot be the name of a model.",
            hint=f"It has letters, digits, `.`, `_` and `-`, and up to {LONGEST_MODEL_NAME} of them.",
        )
    return name


def check_actor(actor: str) -> str:
    """``actor`` (``person:ana``) if a token may speak for it; UserError otherwise.

    Only ASCII: two people whose names differ by a letter that looks the same would be one person to a reader.
    """
    if len(actor) > LONGEST_ACTOR or not _ACTOR.fullmatch(actor):
        raise UserError(
            f"{actor[:80]!a} cannot be whom a token speaks for.",
            hint="Write person:NAME; a name has ASCII letters, digits and `.`, `_`, `@`, `+`, `-`.",
        )
    return actor


def lookalike(name: str) -> str:
    """One spelling of all names that a reader takes for ``name``: without case, in Latin letters where they look so."""
    return unicodedata.normalize("NFKC", name).casefold().translate(_LOOKS_LIKE)


def is_one_alphabet(name: str) -> bool:
    """Whether no letter of ``name`` can pass for one of another alphabet that it also uses; composed (NFKC), too."""
    alphabets = {
        unicodedata.name(letter, "").partition(" ")[0] for letter in name if letter.isalpha()
    }
    return unicodedata.is_normalized("NFKC", name) and len(alphabets & _ALIKE) <= 1
