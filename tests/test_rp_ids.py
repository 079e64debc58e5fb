"""Passkeys for another RP ID, as after a change of ``PASSKEY_RP_ID``: no browser uses them here, and nothing asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from apps import App, begin, make_app
from flask.testing import FlaskClient
from sqlalchemy import Engine, column, create_engine, insert, inspect, table, text
from test_cli import run

from flask_passkey import (
    CredentialRecord,
    CredentialRepository,
    MemoryCredentialRepository,
    SQLCredentialRepository,
)
from flask_passkey.contracts import new_record
from flask_passkey.credentials.sql import metadata
from flask_passkey.errors import Misconfigured
from flask_passkey.testing import (
    Refused,
    VirtualAuthenticator,
    add_passkey,
    b64url_encode,
    enrol,
    sign_in,
    sign_up,
    step_up,
)

pytestmark = pytest.mark.proves("frictions:S")

OLD, NEW = "https://old.example", "https://new.example"


def app_at(site: str, credentials: CredentialRepository, **config: object) -> App:
    """Return an app whose RP ID is the host of its address."""
    settings = {"PASSKEY_RP_ID": site.removeprefix("https://"), **config}
    return make_app(settings, credentials=credentials, find_user=True)


@pytest.fixture(params=["memory", "sql"])
def credentials(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CredentialRepository]:
    """Where both apps keep credentials."""
    if request.param == "memory":
        yield MemoryCredentialRepository()
    else:
        repository = SQLCredentialRepository.from_uri(f"sqlite:///{tmp_path}/passkeys.sqlite3")
        yield repository
        repository.close()


@pytest.fixture
def old_key() -> VirtualAuthenticator:
    """Ada's authenticator at the old address."""
    return VirtualAuthenticator(OLD)


@pytest.fixture
def site(credentials: CredentialRepository, old_key: VirtualAuthenticator) -> App:
    """The app after its change of RP ID, in which Ada and Bob have passkeys for the old one."""
    before = app_at(OLD, credentials)
    sign_up(before.app.test_client(), old_key, "ada")
    sign_up(before.app.test_client(), VirtualAuthenticator(OLD), "bob")
    site = app_at(NEW, credentials, PASSKEY_USERNAME_FIRST=True, PASSKEY_MAX_CREDENTIALS=2)
    site.users.update(before.users)
    return site


@pytest.fixture
def ada(site: App) -> FlaskClient:
    """Ada's browser, signed in by the app's own means."""
    client = site.app.test_client()
    with client.session_transaction() as session:
        session["user_id"] = site.user("ada").id
    return client


def test_a_registration_keeps_the_rp_id(site: App) -> None:
    """Each record says which RP ID its passkey is for."""
    assert [record.rp_id for record in site.passkey_records("ada")] == ["old.example"]


def test_the_first_passkey_here_takes_no_step_up(site: App, ada: FlaskClient) -> None:
    """Who has passkeys for another RP ID only adds one at once, and that is the one that is asked for from then on."""
    options = begin(ada, "/user/authn")["options"]["publicKey"]
    assert options["excludeCredentials"] == []
    key = VirtualAuthenticator(NEW)
    added = add_passkey(ada, key)
    with pytest.raises(Refused) as refused:
        add_passkey(ada, VirtualAuthenticator(NEW))
    assert refused.value.code == 40091
    assert [item["id"] for item in begin(ada, step_up=True)["options"]["publicKey"]["allowCredentials"]] == [
        added["id"]
    ]
    step_up(ada, key)
    excluded = begin(ada, "/user/authn")["options"]["publicKey"]["excludeCredentials"]
    assert [item["id"] for item in excluded] == [added["id"]]


def test_a_step_up_needs_a_passkey_that_is_for_here(ada: FlaskClient) -> None:
    """There is nothing to step up with."""
    assert ada.put("/session/authn", json={"step_up": True}).status_code == 404


def test_a_browser_may_make_the_first_one_by_itself(site: App, ada: FlaskClient) -> None:
    """A passkey is offered to an account that has none for here."""

    @site.app.get("/offer")
    def offer() -> str:
        site.passkey.offer_passkey()
        return ""

    site.app.add_url_rule("/offered", "offered", lambda: str(site.passkey.passkey_offered()))
    ada.get("/offer")
    assert ada.get("/offered").text == "True"
    add_passkey(ada, VirtualAuthenticator(NEW), conditional=True, user_present=False, user_verified=False)
    ada.get("/offer")
    assert ada.get("/offered").text == "False"


def test_lists_and_signals_leave_them_out(site: App, ada: FlaskClient) -> None:
    """The page, the template's rows and the browser's list have the passkeys that can be used here."""
    key = VirtualAuthenticator(NEW)
    added = add_passkey(ada, key)
    data = ada.get("/user/authn").get_json()["data"]
    signals = sign_in(site.app.test_client(), key)["signals"]
    assert [item["id"] for item in data["credentials"]] == [added["id"]]
    assert data["signals"]["allAcceptedCredentialIds"] == signals["allAcceptedCredentialIds"] == [added["id"]]
    assert data["signals"]["rpId"] == signals["rpId"] == "new.example"


