"""Rebuilds a run from what survived: its `run.jsonl` and the spools of its workers."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glm_locust.errors import ConfigError, GlmLocustError
from glm_locust.records import RequestRecord, RunFooter, RunHeader, decode_line, encode_line
from glm_locust.sinks import FOOTER_FILE, RESERVE_FILE, RUN_FILE, SPOOL_DIRECTORY, lines_of_run

PARTIAL_SUFFIX = ".recovering"


@dataclass(slots=True)
class Recovery:
    """What a recovery found."""

    footer: RunFooter
    kept: int
    """Records that the run had already."""
    recovered: int
    """Records that only a spool had."""
    changed: bool
    """False: the run was whole, and nothing was written."""


@dataclass(slots=True)
class _Survey:
    """Everything readable, each record once."""

    header: RunHeader | None = None
    footer: RunFooter | None = None
    seqs: dict[str, set[int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    last_ns: int = 0
    unreadable: int = 0

    def is_new(self, record: RequestRecord) -> bool:
        """Whether this is the first time; counts it then."""
        seen = self.seqs.setdefault(record.worker_id, set())
        if record.seq in seen:
            return False
        seen.add(record.seq)
        self.counts[record.outcome] += 1
        self.last_ns = max(self.last_ns, record.finished_ns)
        return True


def recover(run_dir: Path, spools: Iterable[Path] = ()) -> Recovery:
    """Put every finished request into `run.jsonl` exactly once, and a footer at its end.

    Looks for spools in the run's own directory too; a directory stands for the `.jsonl` files in
    it. The old file is replaced only when the new one is whole. Raises ConfigError where there is
    no run or no such spool.
    """
    files = list(_spool_files(run_dir, spools))
    survey = _Survey()
    target = run_dir / RUN_FILE
    if not target.is_file():
        raise ConfigError(f"{run_dir}: expected the directory of a run, it holds no {RUN_FILE}")
    partial = run_dir / (RUN_FILE + PARTIAL_SUFFIX)
    try:
        with partial.open("wb") as file:
            for line in _run_lines(run_dir, survey):
                file.write(line)
            kept = survey.counts.total()
            assert survey.header is not None
            for spool in files:
                for line in _spool_lines(spool, survey.header.run_id, survey):
                    file.write(line)
            recovered = survey.counts.total() - kept
            footer = _footer(survey, recovered, {spool.stem for spool in files})
            file.write(encode_line(footer))
            file.flush()
            os.fsync(file.fileno())
        changed = survey.footer is None or recovered > 0
        if changed:
            partial.replace(target)
            (run_dir / FOOTER_FILE).unlink(missing_ok=True)
            (run_dir / RESERVE_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise GlmLocustError(f"cannot write {partial}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
    return Recovery(footer, kept, recovered, changed)


def _spool_files(run_dir: Path, spools: Iterable[Path]) -> Iterator[Path]:
    own = run_dir / SPOOL_DIRECTORY
    for path in [*([own] if own.is_dir() else []), *spools]:
        if path.is_dir():
            yield from sorted(path.glob("*.jsonl"))
        elif path.is_file():
            yield path
        else:
            raise ConfigError(f"{path}: expected a spool file or a directory of spool files")


def _run_lines(run_dir: Path, survey: _Survey) -> Iterator[bytes]:
    for number, data in enumerate(lines_of_run(run_dir), start=1):
        line = _decoded(data)
        if number == 1:
            if not isinstance(line, RunHeader):
                raise ConfigError(f"{run_dir / RUN_FILE}: line 1: expected the header of a run")
            survey.header = line
            yield data
        elif isinstance(line, RunFooter):
            survey.footer = line
        elif isinstance(line, RequestRecord):
            if survey.header is not None and line.run_id == survey.header.run_id and survey.is_new(line):
                yield data
        else:
            survey.unreadable += 1


def _spool_lines(spool: Path, run_id: str, survey: _Survey) -> Iterator[bytes]:
    with spool.open("rb") as file:
        for data in file:
            line = _decoded(data)
            if not isinstance(line, RequestRecord):
                survey.unreadable += 1
            elif line.run_id == run_id and survey.is_new(line):
                yield data


def _decoded(data: bytes) -> object:
    """The line, or None for one that was cut off or damaged."""
    if not data.endswith(b"\n"):
        return None
    try:
        return decode_line(data)
    except GlmLocustError:
        return None


def _footer(survey: _Survey, recovered: int, spooled: set[str]) -> RunFooter:
    old = survey.footer
    assert survey.header is not None
    accounts: dict[str, dict[str, Any]] = dict(old.workers) if old is not None else {}
    notes = list(old.notes) if old is not None else []
    for worker, seqs in survey.seqs.items():
        account = accounts.get(worker, {})
        missing = max(seqs, default=0) - len(seqs)
        was_lost = bool(account.get("lost"))
        accounts[worker] = {
            **account,
            "records": len(seqs),
            "lost": missing > 0 or (was_lost and worker not in spooled),
        }
        if missing:
            notes.append(f"{missing} records of worker {worker} are missing")
    if recovered or old is None:
        notes.append(f"recovered: {recovered} records came from spools")
    if survey.unreadable:
        notes.append(f"{survey.unreadable} lines were cut off or damaged")
    if old is None and survey.header.workload.get("arrivals") is not None:
        notes.append("how many arrivals were dropped is not known")
    return RunFooter(
        run_id=survey.header.run_id,
        ended_ns=old.ended_ns if old is not None else survey.last_ns or survey.header.started_ns,
        reason=old.reason if old is not None else "crashed",
        partial=True,
        counts={"ok": 0, "failed": 0, "cancelled": 0} | dict(survey.counts),
        arrivals=old.arrivals if old is not None else None,
        workers=accounts,
        locust_requests=old.locust_requests if old is not None else None,
        notes=tuple(notes),
    )
