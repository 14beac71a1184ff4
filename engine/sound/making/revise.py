"""An artifact → a new version of it: tracks added, tracks removed."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.artifact.folder import refuse_existing, staging
from engine.base.errors import BuildError
from engine.base.files import file_sha256, link
from engine.base.progress import Progress
from engine.sound.artifact import SoundArtifact
from engine.sound.catalogue import (
    SoundCatalogue,
    Track,
    as_bytes,
    write_catalogue,
    write_waveforms,
)
from engine.sound.fingerprint.files import decoded
from engine.sound.fingerprint.index import FingerprintIndex
from engine.sound.making.assemble import (
    Built,
    Material,
    Remembered,
    Wish,
    digest_of,
    give_audio,
)
from engine.sound.making.audio import Mode
from engine.sound.making.build import made_by
from engine.sound.making.listening import Ears, TrackFile, Workspace, listen
from engine.sound.making.metadata import Planned
from engine.sound.manifest import (
    CALIBRATION,
    CATALOGUE,
    ENCODER,
    FINGERPRINT,
    FINGERPRINTS,
    GOLDEN,
    INDEX,
    STANDARD,
    WAVEFORMS,
    CatalogueEntry,
    Inputs,
    Parts,
    SoundManifest,
    write_manifest,
)
from engine.sound.opening import open_encoder_of, open_fingerprinter, open_standard
from engine.tables.folders import list_folder
from engine.vectors.index import Index
from engine.vectors.making import revise_index


def add(
    source: Path,
    tracks: Path,
    out: Path,
    *,
    metadata: Path | None = None,
    wish: Wish = Wish(),
    workers: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """An artifact and a folder of further recordings → a new artifact; old ids stay what they were.

    Only the new files are heard; they are standardised and judged as those of the artifact are. A
    file whose bytes the artifact holds already is named and skipped.
    """
    progress = progress or Progress()
    refuse_existing(out, force=force)
    old = _open_complete(source)
    if not tracks.is_dir():
        raise BuildError(f"{tracks} is not a folder. Give --tracks a folder of recordings.")
    listed = list_folder(tracks, (metadata, source, out), progress)
    catalogue = old.open_catalogue()
    files, known = _without_known(listed.files, catalogue, progress)
    ids = catalogue.ids()
    planned = Planned(
        [name for name, _ in listed.files],
        metadata,
        progress,
        first_id=int(ids.max(initial=-1)) + 1,
        taken=ids.tolist(),
        genres=[genre.genre for genre in catalogue.genres()],
    )
    with staging(out, force=force) as folder:
        _keep(old, folder)
        ears = Ears(open_fingerprinter(old), open_encoder_of(old))
        with Workspace(out, made_by(folder), ears.fingerprinter.dimension) as work:
            fresh, unreadable = listen(files, ears, work, progress, workers=workers)
            skipped = (*listed.skipped, *unreadable, *known)
            if not fresh:
                raise BuildError(f"{tracks} holds no new recording, so there is nothing to add.")
            told = [(f, work.of(f.digest)) for f in fresh]
            new = planned.tracks([(f.name, f.digest, h.told, h.duration_s) for f, h in told])
            by_id = sorted(zip(new, fresh, strict=True), key=lambda pair: pair[0].track_id)
            change = _Change((), Material(by_id, work, ears))
            manifest = _revise(old, catalogue, folder, change, wish.audio, progress)
            work.finished = True
    return Built(out, manifest, skipped, work.heard)


def add_heard(
    source: Path,
    tracks: Sequence[tuple[Track, TrackFile]],
    heard: Remembered,
    out: Path,
    *,
    gone: Collection[int] = (),
    audio: Mode = "opus",
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """An artifact and tracks that its own networks have heard → a new artifact, without those that
    are `gone`. Their ids are none of the artifact's. Raises `BuildError`."""
    refuse_existing(out, force=force)
    old = _open_complete(source)
    catalogue = old.open_catalogue()
    if not tracks and not gone:
        raise BuildError("There is nothing to add and nothing to take away.")
    by_id = sorted(tracks, key=lambda pair: pair[0].track_id)
    change = _Change(tuple(sorted(gone)), Material(by_id, heard, None) if by_id else None)
    with staging(out, force=force) as folder:
        _keep(old, folder)
        manifest = _revise(old, catalogue, folder, change, audio, progress or Progress())
    return Built(out, manifest)


