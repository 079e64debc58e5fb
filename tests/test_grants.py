"""Enrolment grants: the ways that people are let back in by, and what attackers would make of them."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask.testing import FlaskClient
from sqlalchemy import create_engine

from flask_passkey import (
    ConfigurationError,
    GrantRecord,
    Invitation,
    MemoryCredentialRepository,
    PasskeyConfig,
    SQLCredentialRepository,
    signals,
)
from flask_passkey.credentials.sql import metadata, passkey_grant
from flask_passkey.errors import CredentialNotFound, GrantNotFound, Refusal
from flask_passkey.grants import hash_of
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

HEADERS = {"Origin": SITE, "Sec-Fetch-Site": "same-origin"}
#: How many browsers finish with one grant at the same time.
BROWSERS = 16
CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.services),
        pytest.param("mariadb", marks=pytest.mark.services),
    ]
)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[App]:
    """An app in which Ada has a passkey and Eve has one, on every kind of place that keeps grants."""
    if request.param == "memory":
        yield filled(make_app())
        return
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/passkey.sqlite3" if sqlite else request.getfixturevalue(f"{request.param}_url")
    empty(url)
    repository = SQLCredentialRepository.from_uri(url)
    yield filled(make_app(credentials=repository))
    repository.close()


@pytest.fixture
def plain() -> App:
    """The same in memory, for what does not depend on the place."""
    return filled(make_app())


def empty(url: str) -> None:
    """Have our tables in a database, with nothing in them."""
    engine = create_engine(url)
    metadata.create_all(engine)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()


def filled(site: App) -> App:
    """Let Ada and Eve sign up, each on a device of her own."""
    for name in ("ada", "eve"):
        sign_up(site.app.test_client(), key(), name)
    return site


def key() -> VirtualAuthenticator:
    """Return a new device."""
    return VirtualAuthenticator(SITE)


def invite(site: App, name: str = "ada", **how: Any) -> str:
    """Return the token of a new grant."""
    with site.app.app_context():
        return site.passkey.invite(site.user(name), **how).token


def open_grants(site: App, name: str = "ada") -> list[GrantRecord]:
    """Return the grants of an account that were not used yet."""
    with site.app.app_context():
        return site.passkey.grants_of(site.user(name))


def begin(client: FlaskClient, grant: object) -> Any:
    """Begin with a grant; return the answer."""
    return put(client, {"grant": grant})


def put(client: FlaskClient, body: dict[str, Any]) -> Any:
    """Begin something; return the answer."""
    return client.put("/user/authn", json=body, headers=HEADERS)


def listing(client: FlaskClient) -> Any:
    """Ask for the list of passkeys; return the answer."""
    return client.get("/user/authn", headers=HEADERS)


def prepared(client: FlaskClient, grant: str, device: VirtualAuthenticator) -> dict[str, Any]:
    """Begin with a grant and make the passkey; return the body of the finish."""
    data = begin(client, grant).json["data"]
    return {"session_id": data["session_id"], "response": device.create(data["options"])}


def finish(client: FlaskClient, body: dict[str, Any]) -> Any:
    """Finish; return the answer."""
    return post(client, "/user/authn", body)


def post(client: FlaskClient, path: str, body: dict[str, Any]) -> Any:
    """Post a body; return the answer."""
    return client.post(path, json=body, headers=HEADERS)


def refused_with(code: int, answer: Any) -> bool:
    """Tell whether an answer is the refusal with this code, and tells nothing else."""
    statuses = {40001: 400, 403: 403, 404: 404, 40025: 400, 40091: 403, 40094: 404}
    assert answer.json["data"] is None and answer.status_code == statuses[answer.json["code"]]
    return bool(answer.json["code"] == code)


@contextmanager
def moved(site: App, by: timedelta) -> Iterator[None]:
    """Let the relying party's clock be ahead."""
    with site.app.app_context():
        party = site.passkey.relying_party
    before, party._clock = party._clock, lambda: datetime.now(UTC) + by
    yield
    party._clock = before


@dataclass
class Told:
    """What signals have told."""

    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def hear(self, name: str) -> Callable[..., None]:
        """Return a receiver of the signal of this name."""
        return lambda sender, **about: self.heard.append((name, about))

    @property
    def names(self) -> list[str]:
        """The names of the signals, in order."""
        return [name for name, _ in self.heard]


