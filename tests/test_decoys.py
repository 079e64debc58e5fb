"""Sign-in by name: names without passkeys cannot be told from names with some."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, App, make_app
from flask.testing import FlaskClient

from flask_passkey import (
    ConfigurationError,
    CredentialRepository,
    MemoryCredentialRepository,
    SQLCredentialRepository,
)
from flask_passkey.ceremonies.decoys import decoys
from flask_passkey.testing import Refused, VirtualAuthenticator, b64url_decode, sign_in, sign_up

SECRET = b"s" * 32


@pytest.fixture
def site() -> App:
    """Return the app of :func:`populated`, with its credentials in memory."""
    return populated(MemoryCredentialRepository())


def populated(credentials: CredentialRepository) -> App:
    """Return an app with sign-in by name, where Ada has a passkey, Bob is disabled and Cy has none."""
    site = make_app({"PASSKEY_USERNAME_FIRST": True}, credentials=credentials, find_user=True)
    for name in ("ada", "bob", "cy"):
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), name)
    site.user("bob").is_active = False
    with site.app.app_context():
        site.passkey.forget_user(site.user("cy").id)
    return site


def options(client: FlaskClient, name: str) -> Any:
    """Return the options for a name."""
    answer = client.put("/session/authn", json={"user_name": name})
    assert answer.status_code == 200
    return answer.get_json()["data"]["options"]["publicKey"]


@pytest.mark.parametrize("name", ["bob", "cy", "nobody"])
def test_every_name_gets_the_same_kind_of_answer(site: App, name: str) -> None:
    """Disabled accounts, accounts without passkeys and unknown names answer the members of a real one."""
    real, other = options(site.app.test_client(), "ada"), options(site.app.test_client(), name)
    assert set(other) == set(real) and len(str(other["challenge"])) == 43
    for descriptor in other["allowCredentials"]:
        assert set(descriptor) == set(real["allowCredentials"][0]) == {"type", "id", "transports"}
    assert other["allowCredentials"] != options(site.app.test_client(), f"{name}x")["allowCredentials"]


def test_a_disabled_accounts_own_passkeys_are_not_told(site: App) -> None:
    """A disabled account gets decoys, not its passkeys."""
    real = [record.id for record in site.passkey_records("bob")]
    told = [b64url_decode(item["id"]) for item in options(site.app.test_client(), "bob")["allowCredentials"]]
    assert told and not set(told) & set(real)


def test_decoys_are_stable_and_the_servers_secret(site: App) -> None:
    """A name gets the same decoys every time, however it is written; with another secret, others."""
    assert decoys("Nobody", secret=SECRET) == decoys("nobody", secret=SECRET) == decoys("ｎobody", secret=SECRET)
    assert decoys("nobody", secret=SECRET) != decoys("nobody", secret=b"t" * 32)
    first, second = (options(site.app.test_client(), "nobody")["allowCredentials"] for _ in range(2))
    assert first == second


def test_decoys_are_as_many_and_as_long_as_real_ones() -> None:
    """Over many names, one to three decoys of the usual lengths come up about as often as the table says."""
    lists = [decoys(f"name {number}", secret=SECRET) for number in range(4000)]
    counts = Counter(map(len, lists))
    lengths = Counter(len(b64url_decode(item["id"])) for items in lists for item in items)
    assert set(counts) == {1, 2, 3} and set(lengths) == {16, 20, 32, 48, 64}
    assert counts[1] / 4000 == pytest.approx(0.75, abs=0.04) and counts[2] / 4000 == pytest.approx(0.18, abs=0.04)
    assert len({item["id"] for items in lists for item in items}) == sum(map(len, lists))


def test_sign_in_by_name_works_without_a_user_handle(site: App) -> None:
    """A security key that keeps no passkeys answers without a user handle, and signs in."""
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "dora")
    assert sign_in(site.app.test_client(), ada, user_name="dora", user_handle=None)["user"]["name"] == "dora"


def test_the_ceremony_is_bound_to_the_name(site: App) -> None:
    """Another account's passkey is refused, and so is any passkey for a decoy, with one and the same code."""
    eve = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), eve, "eve")
    for name in ("ada", "nobody"):
        with pytest.raises(Refused) as refused:
            sign_in(site.app.test_client(), eve, user_name=name, credential=eve.credentials[0])
        assert (refused.value.status, refused.value.code) == (401, 40025)


def test_sign_in_by_name_is_off_by_default() -> None:
    """Without the setting a name is answered 40019; with it but without a secret the app does not start."""
    answer = make_app().app.test_client().put("/session/authn", json={"user_name": "ada"})
    assert (answer.status_code, answer.get_json()["code"]) == (403, 40019)
    with pytest.raises(ConfigurationError, match="SECRET_KEY ="):
        make_app({"PASSKEY_USERNAME_FIRST": True, "SECRET_KEY": None})


@pytest.mark.parametrize("kept", ["memory", "SQLite"])
def test_timing_is_reported(kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The time to answer is measured for real, disabled, passkey-less and unknown names, in turns; never judged."""
    database = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkeys.sqlite3")
    site = populated(database if kept == "SQLite" else MemoryCredentialRepository())
    client, names = site.app.test_client(), ("ada", "bob", "cy", "nobody")
    client.put("/session/authn")
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(150):
        for name in names:
            started = time.perf_counter()
            options(client, name)
            times[name].append((time.perf_counter() - started) * 1e6)
    with capsys.disabled():
        for name, kind in zip(names, ("real", "disabled", "no passkeys", "unknown"), strict=True):
            low, median, high = statistics.quantiles(times[name], n=4)
            print(f"\n{kept}, {kind:>12}: median {median:.0f} us, middle half {low:.0f} to {high:.0f}", end="")
    database.close()
    assert all(len(series) == 150 for series in times.values())