def remove(
    source: Path,
    track_ids: Sequence[int],
    out: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """An artifact without these tracks; nothing is heard, the other ids stay what they were."""
    refuse_existing(out, force=force)
    old = _open_complete(source)
    catalogue = old.open_catalogue()
    gone = sorted(set(track_ids))
    unknown = np.setdiff1d(np.array(gone, object), catalogue.ids())
    if len(unknown):
        raise BuildError(f"There is no track {unknown[0]} in {source}; nothing was removed.")
    if len(gone) == len(catalogue):
        raise BuildError("That would remove every track; an artifact holds at least one.")
    with staging(out, force=force) as folder:
        _keep(old, folder)
        change = _Change(tuple(gone), None)
        manifest = _revise(old, catalogue, folder, change, "none", progress or Progress())
    return Built(out, manifest)


@dataclass(frozen=True)
class _Change:
    """The ids that go, and what comes."""

    gone: tuple[int, ...]
    fresh: Material | None


def _without_known(
    files: Sequence[tuple[str, Path]], catalogue: SoundCatalogue, progress: Progress
) -> tuple[list[tuple[str, Path]], list[tuple[str, str]]]:
    """The files whose bytes no track of the catalogue has; the others with the reason."""
    known = {track.digest: track.track_id for track in catalogue if track.digest}
    fresh, skipped = [], []
    for name, path in files:
        try:
            track_id = known.get(file_sha256(path))
        except OSError:
            track_id = None  # hearing it will name it
        if track_id is None:
            fresh.append((name, path))
            continue
        reason = f"the same bytes are track {track_id} already"
        progress.remark(f"skipped {name}: {reason}")
        skipped.append((name, reason))
    return fresh, skipped


def _open_complete(source: Path) -> SoundArtifact:
    """The artifact to make another version of. Raises `BuildError` for a copy without its audio,
    which the new version would lack for good."""
    artifact = SoundArtifact.open(source)
    if artifact.manifest.serving_copy:
        raise BuildError(
            f"{source} is a copy that some files were left out of. Change the full artifact and "
            "make the copy again with `python -m engine pack`."
        )
    return artifact


def _keep(old: SoundArtifact, folder: Path) -> None:
    """What does not change with the tracks."""
    for name in (ENCODER, FINGERPRINT):
        shutil.copytree(old.path / name, folder / name, copy_function=link)
    for name in (STANDARD, CALIBRATION):
        if name in old.manifest.files:
            link(old.path / name, folder / name)
    card = old.path / "README.md"
    if card.is_file():
        shutil.copyfile(card, folder / card.name)


def _revise(
    old: SoundArtifact,
    catalogue: SoundCatalogue,
    folder: Path,
    change: _Change,
    audio: Mode,
    progress: Progress,
) -> SoundManifest:
    """Another artifact's files, changed, into a staged folder that holds what does not change."""
    index = _revised_index(old, folder, change, progress)
    fingerprinted = _revise_fingerprints(old, folder, change, progress)
    kept = [track for track in catalogue if track.track_id not in set(change.gone)]
    for track in kept:
        if track.audio is not None:
            (folder / track.audio).parent.mkdir(parents=True, exist_ok=True)
            link(old.path / track.audio, folder / track.audio)
    fresh, tagged, drawn = [], [], []
    if change.fresh is not None:
        fresh = give_audio(folder, change.fresh.tracks, audio, progress)
        tagged = list(change.fresh.with_tags(fresh))
        drawn = list(change.fresh.waveforms())
    rows = sorted(
        [*((track, catalogue.tags(track.track_id)) for track in kept), *tagged],
        key=lambda row: row[0].track_id,
    )
    count, genres = write_catalogue(folder / CATALOGUE, rows)
    waveforms = write_waveforms(folder / WAVEFORMS, [*_drawn(catalogue, kept), *drawn])
    if not waveforms:
        (folder / WAVEFORMS).unlink()
    old.golden().without(change.gone).write(folder / GOLDEN)
    told = old.manifest
    counts = CatalogueEntry(
        tracks=count,
        genres=genres,
        waveforms=waveforms,
        audio=sum(track.audio is not None for track, _ in rows),
    )
    parts = Parts(
        window_s=told.fingerprint.window_s,
        step_s=told.fingerprints.step_s,
        network_dimension=told.fingerprint.dimension,
        fingerprinted=fingerprinted,
        encoder_name=told.encoder.name,
        encoder_kind=told.encoder.kind,
        tags=told.encoder.tags,
        index=index,
        catalogue=counts,
        inputs=Inputs(tracks=digest_of(track for track, _ in rows)),
    )
    return write_manifest(folder, parts)


def _drawn(catalogue: SoundCatalogue, tracks: Sequence[Track]) -> Iterator[tuple[int, bytes]]:
    for track in tracks:
        peaks = catalogue.peaks(track.track_id)
        if peaks is not None:
            yield track.track_id, as_bytes(peaks)


def _revised_index(old: SoundArtifact, folder: Path, change: _Change, progress: Progress) -> Index:
    vectors = np.zeros((0, old.manifest.index.dimension), np.float32)
    ids = np.zeros(0, np.int64)
    if change.fresh is not None:
        vectors, ids = open_standard(old).apply(change.fresh.raw()), change.fresh.ids
    gone = np.array(change.gone, np.int64)
    before = old.open_index(mapped=False)
    index, _ = revise_index(before, folder, gone, vectors, ids, progress)
    index.write(folder / INDEX)
    return index


def _revise_fingerprints(
    old: SoundArtifact, folder: Path, change: _Change, progress: Progress
) -> int:
    """Write the fingerprints that are left and those that come; returns of how many tracks."""
    prints = FingerprintIndex.open(old.fingerprints_folder)
    prints.remove(change.gone)
    if change.fresh is not None:
        for track, file in change.fresh.tracks:
            prints.add(track.track_id, decoded(change.fresh.work.of(file.digest).prints))
    prints.write(folder / FINGERPRINTS, progress)
    return len(prints)
