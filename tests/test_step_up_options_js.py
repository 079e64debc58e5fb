"""Options of a step-up that were fetched before a view asked for one: the view may want more than they ask for."""

from __future__ import annotations

from scripts import run_script
from test_own_requests_js import VIEW


def test_a_view_gets_a_step_up_of_its_time() -> None:
    """After a step-up that somebody cancelled, a refusal of a view is followed by new options."""
    found = run_script(
        f"""{VIEW} const cancelled = failure(() => client.stepUp()); await soon();
        asked[0].cancel(new DOMException("", "NotAllowedError"));
        const answered = pay(); await cancelled; await soon(); asked[1].pick();
        return [(await answered).status, sent.map(({{ method }}) => method)];""",
        1,
    )
    assert found == [200, ["PUT", "PUT", "POST"]]


def test_options_that_somebody_fetched_ahead_are_used() -> None:
    """Where nobody was refused since, one request is enough."""
    found = run_script(
        f"""{VIEW} await client.prefetch("step-up"); const done = client.stepUp(); await soon(); asked[0].pick();
        await done; return sent.map(({{ method }}) => method);""",
        0,
    )
    assert found == ["PUT", "POST"]