@pytest.fixture
def told() -> Iterator[Told]:
    """Everything that people should be told of."""
    told = Told()
    names = ("invited", "enrolled", "withdrawn", "registered", "deleted", "signed_in")
    receivers = {name: told.hear(name) for name in names}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver)
    yield told
    for name, receiver in receivers.items():
        getattr(signals, name).disconnect(receiver)


# The way back


@pytest.mark.proves("rules:13.4.6", "frictions:B")
def test_the_way_back(site: App) -> None:
    """Who lost every passkey makes one with a grant, in a browser that knows nobody, and signs in with it."""
    client, phone, token = site.app.test_client(), key(), invite(site)
    made = enrol(client, phone, token, passkey_name="New phone")
    assert made["name"] == "New phone" and made["current"] is False and made["used_at"] is None
    assert listing(client).json["code"] == 401
    assert sign_in(client, phone)["user"]["name"] == "ada"
    assert [record.label for record in site.passkey_records("ada")][1:] == ["New phone"]
    assert open_grants(site) == []


def test_the_way_in(site: App) -> None:
    """Who is invited has no passkey yet, and gets the first one of the account by a grant."""
    site.users["7"] = User("zoe", "Zoë", id="7")
    phone = key()
    enrol(site.app.test_client(), phone, invite(site, "zoe"))
    assert sign_in(site.app.test_client(), phone)["user"] == {"id": "7", "name": "zoe", "display_name": "Zoë"}


def test_options_are_those_of_the_account(site: App) -> None:
    """The options name the account, keep its user handle, and exclude the passkeys that it has."""
    options = begin(site.app.test_client(), invite(site)).json["data"]["options"]["publicKey"]
    [record] = site.passkey_records("ada")
    assert options["user"] == {"id": b64url_encode(record.user_handle), "name": "ada", "displayName": "ada"}
    assert [item["id"] for item in options["excludeCredentials"]] == [b64url_encode(record.id)]
    assert options["authenticatorSelection"]["userVerification"] == "required"


def test_recovery_codes(site: App) -> None:
    """Each code is good once, at any time, however it is typed, and the others stay good."""
    with site.app.app_context():
        codes = site.passkey.recovery_codes(site.user("ada"), count=3)
    assert len(set(codes)) == 3 and all(CODE.fullmatch(code) for code in codes)
    with moved(site, timedelta(days=3650)):
        for number, typed in enumerate((codes[0], codes[1].lower().replace("-", " "), f"\t{codes[2]}\n")):
            assert [grant.expires_at for grant in open_grants(site)] == [None] * (3 - number)
            enrol(site.app.test_client(), key(), typed)
    assert len(site.passkey_records("ada")) == 4 and open_grants(site) == []
    assert refused_with(40094, begin(site.app.test_client(), codes[0]))


@pytest.mark.parametrize(
    "typed",
    [
        "0123-4567-89AB-CDEF",
        "oi23 4567 89ab cdef",
        "OL2345 6789ab-cdef",
        " 01\u20102345\u20136789\u2014ab\u00a0cd\u2011ef",
    ],
)
def test_codes_as_people_type_them(typed: str) -> None:
    """Case, spaces and dashes do not count, and letters that look like digits are those."""
    assert hash_of(typed) == sha256(b"0123456789ABCDEF").digest()


def test_tokens_are_exact() -> None:
    """A token's case and dashes count, and what is neither token nor code is like nothing at all."""
    token = "aB-_" * 10 + "xyz"
    assert hash_of(f" {token}\n") == sha256(token.encode()).digest()
    others = (token.lower(), token.replace("-", "_"), token[:-1], token + "A", "\ud800", "ı" * 16, "é" * 43)
    assert hash_of(token) not in {hash_of(other) for other in others}
    assert {hash_of(other) for other in others[3:]} == {hash_of("")}


def test_new_codes_take_the_place_of_old_ones(site: App) -> None:
    """A lost sheet of codes is worth nothing once there is a new one; links and other people's codes stay."""
    link = invite(site)
    with site.app.app_context():
        old, new = (site.passkey.recovery_codes(site.user("ada"), count=2) for _ in range(2))
        eves = site.passkey.recovery_codes(site.user("eve"), count=1)
    answers = [begin(site.app.test_client(), code).json["code"] for code in (*old, *new, *eves, link)]
    assert answers == [40094, 40094, 0, 0, 0, 0]


