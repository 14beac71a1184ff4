"""What is heard in a voice by whom: a pitch that is known is not heard again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

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


class Tones:
    """Stands for the network of pitch: surely hears so many seconds of each MIDI tone; of None,
    nothing sure."""

    def __init__(self, tones: list[tuple[float | None, float]]) -> None:
        counts = [round(seconds / FRAME_S) for _, seconds in tones]
        midi = np.repeat([60.0 if tone is None else tone for tone, _ in tones], counts)
        self.sure = np.repeat([tone is not None for tone, _ in tones], counts)
        self.hz = (440 * 2 ** ((midi - 69) / 12)).astype(np.float32)

    def pitch(self, samples: Array) -> Pitch:
        times = (FRAME_S * np.arange(len(self.hz))).astype(np.float32)
        return Pitch(times, self.hz, np.where(self.sure, 0.9, 0.1).astype(np.float32))


def sure_of(tones: list[tuple[float | None, float]]) -> npt.NDArray[np.bool_]:
    """Of what is sure to `Tones`, what a melody is sure of."""
    ear = Tones(tones)
    made = listen(np.full(256 * len(ear.hz), 0.25, np.float32), None, ear)  # type: ignore[arg-type]
    return made.sure[ear.sure]


@pytest.mark.parametrize("stray", [[(86.5, 0.4)], [(86.5, 0.2), (80, 0.1)], [(41, 0.3)]])
def test_a_short_leap_far_from_what_surrounds_it_is_not_sure(
    stray: list[tuple[float | None, float]],
) -> None:
    sure = sure_of([(65, 1.2), *stray, (67, 1.2)])
    assert sure[[0, -1]].all()
    assert (~sure).sum() == sum(round(seconds / FRAME_S) for _, seconds in stray)


@pytest.mark.parametrize(
    "tones",
    [
        pytest.param([(60, 1.2), (72, 0.3), (60, 1.2)], id="an octave for a short while"),
        pytest.param([(60, 1.2), (76, 0.8), (60, 1.2)], id="a leap that lasts"),
        pytest.param([(60, 0.3), (76, 0.3)] * 5, id="one who yodels"),
        pytest.param(
            [(60, 1.2), (None, 0.3), *[(76, 0.3), (None, 0.2)] * 4], id="high words after low ones"
        ),
        pytest.param([(60, 1.2), (None, 3.0), (84, 0.3)], id="alone"),
    ],
)
def test_a_leap_that_may_be_the_singers_is_kept(tones: list[tuple[float | None, float]]) -> None:
    assert sure_of(tones).all()
