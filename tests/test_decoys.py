"""Sign-in by name: names without passkeys cannot be told from names with some."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from hashlib import sha256
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
from flask_passkey.ceremonies import authentication
from flask_passkey.ceremonies.decoys import decoys
from flask_passkey.ceremonies.signatures import check_signature
from flask_passkey.testing import (
    Refused,
    VirtualAuthenticator,
    add_passkey,
    b64url_decode,
    b64url_encode,
    enrol,
    sign_in,
    sign_up,
)

pytestmark = pytest.mark.proves("threats:who-has-an-account", "rules:13.4.7")

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


@pytest.mark.proves("browser:18")
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
    """A name gets the same decoys every time; with another secret, others."""
    assert decoys("nobody", secret=SECRET) == decoys("nobody", secret=SECRET) != decoys("Nobody", secret=SECRET)
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


# What the answers tell


def forged(begun: dict[str, Any], number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a response to options by a credential of their list, with a signature that is none."""
    options = begun["options"]["publicKey"]
    client_data = {"type": "webauthn.get", "challenge": options["challenge"], "origin": SITE}
    inner = {
        "clientDataJSON": json.dumps(client_data).encode(),
        "authenticatorData": sha256(b"localhost").digest() + b"\x1d" + bytes(4),
        "signature": bytes(70),
    }
    sent = {name: b64url_encode(value) for name, value in inner.items()} | changes
    credential_id = options["allowCredentials"][number]["id"]
    return {"id": credential_id, "rawId": credential_id, "type": "public-key", "response": sent}


BENT: list[dict[str, Any]] = [
    {},
    {"userHandle": "AAAA"},
    {"userHandle": 5},
    {"userHandle": ""},
    {"signature": ""},
    {"signature": None},
    {"authenticatorData": b64url_encode(sha256(b"localhost").digest() + b"\x00" + bytes(4))},
    {"authenticatorData": b64url_encode(sha256(b"localhost").digest())},
    {"authenticatorData": b64url_encode(sha256(b"localhost").digest() + b"\x9d" + bytes(4) + b"\xd8\x1c\x80")},
    {"clientDataJSON": "AAAA"},
]


@pytest.mark.parametrize("changes", BENT)
def test_a_bad_response_does_not_tell_who_has_an_account(site: App, changes: dict[str, Any]) -> None:
    """Whatever is sent for a real passkey, a deleted one or an invented one of a list, the answer is the same."""
    answers = []
    for name in ("ada", "bob", "dora", "nobody"):
        if name == "dora":
            sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "dora")
        client = site.app.test_client()
        begun = client.put("/session/authn", json={"user_name": name}).get_json()["data"]
        if name == "dora":
            with site.app.app_context():
                site.passkey.forget_user(site.user("dora").id)
        answer = client.post(
            "/session/authn", json={"session_id": begun["session_id"], "response": forged(begun, **changes)}
        )
        envelope = answer.get_json()
        del envelope["correlation_id"]
        answers.append((answer.status_code, envelope, [name for name, _ in answer.headers if name != "Date"]))
    assert all(answer == answers[0] for answer in answers)
    assert (answers[0][0], answers[0][1]["code"]) == (401, 40025)


@pytest.mark.parametrize(("changes", "verified"), [({}, 1), ({"userHandle": "AAAA"}, 0)])
def test_an_unknown_passkey_takes_as_much_to_refuse(
    site: App, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], verified: int
) -> None:
    """To refuse an invented passkey a signature is verified where it is for a real one; and none can be good."""
    seen: list[int] = []

    def note(key: Any, algorithm: int, signature: bytes, message: bytes) -> None:
        seen.append(algorithm)
        check_signature(key, algorithm, signature, message)

    monkeypatch.setattr(authentication, "check_signature", note)
    for name in ("ada", "nobody"):
        client = site.app.test_client()
        begun = client.put("/session/authn", json={"user_name": name}).get_json()["data"]
        client.post("/session/authn", json={"session_id": begun["session_id"], "response": forged(begun, **changes)})
    assert len(seen) == 2 * verified