def test_what_is_open_is_listed(site: App) -> None:
    """What was not used yet is listed, oldest first, without what opens it."""
    with moved(site, timedelta(hours=-1)):
        token = invite(site, lifetime=timedelta(hours=3))
    with site.app.app_context():
        [code] = site.passkey.recovery_codes(site.user("ada"), count=1)
    link, printed = open_grants(site)
    assert [link.kind, printed.kind] == ["invitation", "recovery-code"]
    assert link.expires_at == link.created_at + timedelta(hours=3)
    assert printed.expires_at is None and link.rp_id == printed.rp_id == "localhost"
    assert token not in repr(link) and code not in repr(printed) and repr(link.token_hash) not in repr(link)


def test_the_link(plain: App) -> None:
    """The link is the app's page with the token in its fragment; without a page there is none."""
    with plain.app.app_context():
        user = plain.user("ada")
        bare = plain.passkey.invite(user)
        given = plain.passkey.invite(user, url="http://localhost/enrol")
        routed = plain.passkey.invite(user, url="http://localhost/#/enrol/")
    assert bare.url == "" and re.fullmatch(r"[A-Za-z0-9_-]{43}", bare.token)
    assert given.url == f"http://localhost/enrol#{given.token}"
    assert routed.url == f"http://localhost/#/enrol/{routed.token}"
    assert given.info.name == "ada" and given.token not in repr(given)
    page = filled(make_app({"PASSKEY_ENROL_URL": "http://localhost:5000/enrol"}))
    with page.app.app_context():
        made = page.passkey.invite(page.user("ada"))
    assert made.url == f"http://localhost:5000/enrol#{made.token}"


def test_lifetimes(plain: App) -> None:
    """A link is good for 24 hours unless told otherwise, in seconds or as a timedelta, and never for no time."""
    with plain.app.app_context():
        user, now = plain.user("ada"), datetime.now(UTC)
        made = [plain.passkey.invite(user), *(plain.passkey.invite(user, lifetime=t) for t in (60, timedelta(days=3)))]
        spans = [invitation.expires_at - now for invitation in made]
        expected = (timedelta(hours=24), timedelta(minutes=1), timedelta(days=3))
        assert all(abs(a - b) < timedelta(seconds=5) for a, b in zip(spans, expected, strict=True))
        for nothing in (0, -1, timedelta(0)):
            with pytest.raises(ValueError, match="over before it begins"):
                plain.passkey.invite(user, lifetime=nothing)


@pytest.mark.parametrize("count", [0, -1, 51])
def test_number_of_codes(plain: App, count: int) -> None:
    """Nobody gets no codes, or more than anybody would print; and nothing is lost by asking."""
    with plain.app.app_context():
        plain.passkey.recovery_codes(plain.user("ada"), count=1)
        with pytest.raises(ValueError, match="number of codes"):
            plain.passkey.recovery_codes(plain.user("ada"), count=count)
    assert len(open_grants(plain)) == 1


# Attacks


@pytest.mark.proves("threats:grant-used-twice")
def test_used_twice(site: App) -> None:
    """A grant that was used is refused, in the same browser and in another one."""
    client, token = site.app.test_client(), invite(site)
    enrol(client, key(), token)
    assert refused_with(40094, begin(client, token))
    assert refused_with(40094, begin(site.app.test_client(), token))
    assert len(site.passkey_records("ada")) == 2


def test_begun_twice_and_finished_twice(site: App) -> None:
    """Of two ceremonies that were begun with one grant only the first to finish adds a passkey."""
    token, clients = invite(site), [site.app.test_client() for _ in range(2)]
    bodies = [prepared(client, token, key()) for client in clients]
    assert finish(clients[1], bodies[1]).status_code == 200
    assert refused_with(40094, finish(clients[0], bodies[0]))
    assert len(site.passkey_records("ada")) == 2


def test_replayed(site: App) -> None:
    """The same finish sent again finds no ceremony."""
    client = site.app.test_client()
    body = prepared(client, invite(site), key())
    assert finish(client, body).status_code == 200
    assert refused_with(404, finish(client, body))
    assert len(site.passkey_records("ada")) == 2


@pytest.mark.proves("threats:grant-used-twice")
def test_race(site: App) -> None:
    """Of 16 browsers that finish with one grant at the same moment exactly one adds a passkey."""
    token, clients = invite(site), [site.app.test_client() for _ in range(BROWSERS)]
    bodies = [prepared(client, token, key()) for client in clients]
    with ThreadPoolExecutor(BROWSERS) as pool:
        answers = list(pool.map(finish, clients, bodies))
    assert Counter(answer.json["code"] for answer in answers) == {0: 1, 40094: BROWSERS - 1}
    assert len(site.passkey_records("ada")) == 2


