"""Commands that measure: evaluate, and evaluate --identify."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.artifact.kinds import COVER, SOUND
from engine.cli.kinds import artifact_of_kind, check_options
from engine.cli.terminal import (
    Bar,
    Commands,
    add_artifact,
    add_json,
    print_json,
    program,
    refuse_usage,
    whole,
)
from engine.vectors.tuning import RECALL

# What a share is called: of covers found first, of the exact neighbours found, of strangers let in.
GOOD_RECALL, FAIR_RECALL = 0.95, 0.8
FAIR_AGREEMENT = 0.9
# Options that an artifact of covers alone has a use for.
OF_COVERS = ("--queries", "--identify", "--strangers", "--no-covers", "--photos", "--distractors")
GOOD_ACCEPTS, FAIR_ACCEPTS = 0.01, 0.05

if TYPE_CHECKING:
    from engine.covers.search import CoverSearch
    from engine.covers.trials.identify import Trial
    from engine.covers.trials.search import Report


def offer_evaluate(commands: Commands) -> None:
    made = commands.add(
        "evaluate",
        _evaluate,
        "Of covers: recall by distortion, agreement, false accepts, latency. Of tracks: identified "
        "by noise and length, strangers, places, likeness.",
        "artifacts/mine --sample 50",
        "artifacts/mine --queries my-photos --plots plots",
        "artifacts/mine --identify --json",
        "artifacts/mine --photos my-photos --pairs pairs.csv",
    )
    add_artifact(made)
    made.add_argument(
        "--queries", type=Path, metavar="DIR", help="your own photos, named after cover or id"
    )
    made.add_argument("--plots", type=Path, metavar="DIR", help="draw recall by distortion there")
    made.add_argument(
        "--identify", action="store_true", help="try identify instead, on photos and strangers"
    )
    made.add_argument(
        "--strangers", type=Path, metavar="DIR", help="covers the catalogue lacks, for --identify"
    )
    made.add_argument(
        "--no-covers", type=Path, metavar="DIR", help="pictures of no cover, for --identify"
    )
    made.add_argument(
        "--photos",
        type=Path,
        metavar="DIR",
        help="with --pairs: try identify on real photos, each with its album and without",
    )
    made.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="CSV of photo,cover[,kind]: a file below --photos, and its cover's file or album's id",
    )
    made.add_argument(
        "--distractors",
        type=_number_or_folder,
        default=0,
        metavar="N|DIR",
        help="with --identify: among N times as many covers more, mixed from the artifact's own, "
        "or among those in a folder",
    )
    made.add_argument(
        "--condition",
        action="append",
        default=[],
        metavar="WORD",
        help="with --identify: only conditions with this in their name, such as 'mixed'; repeat it",
    )
    made.add_argument(
        "--sample",
        type=whole(1, 10**9),
        default=200,
        help="albums a distortion, or tracks (default: 200)",
    )
    made.add_argument(
        "--seed", type=whole(0, 2**32 - 1), default=0, help="of what is drawn (default: 0)"
    )
    add_json(made)


def _evaluate(options: argparse.Namespace) -> int:
    folder, kind = artifact_of_kind(options)
    check_options(options, kind, {COVER: OF_COVERS, SOUND: ()}, options.artifact)
    options.sample = options.sample or (60 if kind == SOUND else 200)
    if kind == SOUND:
        return _try_sound(options, folder)
    from engine.covers.search import CoverSearch
    from engine.covers.trials.search import evaluate, plot, plot_tuning

    search = CoverSearch.open(folder)
    if (options.photos is None) != (options.pairs is None):
        refuse_usage("--photos and --pairs go together: the photos, and which cover each shows")
    if options.photos:
        return _try_photos(options, search)
    if options.identify:
        return _try_identify(options, search)
    with Bar() as bar:
        report = evaluate(
            search, queries=options.queries, sample=options.sample, seed=options.seed, progress=bar
        )
    if options.plots:
        print(f"drew {plot(report, options.plots)}", file=sys.stderr)
        if search.index.tuning is not None and search.index.tuning.curve:
            print(f"drew {plot_tuning(search.index.tuning, options.plots)}", file=sys.stderr)
    if options.json:
        print_json(report.as_dict())
    else:
        _tell(report)
    return 0


def _try_sound(options: argparse.Namespace, folder: Path) -> int:
    from engine.sound.search import SoundSearch
    from engine.sound.trials.identify import plot
    from engine.sound.trials.report import evaluate_sound, tell

    search = SoundSearch.open(folder, threads=1)
    with Bar() as bar:
        report = evaluate_sound(search, sample=options.sample, seed=options.seed, progress=bar)
    if options.plots:
        print(f"drew {plot(report.identify, options.plots / 'identified.png')}", file=sys.stderr)
    if options.json:
        print_json(report.as_dict())
    else:
        tell(report)
    return 0


def _tell(report: Report) -> None:
    print(
        f"artifact {report.artifact}, {report.albums:,} albums, {report.encoder} on "
        f"{report.runtime} ({report.precision})"
    )
    print(f"{'distortion':<14}{'queries':>8}{'recall@1':>10}{'@5':>8}{'@50':>8}")
    for name, row in report.recall.items():
        print(f"{name:<14}{row.queries:>8}{row.at_1:>10.3f}{row.at_5:>8.3f}{row.at_50:>8.3f}")
    print(f"agreement with exact search (recall@10): {report.agreement_at_10:.4f}")
    if report.same_top_1_as_fp32 is not None:
        print(f"the same first album as by torch in float32: {report.same_top_1_as_fp32:.4f}")
    if report.threshold is not None and report.false_accepts is not None:
        print(
            f"false accepts: {report.false_accepts:.3f} of strangers pass the similarity "
            f"{report.threshold:.3f} that 95 % of right answers pass"
        )
    times = ", ".join(f"{name} {value:.2f} ms" for name, value in report.latency_ms.items())
    print(f"median latency: {times}")
    for line in judged(report):
        print(line)


def judged(report: Report) -> Iterator[str]:
    """Whether the figures are good, and what to do where they are not."""
    found = {name: row.at_1 for name, row in report.recall.items() if row.queries}
    if found:
        worst = min(found, key=lambda name: found[name])
        word = _word(found[worst], GOOD_RECALL, FAIR_RECALL)
        way = "" if word == "good" else "; identify, which compares details, finds more"
        yield f"recall@1 is {word}: at worst {found[worst]:.3f}, for {worst}{way}"
    word = _word(report.agreement_at_10, RECALL, FAIR_AGREEMENT)
    way = "" if word == "good" else f"; `{program()} compact` can be asked for more"
    yield f"the index is {word}: {report.agreement_at_10:.1%} of what exact search finds{way}"
    if report.false_accepts is not None:
        word = _word(1 - report.false_accepts, 1 - GOOD_ACCEPTS, 1 - FAIR_ACCEPTS)
        way = (
            "min_score tells strangers apart"
            if word == "good"
            else "similarity alone does not tell strangers apart; identify does, by details"
        )
        yield f"false accepts are {word}: {way}"


def _word(figure: float, good: float, fair: float) -> str:
    return "good" if figure >= good else "fair" if figure >= fair else "poor"


def _try_identify(options: argparse.Namespace, search: CoverSearch) -> int:
    from engine.covers.trials.identify import CONDITIONS, run_trial

    wanted = [name for name in CONDITIONS if any(word in name for word in options.condition)]
    if options.condition and not wanted:
        refuse_usage(f"--condition must be part of one of: {'; '.join(CONDITIONS)}")
    with Bar() as bar:
        trial = run_trial(
            search,
            strangers=options.strangers,
            no_covers=options.no_covers,
            sample=options.sample,
            distractors=options.distractors,
            seed=options.seed,
            conditions=wanted or tuple(CONDITIONS),
            progress=bar,
        )
    return _tell_trial(options, trial)


def _try_photos(options: argparse.Namespace, search: CoverSearch) -> int:
    from engine.covers.trials.photos import read_pairs, run_photos

    pairs = read_pairs(options.photos, options.pairs, search.catalogue)
    with Bar() as bar:
        return _tell_trial(options, run_photos(search, pairs, seed=options.seed, progress=bar))


def _tell_trial(options: argparse.Namespace, trial: Trial) -> int:
    from engine.covers.trials.identify import plot, table

    if options.plots:
        print(f"drew {plot(trial, options.plots / 'reliability.png')}", file=sys.stderr)
    if options.json:
        print_json(trial.as_dict())
    else:
        table(trial)
    return 0


def _number_or_folder(value: str) -> int | Path:
    return int(value) if value.isdecimal() else Path(value)
