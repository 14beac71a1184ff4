"""`python -m engine COMMAND`: make, check, search and measure artifacts.

Exit status: 0, 1 for a named failure, 2 for bad usage. Progress bars appear on a terminal alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from engine.base.errors import BuildError, ShazamError

if TYPE_CHECKING:
    from engine.base.progress import Progress
    from engine.covers.making.assemble import Built
    from engine.covers.search import CoverSearch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    # A command that computes on this machine must not stop to ask a hub for news.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except ShazamError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 1
    except OSError as error:
        # A full disk, a folder without permission: named by the system, told without a trace.
        print(f"system: {error}", file=sys.stderr)
        return 1


def _build(options: argparse.Namespace) -> int:
    from engine.covers.making.build import build

    with _Bar() as bar:
        built = build(
            options.covers,
            options.out,
            ray=options.ray,
            metadata=options.metadata,
            encoder=options.encoder,
            index=options.index,
            recall=options.recall,
            precision=options.precision,
            card=options.card,
            force=options.force,
            progress=bar,
        )
    return _report(built)


def _import(options: argparse.Namespace) -> int:
    from engine.covers.making.import_pair import import_pair

    if options.index_file is None:
        _usage("import needs --index FILE, the FAISS index you hold")

    with _Bar() as bar:
        built = import_pair(
            options.index_file,
            options.metadata,
            options.out,
            encoder=options.encoder,
            genres=options.genres,
            index=options.index_kind,
            recall=options.recall,
            precision=options.precision,
            force=options.force,
            progress=bar,
        )
    return _report(built)


def _add(options: argparse.Namespace) -> int:
    from engine.covers.making.revise import add

    with _Bar() as bar:
        built = add(
            _folder(options.artifact),
            options.covers,
            options.out,
            metadata=options.metadata,
            force=options.force,
            progress=bar,
        )
    return _report(built)


def _remove(options: argparse.Namespace) -> int:
    from engine.covers.making.revise import remove

    ids = [_album_id(part) for text in options.ids for part in text.split(",") if part.strip()]
    return _report(remove(_folder(options.artifact), ids, options.out, force=options.force))


def _compact(options: argparse.Namespace) -> int:
    from engine.covers.making.revise import compact

    return _report(
        compact(
            _folder(options.artifact),
            options.out,
            index=options.index,
            recall=options.recall,
            force=options.force,
        )
    )


def _inspect(options: argparse.Namespace) -> int:
    from engine.covers.manifest import read_manifest

    folder = _folder(options.artifact)
    read_manifest(folder)  # refuses what is no manifest, by name
    raw = json.loads((folder / "manifest.json").read_bytes())
    print(json.dumps(raw, indent=2, ensure_ascii=False))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from engine.covers.search import CoverSearch

    search = CoverSearch.open(_folder(options.artifact))
    search.artifact.verify_rows()
    manifest = search.artifact.manifest
    print(
        f"{manifest.id}: {len(manifest.files)} files, {manifest.catalogue.albums:,} albums and "
        "every golden query are as the manifest says"
    )
    return 0


def _serve(options: argparse.Namespace) -> int:
    from engine.serving.process.launch import serve

    return serve(options.host, options.port)


def _query(options: argparse.Namespace) -> int:
    from engine.covers.question import Wanted
    from engine.covers.search import CoverSearch

    search = CoverSearch.open(_folder(options.artifact))
    wanted = Wanted(k=options.k)
    if options.image:
        try:
            data = options.image.read_bytes()
        except OSError as error:
            raise BuildError(f"{options.image} cannot be read: {error.strerror}.") from error
        hits = search.by_image(data, wanted)
    else:
        hits = search.by_text(options.text, wanted)
    if options.json:
        rows = [
            {
                "album_id": hit.album.album_id,
                "genre_id": hit.album.genre_id,
                "similarity_score": hit.similarity,
                "title": hit.album.title,
                "artist": hit.album.artist,
                "genre": hit.album.genre,
            }
            for hit in hits
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    for hit in hits:
        album = hit.album
        words = " – ".join(part for part in (album.artist, album.title) if part) or "untitled"
        genre = f" ({album.genre})" if album.genre else ""
        print(f"{hit.similarity:6.3f}  {album.album_id:>8}  {words}{genre}")
    return 0


def _identify(options: argparse.Namespace) -> int:
    from engine.covers.identify.identifier import Identifier
    from engine.covers.search import CoverSearch

    search = CoverSearch.open(_folder(options.artifact))
    try:
        data = options.image.read_bytes()
    except OSError as error:
        raise BuildError(f"{options.image} cannot be read: {error.strerror}.") from error
    answers = Identifier.open(search).by_image(data, many=options.many)
    if options.json:
        rows = [
            {
                "decision": answer.decision,
                "confidence": answer.confidence,
                "album_id": answer.album_id,
                "inliers": answer.inliers,
                "quad": None if answer.quad is None else answer.quad.tolist(),
                "candidates": [near.album_id for near in answer.candidates],
            }
            for answer in answers
        ]
        print(json.dumps(rows, indent=2))
        return 0
    for answer in answers:
        known = search.catalogue.albums([near.album_id for near in answer.candidates])
        shown = [answer.album_id] if answer.album_id is not None else list(known)
        words = {
            "match": "",
            "ambiguous": "one of: ",
            "no_match": "not in the catalogue; most alike: ",
        }[answer.decision]
        names = "; ".join(
            f"{i} " + " – ".join(part for part in (known[i].artist, known[i].title) if part)
            for i in shown[:3]
        )
        print(f"{answer.decision:<9}  {answer.confidence:.3f}  {words}{names}")
        if answer.quad is not None:
            corners = ", ".join(f"({x:.0f}, {y:.0f})" for x, y in answer.quad)
            print(f"           {answer.inliers} inliers; its corners lie at {corners}")
    if not answers:
        print("no sleeve found")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from engine.covers.search import CoverSearch
    from engine.covers.trials.search import evaluate, plot, plot_tuning

    search = CoverSearch.open(_folder(options.artifact))
    if options.identify:
        return _try_identify(options, search)
    with _Bar() as bar:
        report = evaluate(
            search, queries=options.queries, sample=options.sample, seed=options.seed, progress=bar
        )
    if options.plots:
        print(f"drew {plot(report, options.plots)}", file=sys.stderr)
        if search.index.tuning is not None and search.index.tuning.curve:
            print(f"drew {plot_tuning(search.index.tuning, options.plots)}", file=sys.stderr)
    if options.json:
        print(json.dumps(report.as_dict(), indent=2))
        return 0
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
    return 0


def _try_identify(options: argparse.Namespace, search: CoverSearch) -> int:
    from engine.covers.trials.identify import CONDITIONS, plot, run_trial, table

    wanted = [name for name in CONDITIONS if any(word in name for word in options.condition)]
    if options.condition and not wanted:
        _usage(f"--condition must be part of one of: {'; '.join(CONDITIONS)}")
    with _Bar() as bar:
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
    if options.plots:
        print(f"drew {plot(trial, options.plots / 'reliability.png')}", file=sys.stderr)
    if options.json:
        print(json.dumps(trial.as_dict(), indent=2))
    else:
        table(trial)
    return 0


def _publish(options: argparse.Namespace) -> int:
    from engine.artifact.store import publish

    if options.index:
        return _publish_index(options)
    tag = publish(_folder(options.artifact), serving=options.serving)
    latest = tag.partition(":")[0] + ":latest"
    print(f"published {tag}; serve it with SHAZAM_ARTIFACT={tag} (or {latest})")
    return 0


def _publish_index(options: argparse.Namespace) -> int:
    from engine.covers.artifact import Artifact
    from engine.vectors.publishing import publish_index

    artifact = Artifact.open(_folder(options.artifact))
    with _Bar() as bar:
        told = publish_index(artifact, options.index, bar.step)
    searched = (
        f"{told.nprobe} of {told.lists:,} lists a search, recall@10 {told.recall:.3f}"
        if told.lists
        else "few enough to compare all"
    )
    print(
        f"published {told.rows:,} rows as {told.table}, {told.added:,} of them now; {searched}; "
        f"serve it with SHAZAM_INDEX={options.index}"
    )
    return 0


def _pack(options: argparse.Namespace) -> int:
    from engine.artifact.pack import pack

    if options.without_index and not options.serving:
        _usage("pack --without-index makes a serving copy; add --serving")
    digest = pack(
        _folder(options.artifact),
        options.out,
        serving=options.serving,
        without_index=options.without_index,
        force=options.force,
    )
    if digest is None:
        print(f"{options.out}: serve it with SHAZAM_ARTIFACT={options.out}")
        return 0
    print(f"{options.out}: {options.out.stat().st_size / 1e6:,.1f} MB")
    print(f"upload it, and serve it with SHAZAM_ARTIFACT=URL#sha256={digest}")
    return 0


def _folder(where: str) -> Path:
    from engine.artifact.remote import is_url
    from engine.artifact.store import find_artifact

    if not is_url(where):
        return find_artifact(where)
    with _Bar() as bar:
        return find_artifact(where, lambda done, total: bar.step(done, total or done, "B"))


def _album_id(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        _usage(f"--ids {text!r} is not a number; give album ids such as 3,17")


def _usage(message: str) -> NoReturn:
    print(f"python -m engine: {message}", file=sys.stderr)
    raise SystemExit(2)


def _number_or_folder(value: str) -> int | Path:
    return int(value) if value.isdecimal() else Path(value)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {low} to {high}")
        return number

    return whole


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.5 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share, 0.5 to 1")
    return share


def _engine(text: str) -> str:
    from engine.base.settings import OWN_INDEX, VARIABLES

    try:
        where = str(VARIABLES["index"].parse(text))
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"{text!r} {problem}") from None
    if where == OWN_INDEX:
        raise argparse.ArgumentTypeError("the artifact holds its own index already")
    return where


def _report(built: Built) -> int:
    manifest = built.manifest
    print(
        f"{built.path}: artifact {manifest.id}, {manifest.catalogue.albums:,} albums in "
        f"{manifest.catalogue.genres} genres, {manifest.index.kind} index of "
        f"{manifest.index.dimension} dimensions, {built.embedded:,} covers embedded, "
        f"{len(built.skipped):,} files skipped"
    )
    return 0


_KINDS = ("auto", "keep", "flat", "hnsw", "ivf")


class _IndexOption(argparse.Action):
    """`import` takes --index twice: the file that is read, and the kind that is made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.default = argparse.SUPPRESS

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, value: Any, _option: str | None = None
    ) -> None:
        if value in _KINDS and not Path(value).is_file():
            namespace.index_kind = value
        else:
            namespace.index_file = Path(value)