def test_race_of_two_codes(site: App) -> None:
    """Different codes of one account do not stand in each other's way."""
    with site.app.app_context():
        codes = site.passkey.recovery_codes(site.user("ada"), count=4)
    clients = [site.app.test_client() for _ in codes]
    bodies = [prepared(client, code, key()) for client, code in zip(clients, codes, strict=True)]
    with ThreadPoolExecutor(len(codes)) as pool:
        answers = list(pool.map(finish, clients, bodies))
    assert [answer.status_code for answer in answers] == [200] * len(codes)
    assert len(site.passkey_records("ada")) == 1 + len(codes)


@pytest.mark.proves("threats:stale-grant")
def test_expired(site: App) -> None:
    """A grant whose time is up is refused at begin, and at finish where it was begun in time."""
    client, token = site.app.test_client(), invite(site, lifetime=60)
    body = prepared(client, token, key())
    with moved(site, timedelta(seconds=61)):
        assert refused_with(40094, begin(site.app.test_client(), token))
        assert refused_with(40094, finish(client, body))
        assert open_grants(site) == []
    assert len(site.passkey_records("ada")) == 1


@pytest.mark.proves("threats:stale-grant")
def test_withdrawn(site: App) -> None:
    """A grant that was taken back is refused at begin, and at finish where it was begun before."""
    client, token = site.app.test_client(), invite(site)
    body = prepared(client, token, key())
    with site.app.app_context():
        assert site.passkey.withdraw(site.user("ada")) == 1
        assert site.passkey.withdraw(site.user("ada")) == 0
    assert refused_with(40094, begin(site.app.test_client(), token))
    assert refused_with(40094, finish(client, body))
    assert len(site.passkey_records("ada")) == 1


def test_withdrawn_by_kind(site: App) -> None:
    """Links can be taken back without the printed codes, and nobody else's are touched."""
    link, eves = invite(site), invite(site, "eve")
    with site.app.app_context():
        [code] = site.passkey.recovery_codes(site.user("ada"), count=1)
        assert site.passkey.withdraw(site.user("ada"), kind="invitation") == 1
    assert [begin(site.app.test_client(), token).json["code"] for token in (link, code, eves)] == [40094, 0, 0]


@pytest.mark.proves("threats:guessed-grant")
def test_guessed(site: App) -> None:
    """What was never made is refused, as are a grant's hash and all but the whole token."""
    token = invite(site)
    [grant] = open_grants(site)
    guesses = ("A" * 43, "0000-0000-0000-0000", token[:-1], token[::-1], "", " ", b64url_encode(grant.token_hash))
    assert all(refused_with(40094, begin(site.app.test_client(), guess)) for guess in guesses)
    assert begin(site.app.test_client(), token).status_code == 200


@pytest.mark.parametrize("grant", [None, 7, 1.5, True, [], ["a"], {}, {"a": 1}, "x" * 256, "x" * 60_000])
def test_malformed(plain: App, grant: object) -> None:
    """What is no short text is malformed, and the answer says which member it is and no more."""
    answer = begin(plain.app.test_client(), grant)
    assert refused_with(40001, answer)
    assert answer.json["msg"] == "The request is malformed: grant."


@pytest.mark.parametrize("grant", ["\0" * 43, "é" * 43, "ı" * 16, "%", "../" * 14 + "x", "' OR 1=1 --"])
def test_odd_text(site: App, grant: str) -> None:
    """Text of any kind is unknown, and never an error."""
    assert refused_with(40094, begin(site.app.test_client(), grant))


@pytest.mark.proves("threats:stale-grant", "threats:foreign-link")
def test_for_another_account_than_the_one_signed_in(site: App) -> None:
    """Eve, signed in, can neither begin nor finish with a grant of Ada's, and does not spend it."""
    token, client, device = invite(site), site.app.test_client(), key()
    enrol(client, device, invite(site, "eve"))
    body = prepared(client, token, key())
    sign_in(client, device)
    assert refused_with(40094, begin(client, token))
    assert refused_with(40094, finish(client, body))
    assert len(site.passkey_records("ada")) == 1 and len(site.passkey_records("eve")) == 2
    enrol(site.app.test_client(), key(), token)