def test_one_for_another_rp_id_guards_nothing(site: App, ada: FlaskClient) -> None:
    """The only passkey for here is the last one, and one for elsewhere can be neither renamed nor deleted."""
    key = VirtualAuthenticator(NEW)
    add_passkey(ada, key)
    sign_in(ada, key)
    [old, new] = [f"/user/authn/{b64url_encode(record.id)}" for record in site.passkey_records("ada")]
    assert ada.delete(new).status_code == 409
    assert ada.delete(old).status_code == ada.patch(old, json={"name": "x"}).status_code == 404
    site.has_other_methods = True
    assert ada.delete(new).get_json()["data"]["signals"]["allAcceptedCredentialIds"] == []
    assert [record.rp_id for record in site.passkey_records("ada")] == ["old.example"]


def test_the_limit_is_for_each_rp_id(ada: FlaskClient) -> None:
    """``PASSKEY_MAX_CREDENTIALS`` counts what can be used here."""
    key = VirtualAuthenticator(NEW)
    add_passkey(ada, key)
    sign_in(ada, key)
    add_passkey(ada, VirtualAuthenticator(NEW))
    with pytest.raises(Refused) as refused:
        add_passkey(ada, VirtualAuthenticator(NEW))
    assert refused.value.code == 40093


def test_the_limit_of_an_enrolment_is_for_each_rp_id(site: App, ada: FlaskClient) -> None:
    """A link adds a second one for here, beside the one for elsewhere, and no third."""
    add_passkey(ada, VirtualAuthenticator(NEW))
    with site.app.app_context():
        links = [site.passkey.invite(site.user("ada")).token for _ in range(2)]
    enrol(site.app.test_client(), VirtualAuthenticator(NEW), links[0])
    with pytest.raises(Refused) as refused:
        enrol(site.app.test_client(), VirtualAuthenticator(NEW), links[1])
    assert refused.value.code == 40093


