"""What a change runs of many cases that are much alike: some; a plain ``nox`` runs the others, too."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def seldom_but(often: Collection[str], values: Iterable[str]) -> list[Any]:
    """Return the values to parametrize a test with, all but some marked ``seldom``."""
    return [value if value in often else pytest.param(value, marks=pytest.mark.seldom) for value in values]
