"""What is remembered of a ceremony, as it goes into a store and comes back."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask_session.base import MsgSpecSerializer, ServerSideSession
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import EXAMPLES, begin_registration, begin_step_up, browser, register

from flask_passkey.ceremonies.pending import PendingCeremony

PENDING = st.builds(
    PendingCeremony,
    purpose=st.sampled_from(["sign-in", "step-up", "registration", "sign-up", "enrolment"]),
    rp_id=st.text(min_size=1),
    challenge=st.text(min_size=1),
    user_verification=st.sampled_from(["required", "preferred", "discouraged"]),
    user_id=st.text(),
    user_handle=st.text(),
    name=st.text(),
    display_name=st.text(),
    mediation=st.sampled_from(["", "conditional"]),
    allowed=st.lists(st.text()).map(tuple),
    extensions=st.lists(st.text()).map(tuple),
    app_id=st.text(),
    expires_at=st.floats(0, 1e12),
)


@EXAMPLES
@given(PENDING)
def test_it_comes_back_as_it_was(pending: PendingCeremony) -> None:
    """Whatever is remembered comes back from a store the same."""
    assert PendingCeremony.from_json(pending.to_json(expires_at=pending.expires_at)) == pending


def test_it_is_small() -> None:
    """An anonymous visitor costs the store a record of a few hundred bytes: empty members are left out."""
    _, pending = begin_registration(user_id="")
    data = pending.to_json(expires_at=1790000000.123)
    assert len(data) < 500 and b" " not in data
    assert set(json.loads(data)[1]) == {
        "purpose", "rp_id", "challenge", "user_verification", "user_handle", "name", "display_name", "expires_at",
        "extensions",
    }  # fmt: skip


def test_it_is_plain_json() -> None:
    """Stores get text and numbers only."""
    _, pending = begin_step_up([register(browser()), register(browser())])
    number, members = json.loads(pending.to_json(expires_at=1))
    assert number == 1
    assert isinstance(members.pop("allowed"), list) and members.pop("expires_at") == 1
    assert {type(value) for value in members.values()} == {str}


GOOD = b'[1,{"purpose":"sign-in","rp_id":"a","challenge":"b","user_verification":"required","expires_at":9%s}]'
ODD = [GOOD % more for more in (b',"expires_at":"soon"', b',"name":5', b',"allowed":[5]', b',"x":""')] + [b"[" * 99999]
ODD += [GOOD % (member + b"[" * 99999) for member in (b',"x":', b',"name":', b',"allowed":', b',"allowed":["a",')]
ODD += [(GOOD % b"").replace(b"[1,", other) for other in (b"[2,", b"[", b'["1",', b"[1,1,", b"[[1],")]
ODD += [(GOOD % b"")[3:-1]]


def test_the_good_one_among_the_odd_is_read() -> None:
    """What the next test breaks is otherwise good."""
    assert PendingCeremony.from_json(GOOD % b"").expires_at == 9


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"null", b"5", b'"text"', b"[]", b"{}", b'{"rp_id":"a"}', *ODD])
def test_other_data_are_refused(data: bytes) -> None:
    """What is not a pending ceremony is refused as a ValueError, so that it can be dropped."""
    with pytest.raises(ValueError):
        PendingCeremony.from_json(data)


@pytest.mark.parametrize("change", [{"other": 1}, {"allowed": 5}, {"allowed": None}])
def test_ceremonies_of_another_version_are_refused(change: dict[str, object]) -> None:
    """A member of a later version, or of another type, is refused and not guessed at."""
    _, pending = begin_registration()
    number, members = json.loads(pending.to_json(expires_at=1))
    with pytest.raises(ValueError):
        PendingCeremony.from_json(json.dumps([number, members | change]).encode())


@pytest.mark.proves("threats:shared-store")
@given(PENDING)
def test_no_session_can_be_made_of_it(pending: PendingCeremony) -> None:
    """Another app on the same store and prefix, asked for a session of the record's name, makes none of it."""
    for serialization in ("msgpack", "json"):
        found = MsgSpecSerializer(Flask(__name__), serialization).decode(pending.to_json(expires_at=1))
        with pytest.raises(TypeError):
            ServerSideSession(found)
