# SPDX-License-Identifier: Apache-2.0
"""How a run of distillation ends: check the student, show the run on a page, store the version."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.pipeline import Run
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.bundle_check import BundleCheck, check_bundle
from partdistill_ros.evaluation.run_page import write_run_page
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.bundle_store import BundleStore
from partdistill_ros.options import options_of

REPORT = "report.html"


@dataclass(frozen=True)
class Finalized:
    """bundle: where it lies in the end.  check: its record.  active: whether this version
    is the store's current one; None without a store.  verdict: what became of it, a sentence."""

    bundle: Bundle
    page: Path
    check: dict[str, object]
    active: bool | None
    verdict: str


def finalize(run: Run, config: DistillConfig, store: Path | None, report: Callable[[Progress], None]) -> Finalized:
    """Check, report and, with a store, adopt.

    Raises PartDistillError for a student that cannot be used; it stays where it was written.
    """
    known = None if store is None else BundleStore(store)
    name = config.out.parent.name if known else config.out.name
    before = (known.current(name) if known else None) or "default"
    made = Bundle.load(run.bundle)
    query = "; ".join(f"{category}: {', '.join(parts)}" for category, parts in made.categories.items())
    check = check_bundle(run.bundle, before, run.samples, query, report)
    verdict = _verdict(check)
    page = write_run_page(
        run.work / REPORT,
        f"Distillation of {name}",
        reported_options(config),
        run,
        check,
        verdict,
    )
    if known is None:
        return Finalized(made, page, check.record(), None, verdict)
    return _stored(known, name, made, check, page, verdict)


def reported_options(config: DistillConfig) -> dict[str, object]:
    """The options of a run, for its page: every option but where its files lie."""
    return {one.name: one.default for one in options_of(config) if one.name not in ("scans", "out")}


def _stored(store: BundleStore, name: str, made: Bundle, check: BundleCheck, page: Path, verdict: str) -> Finalized:
    """The same student again (a goal that was repeated after its end) makes no other version."""
    current = store.current(name)
    if current is not None and _same_student(current, made):
        shutil.rmtree(made.path)
        words = f"the active student, {name} {current.name}, is the same: no new version. {verdict}"
        return Finalized(Bundle.load(current), current / REPORT, check.record(), True, words)
    shutil.copyfile(page, made.path / REPORT)
    path = store.adopt(name, made.path)
    if check.problem is None:
        store.set_current(name, path.name)
        words = f"{name} {path.name} is active. {verdict}"
    else:
        words = (
            f"{name} {path.name} is stored and not made active: {check.problem}. To use it all the same: "
            f"partdistill bundles rollback {store.root} {name} --to {path.name}"
        )
    return Finalized(Bundle.load(path), path / REPORT, check.record(), check.problem is None, words)


def _same_student(stored: Path, made: Bundle) -> bool:
    try:
        return Bundle.load(stored).checksums == made.checksums
    except PartDistillError:
        return False  # a damaged version must not lose the student that was just trained


def _verdict(check: BundleCheck) -> str:
    if check.problem is not None:
        return f"look closely at this student: {check.problem}"
    words = f"checked: it agrees with {100 * check.new.overall:.1f} % of what the teacher saw"
    if check.before is None:
        return f"{words}; the student before cannot be compared"
    return f"{words}, '{check.before.name}' before it with {100 * check.before.overall:.1f} %"
