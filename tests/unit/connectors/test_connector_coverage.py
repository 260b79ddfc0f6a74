"""The count of what others' manifests declare sees what can't be declared here, and nothing in what can."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "connector_coverage.py"
MANIFEST = """
definitions:
  requester: {type: HttpRequester, url_base: "https://{{ config['site'] }}.example", authenticator: {type: BearerAuthenticator}}
  child:
    type: SubstreamPartitionRouter
    parent_stream_configs: [{type: ParentStreamConfig, parent_key: id, stream: {$ref: "#/definitions/parent"}}]
  grandchild:
    type: SubstreamPartitionRouter
    parent_stream_configs: [{type: ParentStreamConfig, parent_key: id, stream: {$ref: "#/definitions/inner"}}]
  inner:
    type: DeclarativeStream
    name: inner
    retriever: {type: SimpleRetriever, requester: {$ref: "#/definitions/requester"}, partition_router: [{$ref: "#/definitions/child"}]}
  parent: {type: DeclarativeStream, name: outer, retriever: {type: SimpleRetriever, requester: {$ref: "#/definitions/requester"}}}
streams:
- type: DeclarativeStream
  name: tickets
  retriever:
    type: SimpleRetriever
    requester: {$ref: "#/definitions/requester", request_parameters: {since: "{{ SINCE }}", fields: "{{ ','.join(config.a) }}"}}
    record_selector: {type: RecordSelector, extractor: {type: DpathExtractor}, record_filter: {type: RecordFilter, condition: "{{ FILTER }}"}}
    paginator: {type: DefaultPaginator, pagination_strategy: {type: STRATEGY, cursor_value: "{{ NEXT }}", stop_condition: "{{ STOP }}"}}
    partition_router: [{$ref: "#/definitions/child"}, ROUTER]
  incremental_sync: {type: DatetimeBasedCursor, start_datetime: "{{ day_delta(-30) }}", lookback_window: LOOKBACK}
"""
PLAIN = {
    "SINCE": "stream_slice['start_time'] + 'Z'",
    "FILTER": "record.updated >= stream_state.get('updated', config.start)",
    "STRATEGY": "CursorPagination",
    "NEXT": "response.at + response.size",
    "STOP": "not response.next",
    "ROUTER": "{type: ListPartitionRouter, values: [a, b]}",
    "LOOKBACK": "P3D",
}


def found(folder: Path, **other: str) -> set[str]:
    """What of the manifest's stream can't be declared, with something of it in another way."""
    spec = importlib.util.spec_from_file_location("connector_coverage", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = MANIFEST
    for name, value in {**PLAIN, **other}.items():
        text = text.replace(name, value)
    (folder / "desk.yaml").write_text(text)
    ((name, stream),) = module.streams(folder / "desk.yaml")
    assert name == "tickets"
    return module.missing(stream)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"SINCE": "now_utc().strftime('%Y-%m-%d') if not config.since else day_delta(-7, format='%Y-%m-%d')"},
        {"SINCE": "timestamp(config.since) * 1000"},
        {"FILTER": "record.id in config.ids or not config.ids"},
        {"LOOKBACK": "\"P{{ config['days'] or 5 }}D\""},
        {"STOP": "config.once or not response.next"},
        {"STOP": "response.page > config.pages - 1"},
        {"NEXT": "response.page + 1"},
        {"SINCE": "(next_page_token['next_page_token'] or 0) + 1"},
        {"SINCE": "config.country.replace('global', '')"},
        {"FILTER": "record.at >= now }}{% set at = stream_state.at or config.start %}{{ record.at > at or not at"},
        {"STRATEGY": "TokenBased"},
        {"day_delta(-30)": "max(day_delta(-365), config.since) if config.since else day_delta(-365)"},
        {"ROUTER": '{$ref: "#/definitions/grandchild"}'},
    ],
)
def test_a_stream_that_can_be_declared_lacks_nothing(other, tmp_path):
    """References are followed, and what is said in another way here is no lack."""
    assert found(tmp_path, **other) == set()


@pytest.mark.parametrize(
    ("other", "lacks"),
    [
        ({"SINCE": "now_utc().strftime('%-d.%m.%Y')"}, "request: strftime()"),
        ({"SINCE": "config.since.rstrip('/')"}, "request: rstrip()"),
        ({"SINCE": "config.count * 2"}, "request: arithmetic"),
        ({"SINCE": "timestamp(config.since) * 60"}, "request: arithmetic"),
        ({"SINCE": "response.size + 1"}, "request: arithmetic"),
        ({"STOP": "response.page > config.pages - 2"}, "stop: arithmetic"),
        ({"STOP": "response.page < config.pages - 1"}, "stop: arithmetic"),
        ({"FILTER": "record.a }}{% set b = record.c %}{{ b"}, "filter: statements"),
        ({"FILTER": "record.id.replace('a', '') in config.ids"}, "filter: replace()"),
        ({"NEXT": "response.next or config.next"}, "paging: over config"),
        ({"FILTER": "record.at == now_utc()"}, "filter: now_utc()"),
        ({"STRATEGY": "CustomPaginationStrategy"}, "CustomPaginationStrategy"),
        ({"STRATEGY": "NobodysPagination"}, "NobodysPagination"),
        ({"ROUTER": '{$ref: "#/definitions/child"}'}, "combinations of two parents"),
        ({"LOOKBACK": "\"P{{ config['days'] }}DT{{ config.hours }}H\""}, "duration: of another text"),
    ],
)
def test_what_cannot_be_declared_is_named(other, lacks, tmp_path):
    """Each of these is told, alone."""
    assert found(tmp_path, **other) == {lacks}
