"""What the app believes of the address it is at, and what the page's headers allow."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from ...config import PasskeyConfig
from ..findings import Finding, error, warning
from .client import Answer, Site

#: So many redirects inside the site lead to a page.
_REDIRECTS = 5
_FEATURES = ("publickey-credentials-get", "publickey-credentials-create")


def check(config: PasskeyConfig, site: Site) -> Iterator[Finding]:
    """Look at the app's idea of its address, and at a page."""
    yield from _address(config, site)
    page = _page(site)
    if page is not None:
        yield from _permissions(site, page)
        yield from _csp(site, page)


def _address(config: PasskeyConfig, site: Site) -> Iterator[Finding]:
    """Have Werkzeug mend a path with two slashes: the redirect is to the address where the app thinks it is."""
    location = site.ask("GET", f"{config.url_prefix}/passkey//static/passkey.js").location
    seen = urlsplit(location)
    if not seen.netloc:
        return
    if seen.scheme != site.parts.scheme:
        yield warning(
            "outside.scheme",
            f"The app thinks that it is at {seen.scheme}, and people are at {site.parts.scheme}: addresses that it "
            "makes, and limits by address, are wrong.",
            "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1); proxy_set_header X-Forwarded-Proto $scheme;",
        )
    if seen.netloc.lower() != urlsplit(site.origin).netloc:
        yield warning(
            "outside.host",
            f"The app thinks that it is at {seen.netloc}, and people are at {urlsplit(site.origin).netloc}: addresses "
            "that it makes lead elsewhere.",
            "proxy_set_header Host $http_host; in nginx, ProxyPreserveHost On in Apache, or ProxyFix(..., x_host=1)",
        )


def _page(site: Site) -> Answer | None:
    """Return the first page that people see, ``None`` where there is none on this site."""
    path = f"{site.path}/"
    for _ in range(_REDIRECTS):
        answer = site.ask_root("GET", path)
        if not answer.location:
            return answer if answer.status == 200 else None
        target = urlsplit(urljoin(f"{site.origin}{path}", answer.location))
        if f"{target.scheme}://{target.netloc}" != site.origin:
            return None
        path = f"{target.path}?{target.query}" if target.query else target.path
    return None


def _permissions(site: Site, page: Answer) -> Iterator[Finding]:
    header = ",".join(page.headers.get_all("Permissions-Policy", []))
    rules = {name.strip(): allowed for rule in header.split(",") for name, _, allowed in [rule.partition("=")]}
    for feature in _FEATURES:
        allowed = rules.get(feature, "self")
        if not any(word in allowed for word in ("self", "*", f'"{site.origin}"')):
            yield error(
                "outside.permissions-policy",
                f"The page's Permissions-Policy takes {feature} away: no passkey works there.",
                f"Permissions-Policy: {feature}=(self)",
            )


def _csp(site: Site, page: Answer) -> Iterator[Finding]:
    for policy in ",".join(page.headers.get_all("Content-Security-Policy", [])).split(","):
        rules = {words[0].lower(): words[1:] for words in map(str.split, policy.split(";")) if words}
        for directives in (("script-src-elem", "script-src"), ("connect-src",)):
            found = next((rules[name] for name in (*directives, "default-src") if name in rules), None)
            if found is not None and not any(_allows(site, source) for source in found):
                name = directives[-1]
                yield error(
                    f"outside.csp-{name}",
                    f"The page's Content-Security-Policy allows no {name} of this site: passkey.js cannot work there.",
                    f"Content-Security-Policy: {name} 'self'",
                )


def _allows(site: Site, source: str) -> bool:
    """Tell whether a source of a policy may allow what is at the site."""
    if source in ("'self'", "*", f"{site.parts.scheme}:", "'strict-dynamic'") or source.startswith(("'nonce-", "'sha")):
        return True
    host = source.rpartition("//")[2].partition("/")[0].partition(":")[0]
    return bool(host) and f".{site.parts.hostname}".endswith(host.removeprefix("*"))
