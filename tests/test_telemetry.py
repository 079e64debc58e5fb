"""Metrics of ceremonies, read with OpenTelemetry's SDK."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import opentelemetry.metrics
import pytest
from apps import SITE, App, make_app
from fuzz import Fuzzer
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Histogram, InMemoryMetricReader, Metric
from webauthn import verify_registration_response

from flask_passkey import errors, progress, signals, telemetry
from flask_passkey.errors import MalformedRequest, Refusal, ResponseRejected
from flask_passkey.telemetry import BOUNDARIES, REASONS, reason_of
from flask_passkey.testing import (
    Refused,
    VirtualAuthenticator,
    add_passkey,
    enrol,
    sign_in,
    sign_up,
    step_up,
)

ROOT = Path(__file__).parent.parent
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "passkey.json").read_text("utf-8"))
DOCUMENT = (ROOT / "docs" / "operate" / "metrics.md").read_text("utf-8")
PURPOSES = {"sign-in", "step-up", "registration", "sign-up", "enrolment", "unknown"}
Labels = dict[str, Any]


class Metrics:
    """What the app has counted."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader])

    def read(self) -> dict[str, Metric]:
        """Return all metrics by their names."""
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        assert {scope.scope.name for scope in scopes} <= {"flask_passkey"}
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def points(self, name: str) -> list[tuple[Labels, Any]]:
        """Return attributes and value of each series."""
        found = self.read().get(name)
        return [(dict(point.attributes or {}), point) for point in found.data.data_points] if found else []

    def counts(self, name: str) -> dict[tuple[Any, ...], int]:
        """Return a counter by purpose, code and reason."""
        keys = ("passkey.purpose", "passkey.code", "passkey.reason")
        return {tuple(labels[key] for key in keys if key in labels): point.value for labels, point in self.points(name)}


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metrics]:
    """The metrics of the apps in this test only; the API lets a program have one provider."""
    found = Metrics()
    monkeypatch.setattr(opentelemetry.metrics, "get_meter_provider", lambda: found.provider)
    yield found
    found.provider.shutdown()


# Counters


def test_successes_are_counted_by_purpose(metrics: Metrics) -> None:
    """Each kind of ceremony counts once where it begins and once where it is finished."""
    site, ada = make_app(), VirtualAuthenticator(SITE)
    client = site.app.test_client()
    sign_up(client, ada, "ada")
    sign_in(client, ada)
    step_up(client, ada)
    add_passkey(client, VirtualAuthenticator(SITE))
    with site.app.app_context():
        token = site.passkey.invite(site.user("ada")).token
    enrol(site.app.test_client(), VirtualAuthenticator(SITE), token)
    expected = {(purpose, 0): 1 for purpose in PURPOSES - {"unknown"}}
    assert metrics.counts("passkey.begins") == metrics.counts("passkey.finishes") == expected


def test_refusals_are_counted_by_code_and_reason(metrics: Metrics) -> None:
    """What is refused counts with code and reason, and with its purpose as soon as that is known."""
    elsewhere, site, ada = make_app(), make_app({"PASSKEY_SIGN_UP": False}), VirtualAuthenticator(SITE)
    options = elsewhere.app.test_client().put("/user/authn", json={"name": "ada"}).get_json()["data"]["options"]
    client = site.app.test_client()
    client.put("/session/authn", json={"step_up": True})
    client.put("/user/authn", json={"name": "ada"})
    client.put("/session/authn", json={"user_name": 5})
    client.put("/user/authn", headers={"Origin": "https://evil.example"})
    client.post("/session/authn", json={"session_id": "47c10dd3-7e10-4950-95d5-483dbc9508e6", "response": {}})
    client.post("/user/authn", data="{", content_type="application/json")
    ada.create(options["publicKey"])
    with pytest.raises(Refused):
        sign_in(client, ada)
    assert metrics.counts("passkey.begins") == {
        ("step-up", 401, "sign-in-required"): 1,
        ("sign-up", 40019, "feature-off"): 1,
        ("unknown", 40001, "malformed-request"): 1,
        ("unknown", 403, "cross-site-request"): 1,
        ("sign-up", 0): 1,
        ("sign-in", 0): 1,
    }
    assert metrics.counts("passkey.finishes") == {
        ("unknown", 404, "ceremony-not-found"): 1,
        ("unknown", 40001, "malformed-request"): 1,
        ("sign-in", 40090, "unknown-credential"): 1,
    }