def test_by_its_own_account(site: App) -> None:
    """Who is signed in without a passkey sign-in lately needs no other one for a grant of their own account."""
    client, token = site.app.test_client(), invite(site)
    with client.session_transaction() as session:
        session["user_id"] = site.user("ada").id
    with pytest.raises(Refused) as refused:
        add_passkey(client, key())
    assert refused.value.code == 40091
    enrol(client, key(), token)
    assert len(site.passkey_records("ada")) == 2


@pytest.mark.proves("threats:foreign-link")
def test_no_session(site: App) -> None:
    """Neither opening a link nor using it signs anybody in or writes a session."""
    client, token = site.app.test_client(), invite(site)
    before = site.session_ids()
    enrol(client, key(), token)
    assert site.session_ids() == before
    assert listing(client).json["code"] == 401


def test_not_a_fresh_sign_in(site: App) -> None:
    """Who is signed in with something else has not stepped up by enrolling, and can delete no passkey."""
    client, token = site.app.test_client(), invite(site)
    with client.session_transaction() as session:
        session["user_id"] = site.user("ada").id
    enrol(client, key(), token)
    [first, _] = site.passkey_records("ada")
    answer = client.delete(f"/user/authn/{b64url_encode(first.id)}", headers=HEADERS)
    assert refused_with(40091, answer) and len(site.passkey_records("ada")) == 2


@pytest.mark.proves("threats:leaked-link")
def test_prefetched(site: App) -> None:
    """Whatever a mail scanner fetches ahead, begins of ceremonies included, a grant is not spent by it."""
    token = invite(site)
    for _ in range(5):
        client = site.app.test_client()
        client.get(f"/user/authn?grant={token}")
        client.head(f"/user/authn?grant={token}")
        assert begin(client, token).status_code == 200
    enrol(site.app.test_client(), key(), token)


def test_only_in_the_body(site: App) -> None:
    """A token in the query, which ends up in logs and referrers, is not looked at."""
    answer: Any = site.app.test_client().put(f"/user/authn?grant={invite(site)}", headers=HEADERS)
    assert answer.json["code"] == 401


def test_finished_by_another_browser(site: App) -> None:
    """A stranger who learns the ceremony's id can neither use nor burn it."""
    client, token = site.app.test_client(), invite(site)
    body = prepared(client, token, key())
    stranger = site.app.test_client()
    begin(stranger, token)
    assert refused_with(404, finish(stranger, body))
    assert finish(site.app.test_client(), body).json["code"] == 404
    assert finish(client, body).status_code == 200


def test_finished_as_another_kind(site: App) -> None:
    """The ceremony of a grant is no sign-in, and the ceremony of a sign-in or sign-up spends no grant."""
    client, token = site.app.test_client(), invite(site)
    body = prepared(client, token, key())
    assert post(client, "/session/authn", body).json["code"] == 404
    data = put(client, {"name": "mallory"}).json["data"]
    assert finish(client, {**body, "session_id": data["session_id"]}).json["code"] == 40025
    assert len(open_grants(site)) == 1 and len(site.passkey_records("ada")) == 1
    assert finish(client, body).status_code == 200


def test_a_bad_response_spends_nothing(site: App) -> None:
    """A response that does not verify, or has a passkey that is known, costs the ceremony but not the grant."""
    client, token, device = site.app.test_client(), invite(site), key()
    body = prepared(client, token, key())
    other = prepared(client, token, key())
    assert refused_with(40025, finish(client, {**body, "response": other["response"]}))
    sign_up(site.app.test_client(), device, "bob")
    known = prepared(client, token, device)
    with site.app.app_context():  # the same passkey was registered in the meantime
        record = replace(site.passkey_records("bob")[0], id=_id_of(known))
        site.passkey.credentials.add(record)
    assert finish(client, known).json["code"] == 409
    assert len(open_grants(site)) == 1 and len(site.passkey_records("ada")) == 1
    enrol(client, key(), token)


def _id_of(body: dict[str, Any]) -> bytes:
    return b64url_decode(body["response"]["id"])


def test_a_bad_label_spends_nothing(site: App) -> None:
    """A label that cannot be one is malformed; the same ceremony then takes a good one."""
    client = site.app.test_client()
    body = prepared(client, invite(site), key())
    assert refused_with(40001, finish(client, {**body, "name": "x" * 65}))
    assert finish(client, {**body, "name": "Phone"}).json["data"]["name"] == "Phone"


