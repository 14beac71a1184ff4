"""Files of tracks, and a table about them → an artifact.

Everything here ends in `assemble`: a folder is staged, hashed and renamed. Files are heard through
the same audio, network and encoder as serving does.
"""

from __future__ import annotations

from pathlib import Path

from engine.artifact.folder import list_files, refuse_existing, staging
from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.sound.encoder.folder import open_encoder
from engine.sound.fingerprint.network import Fingerprinter
from engine.sound.making.assemble import Built, Material, Wish, assemble
from engine.sound.making.encoder import MUSICNN, save_encoder
from engine.sound.making.listening import Ears, Workspace, listen
from engine.sound.making.metadata import Planned
from engine.sound.manifest import ENCODER, FINGERPRINT, digest_in
from engine.tables.folders import list_folder


def build(
    tracks: Path,
    out: Path,
    *,
    metadata: Path | None = None,
    encoder: str = MUSICNN,
    wish: Wish = Wish(),
    workers: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """A folder of recordings → an artifact at `out`.

    Files are taken in order of their relative path, which gives the track ids. A file that cannot
    be heard is named and skipped. The table is read and checked whole before anything is heard.
    Interrupted, the same command goes on where it stopped: what is heard waits in a work file
    beside `out`. Raises `BuildError`.
    """
    progress = progress or Progress()
    refuse_existing(out, force=force)
    if not tracks.is_dir():
        raise BuildError(f"{tracks} is not a folder. Give --tracks a folder of recordings.")
    listed = list_folder(tracks, (metadata, wish.card, out), progress)
    planned = Planned([name for name, _ in listed.files], metadata, progress)
    with staging(out, force=force) as folder:
        ears = _give_ears(folder, encoder)
        with Workspace(out, made_by(folder), ears.fingerprinter.dimension) as work:
            good, unreadable = listen(listed.files, ears, work, progress, workers=workers)
            skipped = (*listed.skipped, *unreadable)
            if not good:
                raise BuildError(
                    f"{tracks} holds no recording we can read ({len(skipped)} files skipped). Give "
                    "a folder of MP3, FLAC, Ogg, M4A or WAV files."
                )
            planned.tell_missing([file.name for file in good], progress)
            heard = [(f, work.of(f.digest)) for f in good]
            known = planned.tracks([(f.name, f.digest, h.told, h.duration_s) for f, h in heard])
            by_id = sorted(zip(known, good, strict=True), key=lambda pair: pair[0].track_id)
            manifest = assemble(folder, Material(by_id, work, ears), wish, progress)
            work.finished = True
    return Built(out, manifest, skipped, work.heard)


def _give_ears(folder: Path, encoder: str) -> Ears:
    """Put the network and the encoder that was asked for into a staged folder, and open them."""
    save_encoder(encoder, folder / ENCODER)
    Fingerprinter.built_in().save(folder / FINGERPRINT)
    return Ears(Fingerprinter.open(folder / FINGERPRINT), open_encoder(folder / ENCODER))


def made_by(folder: Path) -> str:
    """The identity of the network and the encoder in a folder."""
    files = {
        f"{name}/{file}": entry
        for name in (FINGERPRINT, ENCODER)
        for file, entry in list_files(folder / name).items()
    }
    return digest_in(files, FINGERPRINT) + digest_in(files, ENCODER)