BENDS: dict[str, dict[str, Any]] = {
    "challenge": {"challenge": "x" * 43},
    "origin": {"origin": "https://evil.example"},
    "embedded": {"cross_origin": True},
    "rp-id": {"rp_id": "evil.example"},
    "user-verification": {"user_verified": False},
    "user-presence": {"user_present": False},
    "response": {"type": "webauthn.other"},
}


@pytest.mark.parametrize("reason", BENDS)
def test_responses_are_told_apart(metrics: Metrics, reason: str) -> None:
    """Why a response did not verify is one of few words, in sign-ins and registrations alike."""
    site, ada = make_app(), VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    with pytest.raises(Refused):
        sign_in(site.app.test_client(), ada, **BENDS[reason])
    with pytest.raises(Refused):
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "eve", **BENDS[reason])
    found = metrics.counts("passkey.finishes")
    assert found == {("sign-up", 0): 1, ("sign-in", 40025, reason): 1, ("sign-up", 40025, reason): 1}


def test_signatures_counters_and_handles_are_told_apart(metrics: Metrics) -> None:
    """So are those reasons that only sign-ins have."""
    site, ada = make_app(), VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada", backup_eligible=False, backup_state=False, sign_count=9)
    for bends in ({"signature": b"x" * 70}, {"sign_count": 3}, {"user_handle": b"x" * 64}):
        with pytest.raises(Refused):
            sign_in(site.app.test_client(), ada, **bends)
    reasons = {key[2] for key in metrics.counts("passkey.finishes") if key[1] == 40025}
    assert reasons == {"signature", "counter", "user-handle"}


def test_every_beginning_is_one_of_ours() -> None:
    """Each beginning by which reasons are told apart is written in the code that refuses."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "flask_passkey").rglob("*.py"))
    source += Path(verify_registration_response.__code__.co_filename).read_text("utf-8")
    for beginning in telemetry._BEGINNINGS:
        assert len(re.findall(f"[\"']{re.escape(beginning)}", source)) > 1, beginning  # once in the table


def test_reasons_are_few() -> None:
    """A refusal of an app's own class has the word of ours, and what was sent makes no other word."""

    class OutOfTown(MalformedRequest):
        pass

    assert reason_of(OutOfTown("city")) == "malformed-request"
    assert reason_of(errors.NotJSON()) == "not-json"
    assert reason_of(ResponseRejected("client data has origin 'AAGUID signature counter'")) == "origin"
    assert reason_of(ResponseRejected("something new")) == "response"
    assert {reason_of(kind("x")) for kind in _kinds()} <= REASONS and len(REASONS) < 50


def _kinds() -> list[type[Refusal]]:
    found = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Refusal)]
    return [kind for kind in found if kind is not Refusal]


def test_own_views_are_counted(metrics: Metrics, site: App) -> None:
    """A ceremony that a view of the app runs counts like one of our routes, whoever answers a refusal."""

    @site.app.put("/own")
    def own_begin() -> dict[str, Any]:
        begun = site.passkey.relying_party.begin_sign_in(site.passkey.visitor())
        return {"session_id": begun.ceremony_id}

    @site.app.post("/own")
    def own_finish() -> dict[str, Any]:
        site.passkey.relying_party.finish_sign_in(site.passkey.visitor(), "unknown", {})
        return {}

    client = site.app.test_client()
    client.put("/own")
    assert client.post("/own").status_code == 404
    client.get("/user/authn")
    assert metrics.counts("passkey.begins") == {("sign-in", 0): 1}
    assert metrics.counts("passkey.finishes") == {("unknown", 404, "ceremony-not-found"): 1}


# Durations


def test_durations_are_measured(metrics: Metrics) -> None:
    """Begins and finishes have a histogram of seconds, with boundaries for milliseconds."""
    site, ada = make_app(), VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    sign_in(site.app.test_client(), ada)
    found = metrics.read()["passkey.ceremony.duration"]
    assert found.unit == "s" and isinstance(found.data, Histogram)
    labelled = [(dict(point.attributes or {}), point) for point in found.data.data_points]
    points = {(labels["passkey.phase"], labels["passkey.purpose"]): point for labels, point in labelled}
    assert set(points) == {(phase, purpose) for phase in ("begin", "finish") for purpose in ("sign-up", "sign-in")}
    for point in points.values():
        assert tuple(point.explicit_bounds) == BOUNDARIES
        assert point.count == 1 and 0 < point.sum < 10


