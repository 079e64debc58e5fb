"""Names of accounts, labels and fields of sign-ups, for every caller: what is measured, and what nobody sees."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flask_passkey.errors import MalformedRequest
from flask_passkey.names import clean_display_name, clean_fields, clean_label, clean_name, clean_user_name


@pytest.mark.parametrize("clean", [clean_label, clean_name, clean_user_name, clean_display_name])
@pytest.mark.parametrize("padding", [" ", "\u2066\u2069"], ids=["spaces", "isolates"])
def test_measured_as_it_came(clean: Callable[[str], str], padding: str) -> None:
    """What is longer than 1,024 characters is refused before anything is left out of it."""
    with pytest.raises(MalformedRequest, match="longer"):
        clean(f"{padding * 1_100}a")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("\u2800\u0301", id="an accent on an empty Braille cell"),
        pytest.param("\u2800 \u2800", id="a space between two"),
        pytest.param("a\u2800\u200d\u2800", id="two that are joined as if they were emoji"),
        pytest.param("\U0001f468\u200d\u2800", id="an emoji joined to one"),
    ],
)
def test_nothing_to_see(name: str) -> None:
    """A symbol that is blank shows nothing with an accent or a space either, and is no part of an emoji."""
    with pytest.raises(MalformedRequest, match="nobody sees"):
        clean_name(name)


@pytest.mark.parametrize("name", [1, None, ("a",)])
def test_fields_are_named_by_text(name: object) -> None:
    """An app that calls it with another kind of name is told as a client would be."""
    with pytest.raises(MalformedRequest, match="has a name that no field can have"):
        clean_fields({name: "text"})
