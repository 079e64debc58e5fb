"""The site as a request from outside sees it, through whatever stands in front of the app."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ...config import PasskeyConfig, advice, is_local
from ...logs import one_line
from ..findings import Finding, error
from . import ceremonies, documents, proxy
from .client import BadCertificate, Site, Unreachable

__all__ = ["look"]


def look(config: PasskeyConfig, url: str) -> Iterator[Finding]:
    """Ask the app at the address that people open.

    It begins some sign-ins and finishes them with nothing, so each leaves a refusal in the app's log.

    :param url: ``https://example.com``, with the path that the app is below.
    """
    config = next((each for each in config.others if _problem(each, url) is None), config)
    problem = _problem(config, url)
    if problem is not None:
        yield problem
        return
    site = Site(url)
    try:
        begun = ceremonies.begin(config, site)
        if (problem := ceremonies.problem_of(config, site, begun)) is not None:
            yield problem
            return
        yield from ceremonies.check(config, site, begun)
        yield from proxy.check(config, site)
        yield from documents.check(config, site)
    except BadCertificate as exc:
        yield error(
            "outside.certificate",
            f"The certificate of {site.origin} is not good: {exc}. Browsers have no passkeys there.",
            f"certbot --nginx -d {site.parts.hostname}, or whatever renews your certificates",
        )
    except Unreachable as exc:
        yield error(
            "outside.unreachable",
            f"{site.origin} gives no answer: {one_line(str(exc))}.",
            "--url, with the address that people open; or start the server",
        )


def _problem(config: PasskeyConfig, url: str) -> Finding | None:
    """Return why the address cannot be one where people have passkeys."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_url = False
    if not is_url:
        return error("outside.url", "--url is not an address.", f"--url {config.site}")
    if parts.scheme == "http" and not is_local(parts.hostname or ""):
        return error(
            "outside.http", "Browsers have passkeys on https only.", f"--url https://{parts.hostname}{parts.path}"
        )
    origin = Site(url).origin
    if not config.allows(origin):
        line = advice(config, origin).removeprefix("Write ") or f"--url {config.site}"
        return error("outside.origin", f"{origin} is none of PASSKEY_ORIGINS: all passkeys are refused there.", line)
    return None