def test_without_a_list_an_unknown_passkey_is_called_unknown(site: App) -> None:
    """In a sign-in that any passkey could answer, one that is not registered is still answered 40090."""
    ada, client = VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(client, ada, "dora")
    with site.app.app_context():
        site.passkey.forget_user(site.user("dora").id)
    with pytest.raises(Refused) as refused:
        sign_in(site.app.test_client(), ada)
    assert (refused.value.status, refused.value.code) == (401, 40090)


def test_a_step_up_with_a_deleted_passkey_does_not_verify(site: App) -> None:
    """A step-up names the account's passkeys, so one that was deleted meanwhile is refused as any bad one is."""
    first, second, client = VirtualAuthenticator(SITE), VirtualAuthenticator(SITE), site.app.test_client()
    sign_up(client, first, "dora")
    deleted = add_passkey(client, second)["id"]
    begun = client.put("/session/authn", json={"step_up": True}).get_json()["data"]
    client.delete(f"/user/authn/{deleted}")
    answer = client.post(
        "/session/authn", json={"session_id": begun["session_id"], "response": second.get(begun["options"])}
    )
    assert (answer.status_code, answer.get_json()["code"]) == (401, 40025)


@pytest.mark.parametrize("signs_up", [True, False])
def test_an_invented_id_cannot_be_registered(site: App, signs_up: bool) -> None:
    """A registration with an ID of a list is refused with 409, whether the passkey is real or invented."""
    eve = site.app.test_client()
    sign_up(eve, VirtualAuthenticator(SITE), "eve")
    for name in ("ada", *(f"nobody {number}" for number in range(20))):
        for item in options(site.app.test_client(), name)["allowCredentials"]:
            taken, key = b64url_decode(item["id"]), VirtualAuthenticator(SITE)
            with pytest.raises(Refused) as refused:
                if signs_up:
                    sign_up(site.app.test_client(), key, f"x{name}", credential_id=taken)
                else:
                    add_passkey(eve, key, credential_id=taken)
            assert (refused.value.status, refused.value.code) == (409, 409)
    add_passkey(eve, VirtualAuthenticator(SITE), credential_id=taken[:-1] + bytes([taken[-1] ^ 1]))


def test_an_invented_id_is_of_no_use_to_a_grant(site: App) -> None:
    """Nor with an enrolment grant, which stays good."""
    with site.app.app_context():
        grant = site.passkey.invite(site.user("ada")).token
    client, key = site.app.test_client(), VirtualAuthenticator(SITE)
    for item in options(client, "nobody")["allowCredentials"]:
        with pytest.raises(Refused) as refused:
            enrol(client, key, grant, credential_id=b64url_decode(item["id"]))
        assert (refused.value.status, refused.value.code) == (409, 409)
    enrol(client, key, grant)


def test_without_sign_in_by_name_every_id_can_be_registered() -> None:
    """An app that invents nothing has no IDs to refuse."""
    site = make_app({"SECRET_KEY": SECRET})
    [*_, invented] = decoys("nobody", secret=SECRET)
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada", credential_id=b64url_decode(invented["id"]))


def test_spellings_of_a_name_are_the_apps_matter(site: App) -> None:
    """Spellings of an unknown name get different decoys by default, and one list where the app takes them for one."""

    def lists(*names: str) -> list[Any]:
        return [options(site.app.test_client(), name)["allowCredentials"] for name in names]

    ada, shouted, nobody, shouted_nobody = lists("ada", "ADA", "nobody", "NOBODY")
    assert ada != shouted and nobody != shouted_nobody
    site.passkey.canonical_name(str.casefold)
    site.passkey.find_user(lambda name: next((u for u in site.users.values() if u.name == name.casefold()), None))
    ada, shouted, nobody, shouted_nobody = lists("ada", "ADA", "nobody", "NOBODY")
    assert ada == shouted and nobody == shouted_nobody


def test_descriptors_have_the_same_members_for_all(site: App) -> None:
    """A passkey whose transports are not known has an empty list of them, as some decoys have."""
    sign_up(site.app.test_client(), VirtualAuthenticator(SITE, transports=()), "dora")
    [item] = options(site.app.test_client(), "dora")["allowCredentials"]
    assert set(item) == {"type", "id", "transports"} and item["transports"] == []
    assert any(item["transports"] == [] for number in range(400) for item in decoys(str(number), secret=SECRET))
