"""What a child process does with files of this machine: paths in, paths written, facts out.

Each takes `report`, which gets 0…1; facts are JSON. Nothing here knows a row or a key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.base.errors import AudioSilent, AudioTooShort
from engine.library.analysis import analyse
from engine.library.pipeline.transcode import preview, transcode
from engine.sound.audio import RATE, decode, read_tags
from engine.sound.catalogue import kept_peaks
from engine.sound.waveform import KEPT, peaks, to_png

if TYPE_CHECKING:
    from engine.sound.encoder.encoder import SoundEncoder
    from engine.sound.fingerprint.network import Fingerprinter

Report = Callable[[float], None]
Facts = dict[str, Any]
PNG_SIZE = (1_600, 240)  # pixels: a page's width on a screen of two to one


def decoded(source: str, wav: str, mp3: str, short: str, *, max_s: float, report: Report) -> Facts:
    """A stranger's `source` → `wav`, `mp3` and `short`, a preview; what the file says of itself."""
    made = transcode(Path(source), Path(wav), Path(mp3), max_s=max_s, report=report)
    preview(Path(wav), Path(short), made.duration_s)
    return {**asdict(made), "tags": asdict(read_tags(Path(source)))}


def analysed(wav: str, *, duration_s: float, report: Report) -> Facts:
    """Tempo, key, loudness… of `wav`. Raises `AudioSilent`."""
    found = analyse(Path(wav), lambda done_s: report(done_s / duration_s))
    if found.silent:
        raise AudioSilent(
            f"Nothing can be heard in these {found.duration_s:.0f} s: all of it is below −70 LUFS. "
            "Send a recording with sound."
        )
    return asdict(found)


def drawn(wav: str, kept: str, picture: str, *, report: Report) -> Facts:
    """`wav` → its peaks (KEPT, 2) in `kept`, an .npz, and drawn in `picture`, a PNG."""
    found = peaks(decode(Path(wav), name="The file"), KEPT)
    report(0.5)
    with Path(kept).open("wb") as file:
        np.savez(file, peaks=found)
    width, height = PNG_SIZE
    Path(picture).write_bytes(to_png(found, width=width, height=height))
    return {}


def listened(wav: str, kept: str, heard: str, *, artifact: str, report: Report) -> Facts:
    """What the network and the encoder of `artifact` hear of `wav`, with the peaks in `kept` →
    `heard`, an .npz. Raises `AudioTooShort` below one window of the network."""
    from engine.sound.fingerprint.files import encoded
    from engine.sound.fingerprint.network import STEP_S
    from engine.sound.fingerprint.sounding import sounding_vectors
    from engine.sound.held import Heard

    fingerprinter, encoder, digests = _ears(artifact)
    samples = decode(Path(wav), name="The file")
    if len(samples) < fingerprinter.window_s * RATE:
        raise AudioTooShort(
            f"The file holds {len(samples) / RATE:.2f} s of sound. Send "
            f"{fingerprinter.window_s:.2g} s or more."
        )
    prints = encoded(sounding_vectors(fingerprinter, samples, STEP_S)[0])
    report(0.5)
    embedded = encoder.embed(samples)
    with np.load(kept, allow_pickle=False) as drawing:
        found = Heard(
            prints,
            embedded.vector,
            np.zeros(0, np.float32) if embedded.tags is None else embedded.tags,
            kept_peaks(drawing["peaks"]),
            *digests,
        )
    Path(heard).write_bytes(found.to_bytes())
    return {}


@lru_cache(maxsize=1)
def _ears(artifact: str) -> tuple[Fingerprinter, SoundEncoder, tuple[str, str]]:
    """What hears, and the digests of both. FAISS and OpenVINO are for those that listen."""
    from engine.sound.artifact import SoundArtifact
    from engine.sound.opening import open_encoder_of, open_fingerprinter

    folder = SoundArtifact.open(Path(artifact))
    told = folder.manifest
    network, encoder = open_fingerprinter(folder, threads=1), open_encoder_of(folder, threads=1)
    return network, encoder, (told.fingerprint.digest, told.encoder.digest)


TASKS: dict[str, Callable[..., Facts]] = {
    "decode": decoded,
    "analyse": analysed,
    "waveform": drawn,
    "listen": listened,
}
