"""What the commands do with tracks: build, add, remove, verify, query, identify.

The options are offered by their commands, which tell kinds apart (`kinds`).
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.base.texts import in_one_line
from engine.cli.terminal import Bar, print_json, program, tell
from engine.sound.advice import LEAST_S

if TYPE_CHECKING:
    from engine.sound.audio import Samples
    from engine.sound.catalogue import Track
    from engine.sound.identify import Verdict
    from engine.sound.making.assemble import Built
    from engine.sound.search import SoundHit

# Of a file that is asked about, so much is looked at; more of it is not decoded.
LISTENS_S = 60.0
REASONS = {
    "too_short": f"too short: play {LEAST_S:g} s or more",
    "too_quiet": "too quiet to tell",
    "no_agreement": "none of the tracks agrees with it",
}


def build_tracks(options: argparse.Namespace) -> int:
    from engine.sound.making.assemble import Wish
    from engine.sound.making.build import build

    with Bar() as bar:
        built = build(
            options.tracks,
            options.out,
            metadata=options.metadata,
            encoder=options.encoder or "musicnn",
            wish=Wish(options.audio or "opus", options.index, options.recall, options.card),
            workers=options.workers,
            force=options.force,
            progress=bar,
        )
    return _report(options, built)


def add_tracks(options: argparse.Namespace, folder: Path) -> int:
    from engine.sound.making.assemble import Wish
    from engine.sound.making.revise import add

    with Bar() as bar:
        built = add(
            folder,
            options.tracks,
            options.out,
            metadata=options.metadata,
            wish=Wish(options.audio or "opus"),
            workers=options.workers,
            force=options.force,
            progress=bar,
        )
    return _report(options, built)


def remove_tracks(options: argparse.Namespace, folder: Path, track_ids: list[int]) -> int:
    from engine.sound.making.revise import remove

    with Bar() as bar:
        built = remove(folder, track_ids, options.out, force=options.force, progress=bar)
    return _report(options, built)


def verify_tracks(options: argparse.Namespace, folder: Path) -> int:
    from engine.sound.search import SoundSearch

    search = SoundSearch.open(folder)
    search.artifact.verify_rest()
    manifest = search.artifact.manifest
    files, tracks = len(manifest.files), manifest.catalogue.tracks
    tell(
        options,
        {"artifact": manifest.id, "files": files, "tracks": tracks, "verified": True},
        f"{manifest.id}: {files} files, {tracks:,} tracks and every golden clip are as the "
        "manifest says",
    )
    return 0


def query_tracks(options: argparse.Namespace, folder: Path) -> int:
    from engine.sound.search import SoundSearch, Wanted
    from engine.sound.service.asking import refuse_short, refuse_silent

    samples = None if options.sound is None else read_sound(options.sound)
    if samples is not None:
        refuse_short(samples)
        refuse_silent(samples)
    search, wanted = SoundSearch.open(folder), Wanted(k=options.k)
    if samples is not None:
        hits = search.alike(samples, wanted)
    else:
        hits = search.by_text(options.text, wanted)
    if options.json:
        print_json([_row_of(hit) for hit in hits])
        return 0
    print(f"{'similarity':>10}  {'track':>8}")
    for hit in hits:
        print(f"{hit.similarity:10.3f}  {hit.track.track_id:>8}  {_words(hit.track)}")
    return 0


def identify_tracks(options: argparse.Namespace, folder: Path) -> int:
    from engine.sound.search import SoundSearch

    samples = read_sound(options.sound)
    search = SoundSearch.open(folder)
    verdict = search.identify(samples)
    candidates = [found.track_id for found in verdict.candidates]
    if options.json:
        print_json(_row_of_verdict(verdict, candidates))
        return 0
    _tell(verdict, search.catalogue.get(candidates[:3]))
    return 0


def read_sound(path: Path) -> Samples:
    """The first minute of a recording. Raises what `decode` raises, and `BuildError`."""
    from engine.base.errors import BuildError
    from engine.sound.audio import decode

    try:
        return decode(path, first_s=LISTENS_S, name=path.name)
    except OSError as error:
        raise BuildError(f"{path} cannot be read: {error.strerror}.") from error


def _row_of(hit: SoundHit) -> dict[str, Any]:
    track = hit.track
    return {
        "track_id": track.track_id,
        "similarity_score": hit.similarity,
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "genre": track.genre,
    }


def _row_of_verdict(verdict: Verdict, candidates: list[int]) -> dict[str, Any]:
    best = verdict.best
    return {
        "decision": verdict.decision,
        "confidence": verdict.confidence,
        "reason": verdict.reason,
        "track_id": None if best is None else best.track_id,
        "evidence": None
        if best is None
        else {
            "offset_s": best.offset_s,
            "votes": best.votes,
            "clip_s": verdict.clip_s,
            "speed": best.speed,
        },
        "candidates": candidates,
    }


def _tell(verdict: Verdict, known: Mapping[int, Track]) -> None:
    """A verdict in a line or two; `known` are the tracks of its best candidates."""
    best = verdict.best
    if best is None:
        nearest = "; ".join(f"{i} {_words(track)}" for i, track in known.items())
        said = REASONS.get(verdict.reason or "", "")
        near = f"; most alike: {nearest}" if nearest else ""
        print(f"{verdict.decision:<9}  {verdict.confidence:.3f}  {said}{near}")
        return
    print(f"match      {verdict.confidence:.3f}  {best.track_id} {_words(known[best.track_id])}")
    print(
        f"           from {clock(best.offset_s)} on, {verdict.clip_s:.1f} s of it; {best.votes} of "
        f"{best.windows} half seconds agree; speed {best.speed:.3f}"
    )


def clock(seconds: float) -> str:
    """A place in a track, as players show it.

    >>> clock(72.4), clock(-1.2)
    ('1:12.4', '-0:01.2')
    """
    tenths = round(abs(seconds) * 10)
    sign = "-" if seconds < 0 and tenths else ""
    return f"{sign}{tenths // 600}:{tenths % 600 / 10:04.1f}"


def _words(track: Track) -> str:
    named = " – ".join(part for part in (track.artist, track.title) if part)
    about = ", ".join(str(part) for part in (track.genre, track.year) if part)
    return in_one_line((named or track.file or "untitled") + (f" ({about})" if about else ""))


def _report(options: argparse.Namespace, built: Built) -> int:
    manifest = built.manifest
    counts = manifest.catalogue
    result = {
        "path": str(built.path),
        "artifact": manifest.id,
        "tracks": counts.tracks,
        "genres": counts.genres,
        "audio": counts.audio,
        "encoder": manifest.encoder.name,
        "index": manifest.index.kind,
        "dimension": manifest.index.dimension,
        "heard": built.heard,
        "skipped": [{"file": file, "reason": reason} for file, reason in built.skipped],
    }
    tell(
        options,
        result,
        f"{built.path}: artifact {manifest.id}, {counts.tracks:,} tracks in {counts.genres} "
        f"genres, {counts.audio:,} with audio, {manifest.encoder.name} of "
        f"{manifest.index.dimension} dimensions, {built.heard:,} files heard, "
        f"{len(built.skipped):,} skipped",
        f"next: {program()} serve {shlex.quote(str(built.path))}",
    )
    return 0
