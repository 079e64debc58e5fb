"""RP IDs and origins: what is accepted, what it becomes, and what a refusal says."""

from __future__ import annotations

import logging

import pytest

from flask_passkey import ConfigurationError
from flask_passkey.config.origins import (
    android_origin,
    check_below,
    check_related,
    check_rp_id,
    default_origins,
    read_origins,
)

ANDROID = "android:apk-key-hash:" + "A" * 43


@pytest.mark.parametrize("rp_id", ["example.com", "login.example.co.uk", "localhost", "xn--bcher-kva.example", "a-b.c"])
def test_domains_are_rp_ids(rp_id: str) -> None:
    """A bare lower-case domain is an RP ID as it stands."""
    assert check_rp_id(rp_id) == rp_id


@pytest.mark.parametrize(
    ("rp_id", "problem", "line"),
    [
        (None, "is not set", "'example.com'"),
        ("", "is not set", "'example.com'"),
        ("https://example.com", "is a URL", "'example.com'"),
        ("https://Example.com:8443/login", "is a URL", "'example.com'"),
        ("//example.com", "is a URL", "'example.com'"),
        ("example.com/login", "is a URL", "'example.com'"),
        ("http://[::1", "is a URL", "'example.com'"),
        ("localhost:5000", "has a port", "'localhost'"),
        ("127.0.0.1:5000", "has a port", "'127.0.0.1'"),
        ("Example.COM", "has upper case", "'example.com'"),
        ("example.com.", "is not a domain name", "'example.com'"),
        (" example.com", "is not a domain name", "'example.com'"),
        ("exa mple.com", "is not a domain name", "'example.com'"),
        ("*.example.com", "is not a domain name", "'example.com'"),
        ("-example.com", "is not a domain name", "'example.com'"),
        ("example..com", "is not a domain name", "'example.com'"),
        ("bücher.example", "is not a domain name", "'xn--bcher-kva.example'"),
        ("a" * 64 + ".example", "is not a domain name", "'example.com'"),
        ("a." * 126 + "example", "is not a domain name", "'example.com'"),
        ("12345", "is not a domain name", "'example.com'"),
        (12345, "is not a domain name", "'example.com'"),
        ("example.1", "is not a domain name", "'example.com'"),
        ("co.uk", "is a public suffix", "'example.co.uk'"),
        ("github.io", "is a public suffix", "'example.github.io'"),
    ],
)
def test_bad_rp_ids(rp_id: object, problem: str, line: str) -> None:
    """An RP ID that no browser could use is refused with what is wrong and the line to write."""
    with pytest.raises(ConfigurationError) as caught:
        check_rp_id(rp_id)
    assert str(caught.value).startswith(f"PASSKEY_RP_ID {problem}")
    assert f"Write PASSKEY_RP_ID = {line}" in str(caught.value)


@pytest.mark.parametrize("rp_id", ["127.0.0.1", "192.168.0.7", "::1", "[::1]"])
def test_ip_addresses_are_served_with_a_warning(rp_id: str, caplog: pytest.LogCaptureFixture) -> None:
    """An IP address is served, and a warning says that no browser will accept it, and what to do."""
    with caplog.at_level(logging.WARNING):
        assert check_rp_id(rp_id) == rp_id
        check_below(read_origins("PASSKEY_ORIGINS", default_origins(rp_id)), rp_id)
    (record,) = caplog.records
    assert rp_id in record.getMessage() and "Write PASSKEY_RP_ID = 'localhost'" in record.getMessage()


def test_a_domain_is_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    """Only an IP address is warned about."""
    check_rp_id("example.com")
    assert not caplog.records


