"""What to write about an origin that is not listed, where it is probably one of the app's own."""

from __future__ import annotations

from urllib.parse import urlsplit

from .origins import host_of, is_ip, is_local, is_of_browsers
from .settings import PasskeyConfig


def advice(config: PasskeyConfig, origin: str, *, asked_host: str = "") -> str:
    """Return the line to write, or the address to open; empty if the origin is somebody else's.

    :param origin: one that is not listed; anybody may have chosen it.
    :param asked_host: the host that the request was sent to, where that is known.
    """
    host = host_of(origin) if is_of_browsers(origin) else ""
    below = host == config.rp_id or host.endswith(f".{config.rp_id}")
    if not host or not (below or host == asked_host):
        return ""
    if is_ip(host):
        return f"Browsers have no passkeys at IP addresses. Open {_at_localhost(origin)!r} instead."
    if origin.startswith("http:") and not is_local(host):
        return f"Browsers have passkeys on https only. Open {f'https://{host}'!r} instead."
    if below and config.origin_tests:
        return ""  # the app itself says that it is none of its own
    if below:
        return f"Write {config.name_of('origins')} = {[*config.origins, origin]}"
    return (
        f"Write {config.name_of('related_origins')} = {[*config.related_origins, origin]}, or PASSKEY_RP_ID = {host!r} "
        "if no passkeys were made yet."
    )


def _at_localhost(origin: str) -> str:
    port = urlsplit(origin).port
    return "http://localhost" + (f":{port}" if port else "")
