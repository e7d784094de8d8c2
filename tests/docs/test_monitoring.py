"""The dashboard for Grafana and the files for Prometheus ask for what a server exposes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it publishes no types

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "handfed.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "handfed.rules.yml").read_text(encoding="utf-8"))
CONFIGURATION = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
ENDINGS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
OF_PROMETHEUS = {"up": {"job"}}
OF_SCRAPES = {"instance", "job"}
SELECTOR = re.compile(r"\b((?:handfed|process)_\w+|up)\b(?:\{([^}]*)\})?")
GRID = 24


def series() -> dict[str, set[str]]:
    """By name of a series, the labels that it has, as the page of metrics tells; a server is compared with that."""
    found: dict[str, set[str]] = dict(OF_PROMETHEUS)
    for line in (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines():
        if line.startswith(("| `handfed_", "| `process_")):
            name, kind, labels = (cell.strip() for cell in line.split("|")[1:4])
            has = {each.strip("` ") for each in labels.split(",") if each.strip()}
            for ending in ENDINGS.get(kind, ("",)):
                found[name.strip("`") + ending] = has | ({"le"} if ending == "_bucket" else set())
    return found


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (variable["definition"] for variable in DASHBOARD["templating"]["list"] if "definition" in variable)
    yield from (rule["expr"] for group in RULES["groups"] for rule in group["rules"])


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_metric_and_label_that_is_asked_for_is_exposed(expression: str) -> None:
    known = series()
    asked = SELECTOR.findall(expression)
    assert asked
    for name, selector in asked:
        assert name in known, name
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert labels <= known[name] | OF_SCRAPES, (name, labels)
    grouped = {each.strip() for part in re.findall(r"\bby \(([^)]*)\)", expression) for each in part.split(",")}
    assert grouped <= set().union(*(known[name] for name, _ in asked)) | OF_SCRAPES


def test_legends_name_labels_that_their_metrics_have() -> None:
    known = series()
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            has = set().union(*(known[name] for name, _ in SELECTOR.findall(target["expr"])))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= has, panel["title"]


def test_the_dashboard_can_be_imported() -> None:
    assert (DASHBOARD["uid"], DASHBOARD["title"]) == ("handfed", "Handfed")
    assert isinstance(DASHBOARD["schemaVersion"], int)
    assert "id" not in DASHBOARD  # which a Grafana gives
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] in {"stat", "timeseries", "table"}
        assert panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters))


def test_panels_lie_in_the_grid_and_none_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= GRID
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_variables_that_are_used_are_there() -> None:
    named = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"])))
    assert used == named == {"datasource", "instance"}


def test_rules_have_what_prometheus_asks_for() -> None:
    rules: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]


def test_where_two_metrics_are_combined_it_is_said_by_which_labels() -> None:
    for expression in expressions():
        for word in (" and ", " or ", " unless "):
            assert all(rest.startswith("on (") for rest in expression.split(word)[1:]), expression


def test_the_configuration_shows_a_token_and_trusts_the_federation_alone() -> None:
    (job,) = CONFIGURATION["scrape_configs"]
    assert CONFIGURATION["rule_files"] == ["handfed.rules.yml"]
    assert (job["job_name"], job["scheme"]) == ("handfed", "https")
    assert "credentials_file" in job["authorization"]
    assert set(job["tls_config"]) == {"ca_file"}