@pytest.mark.parametrize(
    ("rp_id", "origins"),
    [
        ("example.com", ("https://example.com",)),
        ("localhost", ("http://localhost", "http://localhost:5000")),
        ("app.localhost", ("http://app.localhost", "http://app.localhost:5000")),
        ("127.0.0.1", ("http://127.0.0.1", "http://127.0.0.1:5000")),
        ("::1", ("http://[::1]", "http://[::1]:5000")),
        ("10.0.0.1", ("https://10.0.0.1",)),
    ],
)
def test_default_origins(rp_id: str, origins: tuple[str, ...]) -> None:
    """Pages are on https at the RP ID, on one's own machine on http; and the defaults pass every check."""
    assert default_origins(rp_id) == origins
    assert read_origins("PASSKEY_ORIGINS", origins) == origins
    check_below(origins, rp_id)


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("https://example.com:443/", "https://example.com"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("HTTPS://Example.COM", "https://example.com"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("http://app.localhost", "http://app.localhost"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        (ANDROID, ANDROID),
        ("https://my_host.example.com", "https://my_host.example.com"),
        ("https://-a-.example.com", "https://-a-.example.com"),
        ("chrome-extension://abcdefghijklmnopabcdefghijklmnop", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
        ("moz-extension://1D2C-x", "moz-extension://1D2C-x"),
        ("ios:bundle-id:com.example.app", "ios:bundle-id:com.example.app"),
        ("android:apk-key-hash-sha256:AA", "android:apk-key-hash-sha256:AA"),
        ("ms-app://s-1-15-2-42/", "ms-app://s-1-15-2-42/"),
        ("com.example.app://callback", "com.example.app://callback"),
        ("com.example.App:/oauth", "com.example.App:/oauth"),
        ("web+app://x:8443", "web+app://x:8443"),
    ],
)
def test_origins_become_what_browsers_send(given: str, origin: str) -> None:
    """Case, the usual port, a slash at the end and other scripts make no difference."""
    assert read_origins("PASSKEY_ORIGINS", [given]) == (origin,)


@pytest.mark.parametrize(
    ("given", "problem", "line"),
    [
        ("https://example.com/login", "is without path", "['https://example.com']"),
        ("https://example.com?a=1", "is without path", "['https://example.com']"),
        ("https://example.com#a", "is without path", "['https://example.com']"),
        ("https://user@example.com:444", "is without path", "['https://example.com:444']"),
        ("http://example.com:8000", "plain http only at localhost", "['https://example.com']"),
        ("http://192.168.0.7", "plain http only at localhost", "['https://192.168.0.7']"),
        ("example.com", "not an origin", "['https://example.com']"),
        ("localhost:5000", "not an origin", "['https://example.com']"),
        ("https://", "not an origin", "['https://example.com']"),
        ("localhost:5000/", "not an origin", "['https://example.com']"),
        ("example.com:443", "not an origin", "['https://example.com']"),
        ("example.com:8443/login", "not an origin", "['https://example.com']"),
        ("chrome-extension://*", "not an origin", "['https://example.com']"),
        ("app: x", "not an origin", "['https://example.com']"),
        ("app:", "not an origin", "['https://example.com']"),
        ("https://*.example.com", "not an origin", "['https://example.com']"),
        ("https://exa mple.com", "not an origin", "['https://example.com']"),
        ("https://a..example", "not an origin", "['https://example.com']"),
        ("https://example.com.", "not an origin", "['https://example.com']"),
        ("https://[::1", "not an origin", "['https://example.com']"),
        ("https://example.com:99999", "not an origin", "['https://example.com']"),
        ("https://example.com:x", "not an origin", "['https://example.com']"),
        ("https://straße.example", "not an origin", "['https://example.com']"),
        ("android:apk-key-hash:short", "not an origin", "['https://example.com']"),
        ("null", "not an origin", "['https://example.com']"),
    ],
)
def test_bad_origins(given: str, problem: str, line: str) -> None:
    """What is no origin, or can have no passkeys, is refused with the setting and the line to write."""
    with pytest.raises(ConfigurationError) as caught:
        read_origins("PASSKEY_TOP_ORIGINS", ["https://fine.example", given])
    assert str(caught.value).startswith(f"PASSKEY_TOP_ORIGINS has {given!r}")
    assert problem in str(caught.value)
    assert str(caught.value).endswith(f"Write PASSKEY_TOP_ORIGINS = {line}")


@pytest.mark.parametrize(
    "given",
    [
        "https://a.example,https://b.example",
        " https://a.example , https://b.example/ ,",
        ["https://a.example", "https://b.example"],
        ("https://a.example", "https://b.example", "https://A.example:443"),
    ],
)
def test_a_list_of_origins_may_be_text(given: object) -> None:
    """Several origins are a list or text with commas; one that is there twice counts once."""
    assert read_origins("PASSKEY_ORIGINS", given) == ("https://a.example", "https://b.example")


def test_one_origin_may_be_text() -> None:
    """A single origin needs no list, and no origin is an empty one."""
    assert read_origins("PASSKEY_ORIGINS", "https://a.example") == ("https://a.example",)
    assert read_origins("PASSKEY_ORIGINS", "") == read_origins("PASSKEY_ORIGINS", []) == ()


@pytest.mark.parametrize("given", [5, True, {"a": 1}, [5], ["https://a.example", None], b"https://a.example"])
def test_what_is_no_list_of_origins(given: object) -> None:
    """Anything else is refused with the setting and the line to write."""
    with pytest.raises(ConfigurationError, match=r"^PASSKEY_ORIGINS is .* Write PASSKEY_ORIGINS = \['https://"):
        read_origins("PASSKEY_ORIGINS", given)


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "https://www.example.com",
        "https://a.b.example.com:444",
        ANDROID,
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        "ios:bundle-id:com.example.app",
    ],
)
def test_origins_at_or_below_the_rp_id(origin: str) -> None:
    """An origin is the RP ID or below it; an Android app's is neither, and is not looked at."""
    check_below([origin], "example.com")


