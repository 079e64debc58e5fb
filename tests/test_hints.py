"""What the app prefers and does not demand: kinds of authenticators, and formats of attestation statements."""

from __future__ import annotations

from typing import Any

import pytest
from apps import SITE, begin, make_app
from rehearsal import ADA, begin_registration, browser, configured, finish_registration

from flask_passkey import ConfigurationError, PasskeyConfig
from flask_passkey.ceremonies import authentication
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up

HINTS = ("security-key", "client-device", "hybrid")


def read(**values: Any) -> PasskeyConfig:
    """Read settings of a site at example.com; names without ``PASSKEY_`` and in lower case."""
    return PasskeyConfig.from_mapping(
        {"PASSKEY_RP_ID": "example.com"} | {f"PASSKEY_{name.upper()}": value for name, value in values.items()}
    )


def refusal(**values: Any) -> str:
    """Return what a refusal of these settings says."""
    with pytest.raises(ConfigurationError) as caught:
        read(**values)
    return str(caught.value)


# Hints


@pytest.mark.parametrize("given", [HINTS, list(HINTS), "security-key,client-device, hybrid", [*HINTS, "hybrid"]])
def test_hints_are_a_list_or_text(given: object) -> None:
    """Hints keep their order, which is one of preference; the environment has them as text."""
    assert read(hints=given).hints == HINTS


@pytest.mark.parametrize("given", ["security key", ["usb"], [None], [["hybrid"]], 5, {"hybrid": True}, "hybrid,"])
def test_other_hints_are_refused(given: object) -> None:
    """A hint that browsers would pass over is a mistake: the app does not start, and is told the line to write."""
    message = refusal(hints=given)
    assert message.startswith(f"PASSKEY_HINTS is {given!r}, not a list of some of client-device, security-key, hybrid.")
    assert message.endswith("Write PASSKEY_HINTS = ['client-device']")


def test_both_ceremonies_have_the_hints() -> None:
    """Every route that begins a ceremony sends the hints, in their order."""
    site = make_app({"PASSKEY_HINTS": "hybrid,security-key"})
    client, authenticator = site.app.test_client(), VirtualAuthenticator(SITE)
    signing_up = begin(client, "/user/authn", name="bob")
    sign_up(client, authenticator, "ada")
    begun = [signing_up, begin(client), begin(client, step_up=True), begin(client, "/user/authn")]
    assert [ceremony["options"]["publicKey"]["hints"] for ceremony in begun] == [["hybrid", "security-key"]] * 4
    assert sign_in(client, authenticator)["user"]["name"] == "ada"


def test_without_hints_there_is_no_member() -> None:
    """The options of an app that prefers nothing say nothing of it."""
    assert "hints" not in begin_registration()[0]
    assert "hints" not in authentication.begin(config=configured())[0]


@pytest.mark.proves("specification:hints")
@pytest.mark.parametrize("hint", HINTS)
def test_no_attachment_goes_with_a_hint(hint: str) -> None:
    """A hint does not become a condition: whoever has another kind of authenticator registers and signs in."""
    config = configured(hints=(hint,))
    options, pending = begin_registration(config)
    assert "authenticatorAttachment" not in options["authenticatorSelection"]
    for transports in (["internal"], ["usb"], ["hybrid"]):
        response = browser(transports=transports).create(options)
        assert finish_registration(pending, response, config=config).user_id == ADA


# Formats of attestation statements


@pytest.mark.parametrize("attestation", ["indirect", "direct", "enterprise"])
def test_formats_are_in_the_options(attestation: str) -> None:
    """Formats are sent in their order, those of the future too; a statement in another one is as good."""
    config = read(attestation=attestation, attestation_formats="tpm,packed, x-2030,tpm")
    assert config.attestation_formats == ("tpm", "packed", "x-2030")
    options, pending = begin_registration(config)
    assert options["attestationFormats"] == ["tpm", "packed", "x-2030"]
    response = browser(attestation="packed").create(options)
    assert finish_registration(pending, response, config=config).attestation_object


def test_without_formats_there_is_no_member() -> None:
    """An app that asks for attestation in any format says nothing of formats."""
    assert "attestationFormats" not in begin_registration(configured(attestation="direct"))[0]


def test_formats_without_attestation_are_refused() -> None:
    """Formats of statements that nobody is asked for are a mistake, with the line to write."""
    message = refusal(attestation_formats=["packed"])
    assert message.startswith("PASSKEY_ATTESTATION_FORMATS is set, but browsers are not asked for attestation.")
    assert message.endswith("Write PASSKEY_ATTESTATION = 'direct'")


@pytest.mark.parametrize("given", [5, {"packed": 1}, ["packed", ""], ["two words"], ['"'], ["\\"], ["x" * 33], ["é"]])
def test_other_formats_are_refused(given: object) -> None:
    """What cannot be an identifier by section 8.1 is a mistake, with a line to write."""
    message = refusal(attestation="direct", attestation_formats=given)
    assert message.startswith(f"PASSKEY_ATTESTATION_FORMATS is {given!r}, ")
    assert message.endswith("Write PASSKEY_ATTESTATION_FORMATS = ['packed']")
