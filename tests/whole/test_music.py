"""The music of the demo: its parts do what they say, and each genre has a sound of its own."""

from __future__ import annotations

import csv
import sqlite3

import numpy as np
import pytest

from engine.sound.audio import decode, read_tags, resample
from training.music import clips, listening, mix, theory, tracks, waves
from training.music.genres import ARRANGERS, STYLES, compose
from training.music.score import Note, Song

C_MAJOR = theory.Key(0, "major")


@pytest.fixture(scope="module")
def beginnings():
    """genre → the first seconds of a track of it, at 16 kHz."""
    return {
        genre: resample(
            mix.render(compose(genre, 0, np.random.default_rng(1)), 2.0), waves.RATE, 16_000
        )
        for genre in ARRANGERS
    }


# theory


@pytest.mark.parametrize(
    ("numeral", "classes"),
    [("I", (0, 4, 7)), ("vi", (9, 0, 4)), ("V7", (7, 11, 2, 5)), ("bVImaj7", (8, 0, 3, 7)),
     ("iim7b5", (2, 5, 8, 0)), ("#ivo7", (6, 9, 0, 3)), ("i5", (0, 7)),
     ("bIIImaj9", (3, 7, 10, 2, 5))],
)  # fmt: skip
def test_a_numeral_is_the_chord_that_musicians_read(numeral, classes):
    assert theory.chord(numeral, C_MAJOR).classes == classes


def test_a_mode_counts_as_major_or_minor_by_its_third():
    assert theory.Key(2, "dorian").name == "D minor"
    assert theory.Key(10, "mixolydian").name == "Bb major"


def test_a_voicing_stays_near_where_it_is_asked_to_be():
    voices = theory.chord("V7", C_MAJOR).voiced(60)
    assert sorted(pitch % 12 for pitch in voices) == [2, 5, 7, 11]
    assert all(abs(pitch - 60) <= 6 for pitch in voices)


# waves


def test_partials_as_a_product_of_matrices_are_the_sum_of_their_decaying_sines():
    hz, decay, weights = np.array([220.0, 447.0]), np.array([0.5, 0.2]), np.array([0.6, 0.3])
    t = np.arange(waves.count(0.7)) / waves.RATE
    expected = (weights * np.exp(-t[:, None] / decay) * np.sin(2 * np.pi * hz * t[:, None])).sum(1)
    assert np.allclose(waves.modes(hz, decay, weights, 0.7), expected, atol=2e-4)


def test_a_saw_has_its_harmonics_and_nothing_between_them():
    power = np.abs(np.fft.rfft(waves.wave("saw", 1000.0, 1.0) * np.hanning(waves.RATE))) ** 2
    harmonics = power[1000::1000][:14]
    assert np.all(harmonics[:-1] > harmonics[1:])
    between = np.delete(power, [k + d for k in range(0, 16_000, 1000) for d in (-2, -1, 0, 1, 2)])
    assert between.max() < 1e-4 * power.max()


# the desk


def test_loudness_is_what_the_standard_gives_a_sine_of_full_scale():
    assert mix.loudness(waves.sine(997.0, 3.0)) == pytest.approx(-3.01, abs=0.1)
    assert mix.loudness(0.1 * waves.sine(997.0, 3.0)) == pytest.approx(-23.01, abs=0.1)


def test_swing_moves_the_second_half_of_a_beat_and_leaves_the_beats():
    song = Song(np.random.default_rng(0), C_MAJOR, 60, swing=2 / 3, drift=0)
    song.form("verse:2", 2, 8)
    seconds = mix._tempo_map(song)
    assert [seconds(at) - seconds(0) for at in (0.5, 1.0, 1.5)] == pytest.approx([2 / 3, 1, 5 / 3])


def test_a_form_fills_the_time_it_is_given():
    song = Song(np.random.default_rng(0), C_MAJOR, 120)
    song.form("intro:2 verse chorus", 8, 45)
    assert 42 <= song.beats / 2 <= 47
    assert [section.round for section in song.called("verse")] == [0, 1][
        : len(song.called("verse"))
    ]


# genres


@pytest.mark.parametrize("genre", ARRANGERS)
def test_every_genre_sounds_without_clipping_and_without_an_offset(genre, beginnings):
    measured = listening.heard(beginnings[genre])
    assert measured.faults == []
    assert -25 < measured.level_db < -11
    assert measured.peak <= 1


@pytest.mark.parametrize("genre", ARRANGERS)
@pytest.mark.parametrize("style", range(STYLES))
def test_every_style_is_a_whole_song_of_several_players(genre, style):
    song = compose(genre, style, np.random.default_rng(style))
    assert 40 <= song.beats * 60 / song.tempo <= 52
    assert len({section.name for section in song.sections}) >= 2
    assert sum(bool(part.notes) for part in song.parts.values()) >= 2
    assert all(
        note.at < song.beats + 1 and 0 < note.force <= 1.5
        for part in song.parts.values()
        for note in part.notes
    )


def test_no_two_genres_have_the_same_colours(beginnings):
    colours = {}
    for genre, samples in beginnings.items():
        logs = listening.bands(listening.spectrum(samples))
        colours[genre] = np.concatenate([logs.mean(0), logs.std(0)])
    names = list(colours)
    apart = {
        (a, b): float(np.abs(colours[a] - colours[b]).mean())
        for i, a in enumerate(names)
        for b in names[:i]
    }
    assert min(apart.values()) > 0.15, min(apart, key=apart.__getitem__)