@pytest.mark.parametrize(
    ("origin", "rp_id", "line"),
    [
        ("https://example.org", "example.com", "PASSKEY_ORIGINS = ['https://example.com']"),
        ("https://badexample.com", "example.com", "PASSKEY_ORIGINS = ['https://example.com']"),
        ("https://example.com", "www.example.com", "PASSKEY_ORIGINS = ['https://www.example.com']"),
        ("https://example.com.evil.org", "example.com", "PASSKEY_ORIGINS = ['https://example.com']"),
        ("http://127.0.0.1:5000", "localhost", "PASSKEY_ORIGINS = ['http://localhost', 'http://localhost:5000']"),
        ("http://localhost:5000", "127.0.0.1", "PASSKEY_ORIGINS = ['http://127.0.0.1', 'http://127.0.0.1:5000']"),
    ],
)
def test_origins_elsewhere(origin: str, rp_id: str, line: str) -> None:
    """An origin elsewhere is refused: no browser lets it use the RP ID."""
    with pytest.raises(ConfigurationError) as caught:
        check_below([origin], rp_id)
    assert str(caught.value).startswith(f"PASSKEY_ORIGINS has {origin!r}")
    assert f"Write {line}, or move it to PASSKEY_RELATED_ORIGINS" in str(caught.value)


def test_a_top_level_domain_is_no_rp_id_for_sites_below() -> None:
    """Browsers let nobody have passkeys for all of ``com``; a machine's bare name is fine for itself."""
    check_below(["https://intranet"], "intranet")
    check_below(["http://app.localhost"], "localhost")
    with pytest.raises(ConfigurationError, match="^PASSKEY_RP_ID is 'com'.* Write PASSKEY_RP_ID = 'example.com'$"):
        check_below(["https://example.com"], "com")


def test_related_origins_have_five_names() -> None:
    """Browsers look at five names; a sixth is refused, and the line to write leaves it out."""
    five = [f"https://{name}.example" for name in "abcde"]
    check_related([])
    check_related([ANDROID, *five, "https://www.a.example", "https://b.org", "https://localhost"])
    with pytest.raises(ConfigurationError) as caught:
        check_related([*five, "https://www.f.example", "https://a.org", ANDROID])
    assert str(caught.value).startswith("PASSKEY_RELATED_ORIGINS has 6 different names")
    assert str(caught.value).endswith(f"Write PASSKEY_RELATED_ORIGINS = {[*five, 'https://a.org', ANDROID]}")


def test_names_are_counted_left_of_the_public_suffix() -> None:
    """Suffixes of several labels are suffixes, as browsers count: six names below co.uk are six."""
    six = [f"https://www.{name}.co.uk" for name in "abcdef"]
    check_related(six[:5] + ["https://a.com", "https://b.github.io"])
    with pytest.raises(ConfigurationError, match="has 6 different names"):
        check_related(six)


def test_an_android_app_is_listed_by_its_certificate() -> None:
    """The fingerprint that developers have becomes the origin that the app sends; anything else is refused."""
    assert android_origin(":".join(["00"] * 32)) == "android:apk-key-hash:" + "A" * 43
    assert read_origins("PASSKEY_ORIGINS", [android_origin(":".join(["fF"] * 32))]) == (
        "android:apk-key-hash:" + "_" * 42 + "8",
    )
    for wrong in ("", "00:11", ":".join(["0g"] * 32), "00" * 32):
        with pytest.raises(ValueError, match="fingerprint"):
            android_origin(wrong)