def test_disabled_account(site: App) -> None:
    """An account that may not sign in gets no passkey, before and after the begin, and the grant is still there."""
    client, token = site.app.test_client(), invite(site)
    body = prepared(client, token, key())
    site.user("ada").is_active = False
    assert refused_with(403, begin(site.app.test_client(), token))
    assert refused_with(403, finish(client, body))
    assert len(site.passkey_records("ada")) == 1
    site.user("ada").is_active = True
    enrol(client, key(), token)


def test_deleted_account(site: App) -> None:
    """An account that the app no longer has gets no passkey, also where it forgot to tell us."""
    client, token = site.app.test_client(), invite(site)
    body = prepared(client, token, key())
    ada = site.users.pop(site.user("ada").id)
    assert refused_with(403, begin(site.app.test_client(), token))
    assert refused_with(403, finish(client, body))
    with site.app.app_context():
        assert len(site.passkey.credentials.of_user(ada.id)) == 1


def test_after_forget(site: App) -> None:
    """When an account is forgotten its grants are, also those that were begun, and a new one of its id has none."""
    client, token = site.app.test_client(), invite(site)
    body = prepared(client, token, key())
    with site.app.app_context():
        site.passkey.forget_user(site.user("ada").id)
    assert refused_with(40094, begin(site.app.test_client(), token))
    assert refused_with(40094, finish(client, body))
    assert site.passkey_records("ada") == [] and open_grants(site) == []
    enrol(client, key(), invite(site))


@pytest.mark.proves("threats:stale-grant")
def test_another_relying_party(site: App) -> None:
    """A grant made for one RP ID opens nothing at another, on the same database."""
    token = invite(site)
    other = make_app(
        {"PASSKEY_RP_ID": "a.localhost", "PASSKEY_ORIGINS": [SITE.replace("//", "//a.")]},
        credentials=site.passkey._credentials,
    )
    other.users.update(site.users)
    headers = {**HEADERS, "Origin": "http://a.localhost"}
    answer = other.app.test_client().put("/user/authn", json={"grant": token}, headers=headers)
    assert refused_with(40094, answer)
    assert open_grants(other) == [] and len(open_grants(site)) == 1


def test_from_another_site(site: App) -> None:
    """Another site's page can begin nothing, whatever it knows."""
    client = site.app.test_client()
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = client.put("/user/authn", json={"grant": invite(site)}, headers=headers)
    assert refused_with(403, answer)