def test_a_seed_gives_the_same_sound_and_another_seed_another():
    def made(seed):
        return mix.render(compose("folk", 0, np.random.default_rng(seed)), 1.5)

    assert np.array_equal(made(3), made(3))
    assert not np.array_equal(made(3)[:20_000], made(4)[:20_000])


def test_a_bar_that_comes_again_is_played_anew():
    song = Song(np.random.default_rng(0), C_MAJOR, 120, drift=0)
    song.form("verse:2", 2, 4)
    song.harmonise({"verse": "I"})
    part = song.part("machine", "pluck", 0, jitter_s=0, wet=0)
    part.notes = [Note(float(at), 0.5, 60, 0.8) for at in range(4)]
    bus = mix._played(part, song, mix._tempo_map(song), waves.count(5))
    first, second = (bus[round((0.06 + at / 2) * waves.RATE) :][:8000] for at in (0, 1))
    assert np.abs(first).max() > 0.1
    assert np.abs(first - second).max() > 0.01


def test_a_loop_is_told_from_music_that_goes_on():
    rng = np.random.default_rng(0)
    step = (
        rng.normal(0, 0.1, (6, 16_000)).astype(np.float32)
        * np.linspace(0.1, 1, 6, dtype=np.float32)[:, None]
    )
    assert (
        listening.repetition(listening.bands(listening.spectrum(np.tile(step.ravel(), 2)))) > 0.98
    )
    moving = np.repeat(rng.uniform(200, 4000, 60), 3200)
    tune = np.sin(np.cumsum(2 * np.pi * moving / 16_000)).astype(np.float32)
    assert listening.repetition(listening.bands(listening.spectrum(tune))) < 0.8


# tracks


def test_the_tracks_belong_to_albums_of_the_covers_catalogue():
    with sqlite3.connect(f"file:{tracks.CATALOGUE}?mode=ro", uri=True) as connection:
        albums = {
            row[0]: row[1:]
            for row in connection.execute(
                "SELECT album_id, title, artist, year, genre FROM albums "
                "JOIN genres USING (genre_id)"
            )
        }
    plans = tracks.planned()
    assert len(plans) == 64
    assert [plan.track_id for plan in plans] == list(range(64))
    assert len({plan.album_id for plan in plans}) == 64
    assert 770 in {plan.album_id for plan in plans}
    genres = [plan.genre for plan in plans]
    assert {genres.count(genre) for genre in ARRANGERS} == {3, 4}
    for plan in plans:
        assert (plan.album, plan.artist, plan.year, plan.genre) == albums[plan.album_id]


def test_a_written_track_says_what_it_is_and_begins_with_its_index(tmp_path, monkeypatch):
    monkeypatch.setattr(tracks, "render", lambda song: mix.render(song, 1.0))
    monkeypatch.setattr(tracks, "planned", lambda: PLANS[:2])
    size = tracks.make(tmp_path)
    with (tmp_path / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [tuple(row) for row in rows] == [tracks.COLUMNS] * 2
    assert len({row["title"] for row in rows}) == 2
    path = tmp_path / rows[0]["file"]
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.genre) == (
        rows[0]["title"],
        rows[0]["artist"],
        rows[0]["genre"],
    )
    assert (tags.album, tags.year, tags.licence) == (
        rows[0]["album"],
        int(rows[0]["year"]),
        "CC0-1.0",
    )
    assert rows[0]["key"].split()[1] in ("major", "minor")
    whole = path.read_bytes()
    assert size > len(whole)
    assert 0 < whole.index(b"moov") < whole.index(b"mdat")
    assert whole.index(b"Opus") < whole.index(b"mdat")
    assert 1.0 < len(decode(path)) / 16_000 < 4.0


PLANS = tracks.planned()


# clips


def test_a_clip_is_eight_seconds_of_its_track_across_a_room():
    rng = np.random.default_rng(0)
    steps = np.repeat(rng.uniform(200, 2000, 60), 4000)
    track = np.sin(np.cumsum(2 * np.pi * steps / 16_000)).astype(np.float32) * np.float32(0.3)
    heard = clips.clip(track, 3.0, 20.0, rng)
    assert heard.shape == (8 * 16_000,)
    of_it = listening.bands(listening.spectrum(track[48_000 : 48_000 + len(heard)]))
    elsewhere = listening.bands(listening.spectrum(track[: len(heard)]))
    here = listening.bands(listening.spectrum(heard))
    assert np.corrcoef(here.ravel(), of_it.ravel())[0, 1] > 0.5
    assert np.corrcoef(here.ravel(), elsewhere.ravel())[0, 1] < 0.4


def test_the_clips_of_the_page_are_small_and_of_tracks_that_are_made():
    assert {album_id for album_id, _, _ in clips.CLIPS} <= {plan.album_id for plan in PLANS}
    files = [clips.WEB / f"clip-{number + 1}.m4a" for number in range(len(clips.CLIPS))]
    assert sum(file.stat().st_size for file in files) < 60_000
    for file in files:
        heard = decode(file)
        assert len(heard) / 16_000 == pytest.approx(8.0, abs=0.1)
        assert 0.02 < np.abs(heard).max() <= 1