def test_of_first_ones_at_once_one_is_added(
    site: App, ada: FlaskClient, credentials: CredentialRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is told that there may be one, and which do not count."""
    told: dict[str, object] = {}
    add = credentials.add
    monkeypatch.setattr(credentials, "add", lambda record, **limits: (told.update(limits), add(record, **limits)))
    add_passkey(ada, VirtualAuthenticator(NEW))
    assert told == {"limit": 1, "rp_ids": ("new.example", "")}


def as_if_for_here(key: VirtualAuthenticator) -> VirtualAuthenticator:
    """Return an authenticator at the new address with the same credentials, as no honest one has."""
    moved = VirtualAuthenticator(NEW)
    moved.credentials += [replace(credential, rp_id="new.example") for credential in key.credentials]
    return moved


def test_it_signs_nobody_in(site: App, old_key: VirtualAuthenticator) -> None:
    """A response with its ID is answered like any that is not known."""
    with pytest.raises(Refused) as refused:
        sign_in(site.app.test_client(), as_if_for_here(old_key))
    assert (refused.value.status, refused.value.code) == (401, 40090)


def test_its_id_is_not_given_again(site: App, ada: FlaskClient, old_key: VirtualAuthenticator) -> None:
    """An ID is registered once, for whichever RP ID."""
    with pytest.raises(Refused) as refused:
        add_passkey(ada, VirtualAuthenticator(NEW), credential_id=old_key.credentials[0].id)
    assert refused.value.code == 409


def test_by_name_they_are_as_none(site: App) -> None:
    """An account without passkeys for here gets decoys as a name without an account does."""
    client = site.app.test_client()
    known = {b64url_encode(record.id) for record in site.passkey_records("ada")}
    for name in ("ada", "nobody"):
        listed = begin(client, user_name=name)["options"]["publicKey"]["allowCredentials"]
        assert listed and not known & {item["id"] for item in listed}


def test_a_session_that_began_before_the_change_goes_on(
    site: App, credentials: CredentialRepository, old_key: VirtualAuthenticator
) -> None:
    """A sign-in by a passkey that is still there adds the first one for here, whichever RP ID it was for."""
    client = site.app.test_client()
    [record] = site.passkey_records("ada")
    for at in (time.time(), 0):
        with client.session_transaction() as session:
            session["user_id"] = site.user("ada").id
            session["_passkey"] = {"user_id": record.user_id, "credential_id": b64url_encode(record.id), "at": at}
        begin(client, "/user/authn")
    credentials.delete(record.id, user_id=record.user_id, keep_last=False)
    assert client.put("/user/authn").get_json()["code"] == 40091


def test_a_record_that_says_nothing_is_for_here(site: App, ada: FlaskClient, credentials: CredentialRepository) -> None:
    """Records from before the RP ID was kept count as before."""
    [record] = site.passkey_records("ada")
    credentials.delete(record.id, user_id=record.user_id, keep_last=False)
    credentials.add(replace(record, rp_id=""))
    assert ada.put("/user/authn").get_json()["code"] == 40091
    assert len(ada.get("/user/authn").get_json()["data"]["credentials"]) == 1


def test_administrators_see_and_reach_all(site: App, ada: FlaskClient) -> None:
    """The commands list passkeys for every RP ID, count those for others, and delete what there is."""
    add_passkey(ada, VirtualAuthenticator(NEW))
    user_id = site.user("ada").id
    listed = run(site.app, "list", user_id).output.splitlines()
    assert [line.rpartition(" ")[2] for line in listed] == ["old.example", "new.example"]
    assert "other RP IDs: 2 for 'old.example'. No browser uses them here" in run(site.app, "check").output
    with site.app.app_context():
        site.passkey.delete_passkey_of(user_id, listed[0].split()[0])
        assert [record.rp_id for record in site.passkey_records("ada")] == ["new.example"]
        site.passkey.forget_user(site.user("bob").id)
    assert "other RP IDs" not in run(site.app, "check").output


# Tables from before

KINDS = ["sqlite", *(pytest.param(kind, marks=pytest.mark.services) for kind in ("postgresql", "mariadb"))]


@pytest.fixture(params=KINDS)
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database whose credentials have no columns for what was not kept at first."""
    sqlite = request.param == "sqlite"
    engine = create_engine(f"sqlite:///{tmp_path}/p.db" if sqlite else request.getfixturevalue(f"{request.param}_url"))
    metadata.drop_all(engine)
    SQLCredentialRepository(engine).add_user("ada", new_record().user_handle)
    with engine.begin() as connection:
        for column in ("rp_id", "discoverable"):
            connection.execute(text(f"ALTER TABLE passkey_credential DROP COLUMN {column}"))
    yield engine
    metadata.drop_all(engine)
    engine.dispose()


CALLS: dict[str, Callable[[SQLCredentialRepository], object]] = {
    "get": lambda repository: repository.get(b"id"),
    "add": lambda repository: repository.add(new_record(rp_id="new.example")),
    "of_user": lambda repository: repository.of_user("ada"),
}


def test_the_column_is_added(earlier: Engine) -> None:
    """Where the tables are ours to create, a missing column is, too, once, and rows without it are as before."""
    with earlier.begin() as connection:
        old = new_record(b"old")
        names = [column["name"] for column in inspect(connection).get_columns("passkey_credential")]
        types = metadata.tables["passkey_credential"].columns
        before = table("passkey_credential", *(column(name, types[name].type) for name in names))
        connection.execute(insert(before), {name: getattr(old, name) for name in names} | {"transports": "[]"})
    assert SQLCredentialRepository(earlier).table_problems() == [], "the first use mends it"
    for _ in range(2):
        repository = SQLCredentialRepository(earlier)
        found = repository.get(b"old")
        assert isinstance(found, CredentialRecord) and found.rp_id == ""
    assert repository.table_problems() == []
    repository.add(new_record(rp_id="new.example"))
    assert repository.count_by_rp_id() == {"": 1, "new.example": 1}


@pytest.mark.parametrize("name", CALLS)
def test_the_line_is_named(earlier: Engine, name: str) -> None:
    """Where migrations create the tables, the refusal has the line to write, and the line works."""
    repository = SQLCredentialRepository(earlier, create_tables=False)
    lines = [
        "ALTER TABLE passkey_credential ADD COLUMN discoverable BOOLEAN",
        "ALTER TABLE passkey_credential ADD COLUMN rp_id VARCHAR(255)",
    ]
    types = "BOOL" if earlier.dialect.name == "mysql" else "BOOLEAN"
    assert [problem.fix for problem in repository.table_problems()] == [
        f"{line};".replace("BOOLEAN", types) for line in lines
    ]
    for line in lines:  # whichever the database misses first
        with pytest.raises(Misconfigured) as refused:
            CALLS[name](repository)
        assert f" Write: {line}" in refused.value.reason
        with earlier.begin() as connection:
            connection.execute(text(line))
    CALLS[name](repository)


def test_the_line_is_named_where_it_may_not_be_added(tmp_path: Path) -> None:
    """A role that may not change tables tells what somebody else has to do."""
    engine = create_engine(f"sqlite:///{tmp_path}/p.db")
    SQLCredentialRepository(engine).create_tables()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE passkey_credential DROP COLUMN rp_id"))
    engine.dispose()
    reader = create_engine(f"sqlite:///file:{tmp_path}/p.db?mode=ro&uri=true")
    with pytest.raises(Misconfigured, match="readonly.* Write: ALTER TABLE passkey_credential ADD COLUMN rp_id"):
        SQLCredentialRepository(reader).get(b"id")
    reader.dispose()


def test_tables_of_others_are_left_alone(tmp_path: Path) -> None:
    """A table that only has our name gets no column."""
    engine = create_engine(f"sqlite:///{tmp_path}/p.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE passkey_credential (id INTEGER PRIMARY KEY, name TEXT)"))
    with pytest.raises(Misconfigured):
        SQLCredentialRepository(engine).get(b"id")
    assert [column["name"] for column in inspect(engine).get_columns("passkey_credential")] == ["id", "name"]
    engine.dispose()