@pytest.mark.proves("threats:leaked-link")
def test_in_the_log(site: App, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a token nor a code nor its hash is in the log, in an answer, or in what signals of refusals carry."""
    caplog.set_level(logging.DEBUG)
    site.app.debug = True
    heard: list[str] = []

    def hear(sender: object, error: Refusal, correlation_id: str) -> None:
        heard.append(repr(error) + error.reason)

    client, token = site.app.test_client(), invite(site)
    with site.app.app_context():
        codes = site.passkey.recovery_codes(site.user("ada"), count=1)
    with signals.refused.connected_to(hear):
        answers = [begin(client, token), finish(client, prepared(client, token, key()))]
        answers += [begin(client, token), begin(client, codes[0]), begin(client, codes[0][::-1])]
    said = caplog.text + "".join(answer.get_data(as_text=True) for answer in answers) + "".join(heard)
    assert len(heard) == 2 and "40094" in said
    for secret in (token, *codes, codes[0][::-1], b64url_encode(hash_of(token)), repr(hash_of(token))):
        assert secret not in said


def test_in_the_database(tmp_path: Path) -> None:
    """Who reads the database finds no token and no code, only hashes that open nothing."""
    url = f"sqlite:///{tmp_path}/passkey.sqlite3"
    repository = SQLCredentialRepository.from_uri(url)
    site = filled(make_app(credentials=repository))
    token = invite(site)
    with site.app.app_context():
        codes = site.passkey.recovery_codes(site.user("ada"))
    with repository.reading() as connection:
        rows = connection.execute(passkey_grant.select()).all()
    repository.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert len(rows) == 9 and hash_of(token) in stored
    for secret in (token, *codes):
        assert secret.encode() not in stored and secret.replace("-", "").encode() not in stored


def test_in_the_store_of_ceremonies(plain: App) -> None:
    """Who reads the pending ceremonies finds the hash of a grant, never the token."""
    token = invite(plain)
    begin(plain.app.test_client(), token)
    [(_, value)] = plain.pending.items()
    assert b64url_encode(hash_of(token)) in str(value) and token not in str(value)


def test_a_sign_up_beside_it(plain: App) -> None:
    """A body with a grant and a name makes no account: the grant decides, and a bad one is refused."""
    client = plain.app.test_client()
    answer = put(client, {"grant": "A" * 43, "name": "mallory"})
    assert refused_with(40094, answer)
    assert [user.name for user in plain.users.values()] == ["ada", "eve"]


@pytest.mark.proves("threats:guessed-grant")
def test_every_refusal_is_one_sentence(site: App) -> None:
    """Unknown, used, expired, withdrawn and another's are answered alike: nobody learns which it was."""
    used, late, taken, adas = (invite(site, lifetime=60) for _ in range(4))
    enrol(site.app.test_client(), key(), used)
    eve = site.app.test_client()
    with eve.session_transaction() as session:
        session["user_id"] = site.user("eve").id
    answers = [begin(eve, adas), begin(site.app.test_client(), used), begin(site.app.test_client(), "A" * 43)]
    with moved(site, timedelta(seconds=61)):
        answers.append(begin(site.app.test_client(), late))
    with site.app.app_context():
        site.passkey.withdraw(site.user("ada"))
    answers.append(begin(site.app.test_client(), taken))
    told = [{name: value for name, value in answer.json.items() if name != "correlation_id"} for answer in answers]
    assert told == [{"code": 40094, "msg": GrantNotFound.message, "data": None}] * 5


# Told


@pytest.mark.proves("threats:own-recovery-codes", "rules:told")
def test_people_are_told(site: App, told: Told) -> None:
    """A grant that is made, used or taken back is told with the user and what a mail needs, never with the token."""
    ada, token = site.user("ada"), invite(site)
    with site.app.app_context():
        codes = site.passkey.recovery_codes(ada, count=2)
        site.passkey.withdraw(ada, kind="recovery-code")
    [grant] = open_grants(site)
    enrol(site.app.test_client(), key(), token, passkey_name="Phone")
    assert told.names == ["invited", "invited", "withdrawn", "enrolled", "registered"]
    first, second, withdrawn, enrolled, registered = (about for _, about in told.heard)
    assert first == {"user": ada, "kind": "invitation", "count": 1, "expires_at": grant.expires_at}
    assert second == {"user": ada, "kind": "recovery-code", "count": 2, "expires_at": None}
    assert withdrawn == {"user": ada, "kind": "recovery-code", "count": 2}
    assert enrolled == {"user": ada, "credential": site.passkey_records("ada")[1], "grant": grant}
    assert registered == {
        "user": ada,
        "credential": enrolled["credential"],
        "purpose": "enrolment",
        "attestation_verified": None,
        "user_verified": True,
        "backed_up": True,
        "amr": ("swk", "user", "mfa"),
        "authenticator_attachment": "platform",
        "extensions": {"credProps": {"rk": True}},
    }
    assert not any(secret in repr(told.heard) for secret in (token, *codes))


def test_nothing_is_told_that_did_not_happen(site: App, told: Told) -> None:
    """A begin, a refusal, and taking back nothing, are no news."""
    client, token = site.app.test_client(), invite(site, lifetime=60)
    told.heard.clear()
    body = prepared(client, token, key())
    begin(client, "A" * 43)
    with moved(site, timedelta(seconds=61)):
        finish(client, body)
    with site.app.app_context():
        site.passkey.withdraw(site.user("eve"))
    assert told.names == []


# Administrators


def test_an_administrator_deletes_a_passkey(site: App, told: Told) -> None:
    """One passkey of somebody else is deleted, without a step-up and also the last one, and its owner is told."""
    enrol(site.app.test_client(), key(), invite(site), passkey_name="Phone")
    lost, kept = site.passkey_records("ada")
    told.heard.clear()
    with site.app.app_context():
        site.passkey.delete_passkey_of(site.user("ada").id, b64url_encode(lost.id))
    assert site.passkey_records("ada") == [kept] and len(site.passkey_records("eve")) == 1
    assert told.heard == [("deleted", {"user": site.user("ada"), "credential_ids": [lost.id], "credentials": [lost]})]
    with site.app.app_context():
        site.passkey.delete_passkey_of(site.user("ada").id, b64url_encode(kept.id))
    assert site.passkey_records("ada") == []


def test_an_administrator_deletes_only_what_the_account_has(site: App, told: Told) -> None:
    """Another's passkey, one that is gone, and what cannot be an id are refused, and nothing is told."""
    [eves] = site.passkey_records("eve")
    ada = site.user("ada").id
    told.heard.clear()
    with site.app.app_context():
        for passkey_id in (b64url_encode(eves.id), b64url_encode(b"no"), "", "!", "é", "A"):
            with pytest.raises(CredentialNotFound):
                site.passkey.delete_passkey_of(ada, passkey_id)
    assert told.names == [] and len(site.passkey_records("eve")) == 1


def test_an_administrator_deletes_for_somebody_who_is_gone(plain: App, told: Told) -> None:
    """A passkey of an account that the app no longer has, or has disabled, can be deleted too."""
    [adas], [eves] = plain.passkey_records("ada"), plain.passkey_records("eve")
    eve, ada = plain.user("eve"), plain.users.pop(plain.user("ada").id)
    eve.is_active = False
    told.heard.clear()
    with plain.app.app_context():
        plain.passkey.delete_passkey_of(ada.id, b64url_encode(adas.id))
        plain.passkey.delete_passkey_of(eve.id, b64url_encode(eves.id))
    assert [about["user"] for _, about in told.heard] == [None, eve]


def test_an_owners_delete_tells_what_was_deleted(plain: App, told: Told) -> None:
    """Who is told of a deleted passkey is told its name, for a mail."""
    client, phone = plain.app.test_client(), key()
    enrol(client, phone, invite(plain), passkey_name="Phone")
    sign_in(client, phone)
    record = plain.passkey_records("ada")[1]
    told.heard.clear()
    client.delete(f"/user/authn/{b64url_encode(record.id)}", headers=HEADERS)
    [(name, about)] = told.heard
    assert name == "deleted" and about["credential_ids"] == [record.id]
    assert [credential.label for credential in about["credentials"]] == ["Phone"]


# Settings, and repositories of an app's own


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("/enrol", "'http://localhost/enrol'"),
        ("enrol", "'http://localhost/enrol'"),
        ("https://evil.example/enrol?x=1", "'http://localhost/enrol?x=1'"),
        ("https://localhost/", "'http://localhost/'"),
        ("http://localhost@evil.example/enrol", "'http://localhost/enrol'"),
        ("http://[", "'http://localhost/"),
    ],
)
def test_the_page_is_at_one_of_the_origins(url: str, meant: str) -> None:
    """A page at which no passkey can be made is refused at start-up, with the line to write."""
    with pytest.raises(ConfigurationError, match=rf"Write PASSKEY_ENROL_URL = {re.escape(meant)}"):
        PasskeyConfig.from_mapping({"PASSKEY_ENROL_URL": url}, development=True)


