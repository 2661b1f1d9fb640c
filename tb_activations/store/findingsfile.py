"""The findings file of a run: what rules of the user found in the process that trained, for readers that don't have these rules.

The one invariant: what `read_findings` returns is what ``docs/format.md`` allows, whoever wrote the file, or it raises. What a finding means is
not known here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

from tb_activations.store.atomic import write_whole
from tb_activations.store.container import violation
from tb_activations.store.jsonfile import check_created, read_created, read_object, time_after
from tb_activations.store.names import FINDINGS_NAME
from tb_activations.store.schema import FORMAT, FORMAT_VERSION, QUANTITIES, SEVERITIES, RecordedFinding

__all__ = ["FindingsFile", "join_findings", "read_findings", "write_findings"]

MAX_BYTES = 4 << 20
MAX_RULES = 256
MAX_FINDINGS = 1000
MAX_EVIDENCE = 64
MAX_TEXT = 4000
"""Characters of one text; a longer one is cut when it is written."""
_MAX_TITLE = 200
_MAX_STEP = 2**53
_RULE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TEXTS = ("rule", "title", "node", "statistic", "sentence", "remedy", "code")
_NOT_IN_JSON = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True, slots=True)
class FindingsFile:
    """What one session found.

    Attributes:
      created: seconds since the epoch.
      rules: name of each rule that was evaluated -> its title.
      findings: in the order in which they were found.
    """

    created: float
    rules: Mapping[str, str]
    findings: tuple[RecordedFinding, ...]


def join_findings(files: Sequence[FindingsFile]) -> FindingsFile:
    """What the files of several sessions say together, the newest first: of each rule what the newest says that knows it."""
    rules: dict[str, str] = {}
    findings: list[RecordedFinding] = []
    for file in files:
        findings += [finding for finding in file.findings if finding["rule"] not in rules]
        rules = {**file.rules, **rules}
    return FindingsFile(max((file.created for file in files), default=0.0), rules, tuple(findings))


def write_findings(path: Path, rules: Mapping[str, str], findings: Sequence[RecordedFinding]) -> None:
    """Writes the file, whole or not at all. Of more findings than a file may hold the first ones stay.

    Raises:
      OSError: it could not be written.
    """
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "created": time_after(_created_before(path)),
        "rules": {name: title[:_MAX_TITLE] for name, title in [*rules.items()][:MAX_RULES]},
    }
    encoded = [_encode(finding) for finding in findings[:MAX_FINDINGS]]
    sizes = accumulate((len(json.dumps(finding)) + 2 for finding in encoded), initial=len(json.dumps({**content, "findings": []})))
    fitting = sum(size <= MAX_BYTES for size in sizes) - 1
    with write_whole(path) as file:
        file.write(json.dumps({**content, "findings": encoded[:fitting]}, allow_nan=False).encode("ascii"))


def _created_before(path: Path) -> Iterator[float]:
    """When the findings before were written: once this session has a file, it says so for all of them."""
    files = [path] if path.exists() else [other for other in path.parent.iterdir() if FINDINGS_NAME.fullmatch(other.name)]
    return read_created(files, "findings", MAX_BYTES)


def _encode(finding: RecordedFinding) -> dict[str, Any]:
    texts = {name: _cut(cast(Mapping[str, str], finding)[name]) for name in _TEXTS}
    evidence = {_cut(name): _number(value) for name, value in [*finding["evidence"].items()][:MAX_EVIDENCE]}
    return {**finding, **texts, "evidence": evidence}


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _number(value: float | int | str) -> float | int | str:
    if isinstance(value, str):
        return _cut(value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def read_findings(path: Path) -> FindingsFile:
    """Reads and checks a findings file.

    Raises:
      FormatError: it violates ``docs/format.md``.
      VersionError: it was written in a newer version of the format.
    """
    if not FINDINGS_NAME.fullmatch(path.name):
        raise violation("findings_name", FINDINGS_NAME.pattern, name=path.name)
    content = read_object(path, "findings", MAX_BYTES)
    created = check_created(content.get("created"))
    rules = _check_rules(content.get("rules"))
    found = content.get("findings")
    if not isinstance(found, list) or len(found) > MAX_FINDINGS:
        raise violation("bad_findings", f"a list of at most {MAX_FINDINGS} findings", findings=type(found).__name__)
    return FindingsFile(created, rules, tuple(_check_finding(each, rules) for each in found))


def _check_rules(rules: object) -> dict[str, str]:
    if not isinstance(rules, dict) or len(rules) > MAX_RULES:
        raise violation("bad_rules", f"an object of at most {MAX_RULES} rules", rules=type(rules).__name__)
    for name, title in rules.items():
        if not _RULE.fullmatch(name) or not _is_text(title):
            raise violation("bad_rule", f"{_RULE.pattern} and its title", name=name, title=title)
    return rules


def _check_finding(finding: object, rules: Mapping[str, str]) -> RecordedFinding:
    if not isinstance(finding, dict):
        raise violation("finding_not_object", "a JSON object", finding=finding)
    for name in _TEXTS:
        if not _is_text(finding.get(name)):
            raise violation("bad_finding", f"{name!r} as text of at most {MAX_TEXT} characters", received=finding.get(name))
    choices = {"rule": rules, "quantity": QUANTITIES, "severity": SEVERITIES}
    for name, choice in choices.items():
        if finding.get(name) not in tuple(choice):
            raise violation("bad_finding", f"{name!r} of {', '.join(choice)}", received=finding.get(name))
    first, last = finding.get("first_step"), finding.get("last_step")
    if not _is_step(first) or not (last is None or (_is_step(last) and last >= first)):
        raise violation("bad_finding", "steps in order", first_step=first, last_step=last)
    texts = {name: finding[name] for name in (*_TEXTS, "quantity", "severity")}
    return cast(RecordedFinding, {**texts, "first_step": first, "last_step": last, "evidence": _check_evidence(finding.get("evidence"))})


def _check_evidence(evidence: object) -> dict[str, float | int | str]:
    if not isinstance(evidence, dict) or len(evidence) > MAX_EVIDENCE:
        raise violation("bad_evidence", f"an object of at most {MAX_EVIDENCE} numbers", evidence=type(evidence).__name__)
    for name, value in evidence.items():
        if not _is_text(name) or not (_is_text(value) or _is_number(value)):
            raise violation("bad_evidence", "numbers or texts", name=name, value=value)
    return {name: _NOT_IN_JSON.get(value, value) if isinstance(value, str) else value for name, value in evidence.items()}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_number(value: object) -> bool:
    return type(value) is float or (type(value) is int and abs(value) <= _MAX_STEP)


def _is_step(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_STEP