class _Bar:
    """`engine.base.progress.Progress` on a terminal; elsewhere only the remarks are printed."""

    def __enter__(self) -> Progress:
        from engine.base.progress import Progress

        bar = self
        self._bar: Any = None
        self._what = ""

        class Drawn(Progress):
            def step(self, done: int, total: int, what: str) -> None:
                bar.step(done, total, what)

            def remark(self, line: str) -> None:
                bar.remark(line)

        return Drawn()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, done: int, total: int, what: str) -> None:
        from tqdm import tqdm

        if self._bar is not None and self._what != what:
            self._bar.close()
            self._bar = None
        if self._bar is None:
            self._what = what
            self._bar = tqdm(total=total, unit=f" {what}", disable=None, file=sys.stderr)
        self._bar.update(done - self._bar.n)

    def remark(self, line: str) -> None:
        if self._bar is not None and not self._bar.disable:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    from engine.base.settings import DEFAULT_ENCODER
    from engine.base.version import VERSION

    parser = argparse.ArgumentParser(
        prog="python -m engine",
        description="Make, check, search and measure artifacts: which album is this?",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run, index_file=None, index_kind="auto")
        return made

    def artifact(made: argparse.ArgumentParser) -> None:
        made.add_argument(
            "artifact",
            metavar="ARTIFACT",
            help="a folder, a tag such as shazam-visual:latest, or a URL with #sha256=…",
        )

    def serving(made: argparse.ArgumentParser) -> None:
        made.add_argument(
            "--serving",
            action="store_true",
            help="a serving copy: without the weights that the exported CPU runtime does not need",
        )

    def encoder(made: argparse.ArgumentParser) -> None:
        made.add_argument(
            "--encoder",
            default=DEFAULT_ENCODER,
            metavar="DIR|HUB_ID",
            help="a CLIP folder or hub id (default: %(default)s)",
        )
        made.add_argument(
            "--precision",
            choices=("auto", "fp32", "bf16", "int8"),
            default="auto",
            help="of the encoder when it serves (default: what agrees with fp32 and is fastest)",
        )

    def recall(made: argparse.ArgumentParser) -> None:
        made.add_argument(
            "--recall",
            type=_share,
            default=0.98,
            metavar="R",
            help="what an inverted file is tuned to find of the exact ten nearest, 0.5 to 1 "
            "(default: %(default)s)",
        )

    def out(made: argparse.ArgumentParser) -> None:
        made.add_argument("--out", type=Path, required=True, metavar="DIR")
        made.add_argument("--force", action="store_true", help="replace the artifact at --out")

    def covers(made: argparse.ArgumentParser) -> None:
        made.add_argument("--covers", required=True, metavar="DIR|s3://…")
        made.add_argument(
            "--metadata",
            type=Path,
            metavar="FILE",
            help=".csv, .jsonl or .parquet with a column 'file'; joined by file name",
        )

    made = command("build", _build, "A folder of covers to an artifact.")
    covers(made)
    encoder(made)
    made.add_argument(
        "--index", dest="index", choices=("auto", "flat", "hnsw", "ivf"), default="auto"
    )
    recall(made)
    made.add_argument(
        "--ray",
        metavar="auto|ADDRESS",
        help="embed on a Ray cluster; auto: the one there is, else this machine's cores",
    )
    made.add_argument("--card", type=Path, metavar="FILE.md", help="a text kept as its README.md")
    out(made)

    made = command("import", _import, "An existing FAISS index and metadata.pkl to an artifact.")
    made.add_argument(
        "--index",
        action=_IndexOption,
        required=True,
        metavar="FILE|KIND",
        help="your index file; given a second time, the kind to make: " + ", ".join(_KINDS),
    )
    made.add_argument("--metadata", type=Path, required=True, metavar="FILE.pkl")
    recall(made)
    made.add_argument("--genres", type=Path, metavar="FILE", help="genre names: JSON or lines")
    encoder(made)
    out(made)

    made = command("add", _add, "Further covers to a new version; nothing is embedded twice.")
    artifact(made)
    covers(made)
    out(made)

    made = command("remove", _remove, "A new version without some albums.")
    artifact(made)
    made.add_argument("--ids", nargs="+", required=True, metavar="ID", help="3 17 or 3,17")
    out(made)

    made = command("compact", _compact, "Train and tune the index again, on the rows it holds.")
    artifact(made)
    made.add_argument("--index", choices=("auto", "flat", "hnsw", "ivf"), default="auto")
    recall(made)
    out(made)

    made = command("inspect", _inspect, "Print the manifest.")
    artifact(made)

    made = command("verify", _verify, "Check every hash, count and golden query.")
    artifact(made)

    made = command("serve", _serve, "Serve the artifact that SHAZAM_ARTIFACT names.")
    made.add_argument("--host", default="0.0.0.0", help="address to listen at (default: all)")
    made.add_argument(
        "--port", type=_whole(1, 65_535), default=3000, metavar="N", help="default: 3000"
    )

    made = command("query", _query, "Search without a server.")
    artifact(made)
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", type=Path, metavar="FILE")
    what.add_argument("--text")
    made.add_argument(
        "-k", type=_whole(1, 100), default=5, metavar="N", help="1 to 100 (default: 5)"
    )
    made.add_argument("--json", action="store_true")

    made = command("identify", _identify, "Which album a photo shows: match, ambiguous, no_match.")
    artifact(made)
    made.add_argument("--image", type=Path, required=True, metavar="FILE")
    made.add_argument("--many", action="store_true", help="every sleeve in the photo")
    made.add_argument("--json", action="store_true")

    made = command("evaluate", _evaluate, "Recall by distortion, agreement, false accepts, latency")
    artifact(made)
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
        "--sample", type=_whole(1, 10**9), default=200, help="albums a distortion (default: 200)"
    )
    made.add_argument("--seed", type=_whole(0, 2**32 - 1), default=0)
    made.add_argument("--json", action="store_true")

    made = command("publish", _publish, "Into the BentoML model store, as shazam-visual:<id>.")
    artifact(made)
    serving(made)
    made.add_argument(
        "--index",
        type=_engine,
        metavar="lancedb:URL",
        help="its index alone, into LanceDB at a folder or a URL, for SHAZAM_INDEX",
    )

    made = command("pack", _pack, "To one file for SHAZAM_ARTIFACT=URL#sha256=…, or to a folder.")
    artifact(made)
    serving(made)
    made.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE.tar|DIR",
        help="a tar where the name ends in .tar, else a folder",
    )
    made.add_argument(
        "--without-index",
        action="store_true",
        help="of a serving copy, for SHAZAM_INDEX: its rows are in an engine",
    )
    made.add_argument("--force", action="store_true", help="replace what is at --out")
    return parser