def test_nothing_personal_is_an_attribute(metrics: Metrics) -> None:
    """After 200 bent requests the attributes are those of the document, and their values few and known."""
    Fuzzer(seed=7).run(200)
    codes = {0, *(kind.code for kind in _kinds())}
    seen = 0
    for name in ("passkey.begins", "passkey.finishes", "passkey.ceremony.duration"):
        for labels, _ in metrics.points(name):
            seen += 1
            assert labels.pop("passkey.purpose") in PURPOSES
            assert labels.pop("passkey.code") in codes
            assert labels.pop("passkey.reason", "response") in REASONS
            assert labels.pop("passkey.phase", "begin") in ("begin", "finish")
            assert not labels
    assert seen > 10


# Where it is not used


def test_is_optional() -> None:
    """An app that does not use OpenTelemetry works without it, and does not import it even where it is installed."""
    code = """
import sys
if sys.argv[1] == "missing":
    sys.modules["opentelemetry"] = sys.modules["opentelemetry.metrics"] = None
from apps import SITE, make_app
from flask_passkey.testing import VirtualAuthenticator, sign_up
site = make_app()
sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
assert not [name for name, found in sys.modules.items() if found and name.startswith("opentelemetry.")]
assert "passkey_telemetry" not in site.app.extensions
"""
    for how in ("missing", "installed"):
        env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"}
        subprocess.run([sys.executable, "-c", code, how], check=True, env=env, cwd=ROOT)


def test_the_api_alone_costs_nothing() -> None:
    """Where a library has brought the API along, and nobody has set an SDK up, nothing of a request is noted."""
    site, ada = make_app(), VirtualAuthenticator(SITE)
    noted = []
    with signals.registered.connected_to(lambda *_, **__: noted.append(progress.current()), site.app):
        sign_up(site.app.test_client(), ada, "ada")
    assert "opentelemetry.metrics" in sys.modules and "passkey_telemetry" not in site.app.extensions
    assert noted == [None]


def test_the_page_sets_it_up() -> None:
    """With the code of docs/operate/metrics.md before the first request an app prints its metrics at the end."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    code = f"""{block}
from apps import SITE, make_app
from flask_passkey.testing import VirtualAuthenticator, sign_up
sign_up(make_app().app.test_client(), VirtualAuthenticator(SITE), "ada")
"""
    env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], check=True, env=env, cwd=ROOT, capture_output=True, text=True)
    assert '"passkey.finishes"' in done.stdout


# The dashboard and the document


def prometheus_names(metrics: Metrics) -> set[str]:
    """Return what Prometheus calls the metrics: with units and types at the end."""
    names = set[str]()
    for name, metric in metrics.read().items():
        base = name.replace(".", "_")
        kinds = ("bucket", "count", "sum") if isinstance(metric.data, Histogram) else ("total",)
        names |= {f"{base}_seconds_{kind}" if metric.unit == "s" else f"{base}_{kind}" for kind in kinds}
    return names


def queries() -> list[str]:
    """Return every query of the dashboard."""
    targets = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [target["expr"] for target in targets]


def test_dashboard_uses_names_that_exist(metrics: Metrics) -> None:
    """Each metric and each label in the dashboard is one that the app has, and none of its metrics is left out."""
    site, ada = make_app(), VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    site.app.test_client().put("/session/authn", json={"step_up": True})
    labels = {
        label.replace(".", "_")
        for name in metrics.read()
        for attributes, _ in metrics.points(name)
        for label in attributes
    }
    words = {word for query in queries() for word in re.findall(r"passkey_\w+", query)}
    known = prometheus_names(metrics)
    assert words <= known | labels
    assert {name.removesuffix("_bucket") for name in words & known} >= {
        "passkey_begins_total",
        "passkey_finishes_total",
        "passkey_ceremony_duration_seconds",
    }


def test_dashboard_can_be_imported() -> None:
    """Every panel has a title, a place, and queries to the data source that the import asks for."""
    assert DASHBOARD["__inputs"][0]["pluginId"] == "prometheus"
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in DASHBOARD["panels"]:
        assert panel["title"] and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["datasource"]["uid"] == "${DS_PROMETHEUS}" and panel["targets"]


def test_document_lists_them(metrics: Metrics) -> None:
    """docs/operate/metrics.md has every metric with its name in Prometheus, and every reason."""
    sign_up(make_app().app.test_client(), VirtualAuthenticator(SITE), "ada")
    for name, metric in metrics.read().items():
        assert f"| `{name}` |" in DOCUMENT and metric.description
    for name in prometheus_names(metrics):
        assert name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") in DOCUMENT
    assert set(re.findall(r"`([a-z-]+)`", DOCUMENT.partition("## Reasons")[2])) >= REASONS
