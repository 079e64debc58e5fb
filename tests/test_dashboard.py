"""The queries of the dashboard and of the alarms ask for what the app measures."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from test_docs import ROOT
from test_telemetry import PURPOSES

from flask_passkey import errors
from flask_passkey.errors import Refusal
from flask_passkey.telemetry import REASONS

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "passkey.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
DOCUMENT = (ROOT / "docs" / "operate" / "metrics.md").read_text("utf-8")
(ALARMS,) = re.findall(r"^```text\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]] + ALARMS.replace(
    "\n  /", " /"
).splitlines()

#: What each label may be. Prometheus itself adds ``job`` and, for histograms, ``le``.
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Refusal)]
CODES = {0, *(kind.code for kind in KINDS if kind is not Refusal)}
VALUES = {
    "passkey_purpose": PURPOSES,
    "passkey_code": {str(code) for code in CODES},
    "passkey_reason": REASONS,
    "passkey_phase": {"begin", "finish"},
}
COUNTED = {"passkey_purpose", "passkey_code", "passkey_reason", "job"}
LABELS = {
    "passkey_begins_total": COUNTED,
    "passkey_finishes_total": COUNTED,
    "passkey_ceremony_duration_seconds_bucket": {"passkey_phase", "passkey_purpose", "passkey_code", "job", "le"},
}
SELECTOR = re.compile(r"\b(passkey_\w+)\{(.*?)\}")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"(.*?)"')
#: What Grafana puts in by itself.
BUILT_IN = {"__rate_interval"}
UNITS = {"short", "percentunit", "s", "reqps"}


@pytest.mark.parametrize("query", QUERIES)
def test_labels_are_those_of_the_metric(query: str) -> None:
    """Each metric is asked only for labels that it has, with values that occur."""
    selectors = SELECTOR.findall(query)
    assert len(selectors) == len(re.findall(r"\bpasskey_\w+(?:_total|_bucket)\b", query)) > 0
    for metric, matchers in selectors:
        for label, how, value in MATCHER.findall(matchers):
            assert label in LABELS[metric]
            if label != "job":
                assert any(re.fullmatch(value, known) for known in VALUES[label]), (label, value)
                assert how == "=~" or value in VALUES[label]


@pytest.mark.parametrize("query", QUERIES)
def test_groups_are_those_of_the_metric(query: str) -> None:
    """What is summed is told apart by labels that the metric has; a quantile needs the boundaries."""
    metrics = {metric for metric, _ in SELECTOR.findall(query)}
    grouped = {label.strip() for labels in re.findall(r"\bby \((.*?)\)", query) for label in labels.split(",")}
    assert all(grouped <= LABELS[metric] for metric in metrics)
    assert ("le" in grouped) == any(metric.endswith("_bucket") for metric in metrics)


def test_legends_name_what_is_told_apart() -> None:
    """A legend shows labels that are left after the sum."""
    for panel in PANELS:
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = "".join(re.findall(r"\bby \((.*?)\)", target["expr"]))
            assert shown <= set(re.findall(r"\w+", grouped))


def test_variables_are_defined() -> None:
    """Every variable of a query is the dashboard's or Grafana's, and every data source is asked for by the import."""
    defined = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = {name for query in QUERIES for name in re.findall(r"\$(\w+)", query)}
    assert defined <= used <= defined | BUILT_IN
    inputs = {each["name"] for each in DASHBOARD["__inputs"]}
    assert set(re.findall(r"\$\{(\w+)\}", json.dumps(DASHBOARD))) == inputs


def test_panels_are_as_grafana_has_them() -> None:
    """Each panel's type is asked for by the import, its unit is one of Grafana's, and no panel covers another."""
    asked = {each["id"] for each in DASHBOARD["__requires"] if each["type"] == "panel"}
    assert {panel["type"] for panel in PANELS} == asked
    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS} <= UNITS
    covered: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & covered, panel["title"]
        covered |= cells
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