def test_good_pages() -> None:
    """A page at an origin or a related one is taken as it is written."""
    given = {"PASSKEY_RP_ID": "a.example", "PASSKEY_RELATED_ORIGINS": "https://b.example"}
    for url in ("https://a.example/enrol", "https://b.example/de/enrol?x=1", "https://A.example:443/#/enrol/", ""):
        assert PasskeyConfig.from_mapping(given | {"PASSKEY_ENROL_URL": url}).enrol_url == url


class WithoutGrants:
    """A repository of an app's own that knows credentials only."""

    def __init__(self) -> None:
        self._inner = MemoryCredentialRepository()

    def __getattr__(self, name: str) -> Any:
        if "grant" in name:
            raise AttributeError(name)
        return getattr(self._inner, name)


def test_a_repository_without_grants() -> None:
    """It works for all else; what would make a grant names what to add, and nobody has one."""
    site: App = filled(make_app(credentials=WithoutGrants()))
    assert refused_with(40094, begin(site.app.test_client(), "A" * 43))
    with site.app.app_context():
        user = site.user("ada")
        for call in (site.passkey.invite, site.passkey.recovery_codes):
            with pytest.raises(ConfigurationError, match=r"WithoutGrants keeps no .*add_grant\(\), .*GrantRepository"):
                call(user)
        assert site.passkey.grants_of(user) == [] and site.passkey.withdraw(user) == 0
        site.passkey.forget_user(user.id)


def test_invitations_are_values() -> None:
    """An invitation cannot be changed, and does not show what it opens."""
    fields = Invitation.__dataclass_fields__
    assert not fields["token"].repr and not fields["url"].repr
    assert not GrantRecord.__dataclass_fields__["token_hash"].repr
