"""Settings: what an app and its environment can write, and what a refusal says."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_passkey import ConfigurationError, PasskeyConfig
from flask_passkey.config import settings
from flask_passkey.config.readers import READERS

RP_ID = {"PASSKEY_RP_ID": "example.com"}


def read(**values: Any) -> PasskeyConfig:
    """Read settings of a site at example.com; names without ``PASSKEY_`` and in lower case."""
    return PasskeyConfig.from_mapping(RP_ID | {f"PASSKEY_{name.upper()}": value for name, value in values.items()})


def read_environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> PasskeyConfig:
    """Read settings of a site at example.com from environment variables, as Flask does."""
    for name, value in ({"rp_id": "example.com"} | values).items():
        monkeypatch.setenv(f"FLASK_PASSKEY_{name.upper()}", value)
    app = Flask(__name__)
    app.config.from_prefixed_env()
    return PasskeyConfig.from_mapping(app.config)


def refusal(values: Mapping[str, Any], *, development: bool = False) -> str:
    """Return what a refusal of these settings says."""
    with pytest.raises(ConfigurationError) as caught:
        PasskeyConfig.from_mapping(values, development=development)
    return str(caught.value)


def test_an_rp_id_is_enough() -> None:
    """Everything else follows from the RP ID, or has the default that is written at its field."""
    settings = read()
    assert (settings.rp_id, settings.rp_name, settings.origins) == (
        "example.com",
        "example.com",
        ("https://example.com",),
    )
    given = {"rp_id": "example.com", "rp_name": "example.com", "origins": ("https://example.com",)}
    assert settings == PasskeyConfig(**given)
    assert settings != PasskeyConfig(**given, timeout=60_000)
    assert settings.endpoints == {} and settings.endpoints is not read().endpoints


def test_settings_are_values() -> None:
    """What is no setting is refused, and no setting can be changed later."""
    with pytest.raises(TypeError, match="time_out"):
        PasskeyConfig(rp_id="example.com", time_out=60_000)
    settings = dataclasses.replace(read(), timeout=60_000)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.timeout = 1  # type: ignore[misc]
    assert (settings.timeout, settings.rp_id, settings.lifetime) == (60_000, "example.com", 60)


def test_there_is_no_rp_id_by_default() -> None:
    """Without an RP ID an app does not start; nothing is guessed in production."""
    assert "Write PASSKEY_RP_ID = 'example.com'" in refusal({})
    assert "Write PASSKEY_RP_ID = 'example.com'" in refusal({"PASSKEY_RP_ID": None, "PASSKEY_ORIGINS": "nonsense"})


def test_debug_and_testing_are_at_localhost() -> None:
    """In debug and testing the RP ID is localhost, unless there is one."""
    settings = PasskeyConfig.from_mapping({}, development=True)
    assert (settings.rp_id, settings.origins) == ("localhost", ("http://localhost", "http://localhost:5000"))
    assert PasskeyConfig.from_mapping(RP_ID, development=True).rp_id == "example.com"


def test_every_field_is_a_setting_and_is_documented() -> None:
    """Each field of the configuration can be given, and is described; there are no other settings."""
    fields = [field.name for field in dataclasses.fields(PasskeyConfig)]
    assert list(READERS) == fields
    assert settings.__file__ is not None
    documented = re.findall(r"(?m)^    #: .+\n    (\w+): ", Path(settings.__file__).read_text("utf-8"))
    assert documented == fields


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("PASSKEY_ORIGIN", "PASSKEY_ORIGINS"),
        ("PASSKEY_RPID", "PASSKEY_RP_ID"),
        ("PASSKEY_USERVERIFICATION", "PASSKEY_USER_VERIFICATION"),
        ("PASSKEY_DATABASE_URL", "PASSKEY_DATABASE_URI"),
    ],
)
def test_misspelt_settings_are_refused(key: str, meant: str) -> None:
    """A setting that does not exist is not passed over: the one that was meant is named, its value is not."""
    message = refusal(RP_ID | {key: "postgresql://ada:secret@db"})
    assert message.startswith(f"There is no setting {key}. Write {meant} = ")
    assert "secret" not in message


def test_other_extensions_settings_are_not_ours() -> None:
    """Only keys that begin with PASSKEY_ are looked at."""
    assert PasskeyConfig.from_mapping(RP_ID | {"SESSION_TYPE": 5, "passkey_x": 1, "PASSKEYS": 2}) == read()


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_is_not_given(empty: object) -> None:
    """An empty environment variable, or None, leaves the default."""
    names = [field.name for field in dataclasses.fields(PasskeyConfig) if field.name != "rp_id"]
    assert read(**dict.fromkeys(names, empty)) == read()
    assert read(origins=[]) == read(origins=",") == read()


SWITCHES = ["http_status", "allow_cross_origin", "sign_up", "username_first"]


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("on", [True, 1, "true", "True", "TRUE", "1", "yes", "on", " on "])
def test_switches_on(name: str, on: object) -> None:
    """A switch is on by any word that says so, as environment variables are text."""
    assert getattr(read(**{name: on}), name) is True


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("off", [False, 0, "false", "False", "FALSE", "0", "no", "off", " off "])
def test_switches_off(name: str, off: object) -> None:
    """Text that says no switches off, though Python would take any text for true."""
    assert getattr(read(**{name: off}), name) is False


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("odd", ["maybe", "2", 2, -1, 1.5, [], {}])
def test_odd_switches_are_refused(name: str, odd: object) -> None:
    """What says neither yes nor no is refused with the setting and the line to write."""
    key = f"PASSKEY_{name.upper()}"
    message = refusal(RP_ID | {key: odd})
    assert message == f"{key} is {odd!r}, neither true nor false. Write {key} = True"


@pytest.mark.parametrize(
    ("name", "low", "high", "usual"),
    [
        ("timeout", 1_000, 600_000, 300_000),
        ("step_up_age", 0, 86_400, 600),
        ("max_body", 4_096, 1_048_576, 65_536),
    ],
)
def test_numbers(name: str, low: int, high: int, usual: int) -> None:
    """A number may be given as text, has limits, and the line to write shows its default."""
    key = f"PASSKEY_{name.upper()}"
    assert getattr(read(), name) == usual
    for good in (low, high, usual):
        assert getattr(read(**{name: good}), name) == getattr(read(**{name: f" {good} "}), name) == good
    for bad in (low - 1, high + 1, str(high + 1), -5, "-5", float(usual), "1e5", "many", "٣", True, [usual]):
        message = refusal(RP_ID | {key: bad})
        assert message == f"{key} is {bad!r}, not a number from {low} to {high}. Write {key} = {usual}"


def test_a_timeout_is_whole_seconds() -> None:
    """Stores count seconds, so a timeout with a rest is refused, with the nearest one below."""
    assert refusal(RP_ID | {"PASSKEY_TIMEOUT": 300_500}).endswith("Write PASSKEY_TIMEOUT = 300000")
    assert read(timeout=120_000).lifetime == 120


@pytest.mark.proves("browser:17")
def test_a_short_timeout_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """Less than a minute shuts out people who need time, and is said to."""
    with caplog.at_level(logging.WARNING):
        read(timeout=60_000)
        assert not caplog.records
        read(timeout=59_000)
    assert "PASSKEY_TIMEOUT is 59000 ms" in caplog.text


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("user_verification", ["required", "preferred", "discouraged"]),
        ("attestation", ["none", "indirect", "direct", "enterprise"]),
        ("counter_policy", ["device-bound", "always", "never"]),
        ("backup_policy", ["upgrade", "fixed", "any"]),
        ("mds_stale", ["warn", "refuse"]),
    ],
)
def test_choices(name: str, choices: list[str]) -> None:
    """The first choice is the default; another word is refused with all choices and the line to write."""
    key = f"PASSKEY_{name.upper()}"
    assert getattr(read(), name) == choices[0]
    for good in choices:
        assert getattr(read(**{name: good}), name) == good
    for bad in ("Required", "yes", 5, True, [choices[0]]):
        message = refusal(RP_ID | {key: bad})
        assert message == f"{key} is {bad!r}, not one of {', '.join(choices)}. Write {key} = {choices[0]!r}"


@pytest.mark.parametrize("value", [[-7, -257], (-7, -257), "-7,-257", "-7, -257", ["-7", "-257"], [-7, -257, -7]])
def test_algorithms(value: object) -> None:
    """Algorithms are a list or text with commas, and keep their order."""
    assert read(algorithms=value).algorithms == (-7, -257)
    assert read(algorithms=-8).algorithms == (-8,)


@pytest.mark.parametrize("number", [-7, -8, -257, -36, -37, -38, -39, -258, -259, -48, -49, -50])
def test_every_algorithm_that_verifies_can_be_listed(number: int) -> None:
    """All algorithms can be listed that the library verifies, RSA with SHA-1 left out."""
    assert read(algorithms=[number]).algorithms == (number,)


@pytest.mark.parametrize("value", [[], [-65535], [-7, 5], [-7, "x"], "ES256", [-7.0], {-7: 1}, True, 5])
def test_odd_algorithms_are_refused(value: object) -> None:
    """An algorithm we cannot verify is refused with those that we can and the line to write."""
    message = refusal(RP_ID | {"PASSKEY_ALGORITHMS": value})
    assert message.startswith(f"PASSKEY_ALGORITHMS is {value!r}, not a list of some of -7, -8, -257")
    assert message.endswith("Write PASSKEY_ALGORITHMS = [-7, -8, -257]")


@pytest.mark.parametrize(
    ("value", "path"),
    [("/api/v4", "/api/v4"), ("/api/v4/", "/api/v4"), ("/", ""), ("/~ada/a-b_c.d", "/~ada/a-b_c.d")],
)
def test_url_prefix(value: str, path: str) -> None:
    """A prefix is a path; a slash at its end makes no difference."""
    assert read(url_prefix=value).url_prefix == path


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("api/v4", "/api/v4"),
        ("//api", "/api"),
        ("https://example.com/api", "/api/v4"),
        ("/<tenant>", "/api/v4"),
        ("/a b", "/api/v4"),
        ("/api?x", "/api/v4"),
        ("/a//b", "/api/v4"),
        (5, "/5"),
    ],
)
def test_odd_url_prefixes_are_refused(value: object, line: str) -> None:
    """What is no fixed path is refused with the line to write."""
    message = refusal(RP_ID | {"PASSKEY_URL_PREFIX": value})
    assert message == f"PASSKEY_URL_PREFIX is {value!r}, not a path. Write PASSKEY_URL_PREFIX = {line!r}"


def test_endpoints() -> None:
    """The pages for password managers are https URLs, and a copy, so that nobody changes them later."""
    pages = {"enroll": "https://example.com/account", "manage": "https://example.com/account"}
    settings = read(endpoints=pages)
    pages.clear()
    assert settings.endpoints["manage"] == "https://example.com/account"


@pytest.mark.parametrize(
    "value", ["https://example.com", ["enroll"], {"enroll": "/account"}, {"enrol": "https://a.example"}, {"manage": 5}]
)
def test_odd_endpoints_are_refused(value: object) -> None:
    """A misspelt member, or what is no https URL, is refused with the line to write."""
    message = refusal(RP_ID | {"PASSKEY_ENDPOINTS": value})
    assert message.startswith(f"PASSKEY_ENDPOINTS is {value!r}, not a dict of https URLs. Write PASSKEY_ENDPOINTS = {{")


@pytest.mark.parametrize("value", [5, ["Example"]])
def test_a_name_is_text(value: object) -> None:
    """A name that is no text is refused with the line to write."""
    message = refusal(RP_ID | {"PASSKEY_RP_NAME": value})
    assert message == f"PASSKEY_RP_NAME is {value!r}, not text. Write PASSKEY_RP_NAME = {str(value)!r}"


def test_a_database_uri_is_text_and_never_shown() -> None:
    """Another object is refused without showing it, and a representation of the settings leaves it out."""
    message = refusal(RP_ID | {"PASSKEY_DATABASE_URI": ["secret"]})
    assert message.startswith("PASSKEY_DATABASE_URI is not text. Write PASSKEY_DATABASE_URI = 'postgresql+psycopg://")
    assert "secret" not in message
    told = repr(read(database_uri="postgresql://ada:secret@db"))
    assert "secret" not in told and told.startswith("PasskeyConfig(rp_id='example.com', rp_name='example.com', ")


AAGUID = "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"


@pytest.mark.parametrize("name", ["allowed_aaguids", "denied_aaguids"])
def test_aaguids(name: str) -> None:
    """Models are a list or text with commas, in any case; what is no AAGUID is refused with the line to write."""
    for value in (AAGUID, [AAGUID.upper()], f" {AAGUID} "):
        assert getattr(read(**{name: value}), name) == (AAGUID,)
    assert getattr(read(**{name: f"{AAGUID},{AAGUID}"}), name) == (AAGUID, AAGUID)
    assert getattr(read(**{name: []}), name) == ()
    key = f"PASSKEY_{name.upper()}"
    for bad in ("yubikey", [AAGUID, "x"], [AAGUID.replace("-", "")], [None], {AAGUID: 1}, 5):
        assert refusal(RP_ID | {key: bad}) == f"{key} is {bad!r}, not a list of AAGUIDs. Write {key} = {[AAGUID]!r}"


def test_attestation_roots() -> None:
    """Roots are files by format, one or several."""
    for value in ({"packed": "roots.pem"}, {"packed": ["roots.pem"]}, {"packed": ("roots.pem",)}):
        assert read(attestation="direct", attestation_roots=value).attestation_roots == {"packed": ("roots.pem",)}


@pytest.mark.parametrize(
    "value",
    [
        "roots.pem",
        ["roots.pem"],
        {"pack": "roots.pem"},
        {"android-safetynet": "roots.pem"},
        {"packed": 5},
        {5: "roots.pem"},
        5,
    ],
)
def test_odd_attestation_roots_are_refused(value: object) -> None:
    """An unknown format, or what is no list of files, is refused with the line to write."""
    message = refusal(RP_ID | {"PASSKEY_ATTESTATION": "direct", "PASSKEY_ATTESTATION_ROOTS": value})
    assert message.startswith(f"PASSKEY_ATTESTATION_ROOTS is {value!r}, not a dict of files by one of ")
    assert message.endswith("Write PASSKEY_ATTESTATION_ROOTS = {'packed': ['roots.pem']}")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"attestation_roots": {"packed": "roots.pem"}}, "PASSKEY_ATTESTATION = 'direct'"),
        ({"mds_file": "blob.jwt", "mds_root": "root.crt"}, "PASSKEY_ATTESTATION = 'direct'"),
        ({"mds_file": "blob.jwt", "mds_root": "root.crt", "attestation": "none"}, "PASSKEY_ATTESTATION = 'direct'"),
        ({"mds_file": "blob.jwt", "attestation": "direct"}, "PASSKEY_MDS_ROOT = 'root-r3.crt'"),
    ],
)
def test_what_belongs_together(given: dict[str, object], line: str) -> None:
    """Half of a setting that would protect nothing is refused with the line that is missing."""
    message = refusal(RP_ID | {f"PASSKEY_{name.upper()}": value for name, value in given.items()})
    assert message.startswith("PASSKEY_") and f"Write {line}" in message


def test_top_origins_need_their_switch() -> None:
    """Top origins alone would change nothing, so they are refused with the line that is missing."""
    top = {"top_origins": "https://partner.example"}
    assert read(allow_cross_origin=True, **top).top_origins == ("https://partner.example",)
    assert refusal(RP_ID | {"PASSKEY_TOP_ORIGINS": "https://partner.example"}).startswith("PASSKEY_TOP_ORIGINS")
    assert refusal(RP_ID | {"PASSKEY_TOP_ORIGINS": "https://partner.example"}).endswith(
        "Write PASSKEY_ALLOW_CROSS_ORIGIN = True"
    )


@pytest.mark.parametrize("name", ["origins", "related_origins", "top_origins"])
def test_a_bad_origin_names_its_setting(name: str) -> None:
    """Each list of origins is refused under its own name."""
    assert refusal(RP_ID | {f"PASSKEY_{name.upper()}": "nonsense"}).startswith(f"PASSKEY_{name.upper()} has 'nonsense'")
    assert refusal(RP_ID | {f"PASSKEY_{name.upper()}": 5}).startswith(f"PASSKEY_{name.upper()} is 5")


def test_origins_are_checked_against_the_rp_id() -> None:
    """An origin elsewhere is refused; a related one may be anywhere, and both are where ceremonies may run."""
    assert refusal(RP_ID | {"PASSKEY_ORIGINS": "https://example.org"}).startswith("PASSKEY_ORIGINS has")
    settings = read(origins="https://www.example.com", related_origins="https://example.org")
    assert settings.all_origins == ("https://www.example.com", "https://example.org")
    names = [f"https://{name}.example" for name in "abcdef"]
    assert refusal(RP_ID | {"PASSKEY_RELATED_ORIGINS": names}).startswith("PASSKEY_RELATED_ORIGINS has 6")


def test_cookies_are_secure_when_all_pages_are_https() -> None:
    """Pages on http can only be on the own machine; their cookies are not Secure, and they are not beside https."""
    assert read().https_only
    assert read(related_origins="https://example.org").https_only
    assert refusal(RP_ID | {"PASSKEY_RELATED_ORIGINS": "http://localhost:5000"}).startswith("PASSKEY_RELATED_ORIGINS")
    assert not PasskeyConfig.from_mapping({}, development=True).https_only


def test_environment_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables are read as Flask leaves them: as text where they are no JSON."""
    settings = read_environment(
        monkeypatch,
        rp_name="Example & Co",
        origins="https://example.com, https://www.example.com",
        http_status="False",
        sign_up="no",
        allow_cross_origin="on",
        algorithms="-7,-257",
        user_verification="preferred",
        url_prefix="/api",
    )
    assert settings == read(
        rp_name="Example & Co",
        origins=["https://example.com", "https://www.example.com"],
        http_status=False,
        sign_up=False,
        allow_cross_origin=True,
        algorithms=[-7, -257],
        user_verification="preferred",
        url_prefix="/api",
    )


def test_environment_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables that are JSON are what they say; two underscores reach into a dict."""
    settings = read_environment(
        monkeypatch,
        origins='["https://example.com", "https://www.example.com"]',
        http_status="false",
        sign_up="null",
        timeout="120000",
        algorithms="[-7]",
        endpoints__manage="https://example.com/account",
    )
    assert settings == read(
        origins=["https://example.com", "https://www.example.com"],
        http_status=False,
        timeout=120_000,
        algorithms=[-7],
        endpoints={"manage": "https://example.com/account"},
    )


@pytest.mark.parametrize(
    ("name", "value"), [("http_status", "nope"), ("timeout", "5 minutes"), ("origins", "www.example.com")]
)
def test_environment_mistakes_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A mistake in an environment variable stops the app, and names the setting."""
    with pytest.raises(ConfigurationError, match=f"^PASSKEY_{name.upper()} .* Write PASSKEY_{name.upper()} = "):
        read_environment(monkeypatch, **{name: value})
