"""What is heard in a voice by whom: a pitch that is known is not heard again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.voice.ear.heard import FRAME_S, Pitch
from engine.voice.ear.melody import listen

Array = npt.NDArray[np.float32]


class Ear:
    """Stands for the network of pitch: sure of 200 Hz first, then of 300."""

    def __init__(self) -> None:
        self.heard: list[Array] = []

    def pitch(self, samples: Array) -> Pitch:
        self.heard.append(samples)
        count = len(samples) // 256
        hz = np.full(count, 200 if samples.max() < 0.5 else 300, np.float32)
        sure = np.where(np.arange(count) < count // 2, 0.9, 0.1).astype(np.float32)
        return Pitch((FRAME_S * np.arange(count)).astype(np.float32), hz, sure)


VOICE = np.full(25_600, 0.25, np.float32)
MUSIC = np.full(25_600, 10.0, np.float32)  # a tenth of it is heard with the voice


def test_a_pitch_that_is_known_is_not_heard_again() -> None:
    twice, once = Ear(), Ear()
    first = listen(VOICE, MUSIC, twice)  # type: ignore[arg-type]
    again = listen(VOICE, MUSIC, once, Ear().pitch(VOICE))  # type: ignore[arg-type]
    assert (len(twice.heard), len(once.heard)) == (2, 1)
    np.testing.assert_array_equal(first.hz, again.hz)
    np.testing.assert_array_equal(first.confidence, again.confidence)
    # Where the voice alone is unsure, the tone is that of voice and music.
    assert [*first.hz[[0, -1]]] == [200, 300]


def test_beside_no_music_a_known_pitch_is_all() -> None:
    ear = Ear()
    heard = listen(VOICE, None, ear, Ear().pitch(VOICE))  # type: ignore[arg-type]
    assert ear.heard == []
    assert [*heard.hz[[0, -1]]] == [200, 200]
