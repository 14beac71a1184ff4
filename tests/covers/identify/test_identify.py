"""Identify as a whole: photos of covers, of strangers, of nothing, of twins, of several."""

from __future__ import annotations

import io
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import faiss
import numpy as np
import pytest
from conftest import draw_cover
from encoders import ColourEncoder
from PIL import Image

from engine.base.errors import ArtifactError, BuildError, UnreadableImage
from engine.base.odds import expected_calibration_error
from engine.covers.artifact import Artifact
from engine.covers.catalogue import Album, Catalogue, write_catalogue, write_thumbnails
from engine.covers.identify import outlines, places, proving
from engine.covers.identify.calibration import DEFAULT, Calibration, shifted, supported
from engine.covers.identify.candidate import FEATURES, SIGHT
from engine.covers.identify.identifier import Identification, Identifier
from engine.covers.identify.older_keypoints import OlderKeypoints
from engine.covers.identify.outlines import Effort
from engine.covers.identify.places import Places
from engine.covers.identify.proving import Prover
from engine.covers.identify.references import FOLDER, References, cover_of
from engine.covers.identify.sight import Sight
from engine.covers.identify.views import working_copy
from engine.covers.image import thumbnail
from engine.covers.making.calibrating import Observed, fit, observe
from engine.covers.making.references import split_references, write_references
from engine.covers.photos.photo import Distortion, simulate_photo
from engine.covers.search import CoverSearch
from engine.covers.trials.identify import run_trial
from engine.covers.trials.photos import read_pairs, run_photos
from engine.vectors.making import build_index


def jpeg_of(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


COVERS, TWIN_OF, TWIN = 40, 5, 40
TWIN_SPLIT = 1  # a split that leaves TWIN out and keeps TWIN_OF


def drawn(number: int) -> np.ndarray:
    """(256, 256, 3) uint8: blocks, discs and lines in colours of their own."""
    rng = np.random.default_rng([11, number])
    image = np.full((256, 256, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(14):
        colour = rng.integers(0, 256, 3).tolist()
        x, y, w, h = rng.integers(0, 200), rng.integers(0, 200), *rng.integers(20, 90, 2)
        if rng.random() < 0.5:
            cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), colour, -1)
        else:
            cv2.circle(image, (int(x), int(y)), int(w / 2), colour, -1, cv2.LINE_AA)
    return image


@dataclass
class _Files:
    """As much of an artifact as identify asks for."""

    path: Path
    preprocessing = ColourEncoder.preprocessing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """41 albums, of which number 40 has the artwork of number 5."""
    path = tmp_path_factory.mktemp("identify")
    numbers = [*range(COVERS), TWIN_OF]
    write_catalogue(path / "catalogue.sqlite", [Album(i) for i in range(len(numbers))])
    pictures = [Image.fromarray(drawn(number)) for number in numbers]
    write_thumbnails(
        path / "thumbnails.sqlite",
        [(i, thumbnail(picture, 256, 70)) for i, picture in enumerate(pictures)],
    )
    catalogue = Catalogue(path / "catalogue.sqlite", path / "thumbnails.sqlite")
    assert write_references(path, catalogue) is not None
    return path


def opened(folder: Path) -> Identifier:
    encoder = ColourEncoder()
    covers = np.stack([cv2.resize(drawn(i), (8, 8)) for i in [*range(COVERS), TWIN_OF]])
    index = build_index(encoder.embed_images(covers), np.arange(COVERS + 1), "flat")
    catalogue = Catalogue(folder / "catalogue.sqlite", folder / "thumbnails.sqlite")
    search = CoverSearch(_Files(folder), index, catalogue, encoder)  # type: ignore[arg-type]
    return Identifier.open(search)


@pytest.fixture(scope="module")
def identifier(folder: Path) -> Identifier:
    return opened(folder)


def identify(identifier: Identifier, picture: np.ndarray) -> Identification:
    [answer] = identifier.by_pixels(picture)
    return answer


def quad_error(answer: Identification, quad: np.ndarray) -> float:
    """Mean distance of the corners as a share of the sleeve's side."""
    side = np.sqrt(cv2.contourArea(quad))
    return float(np.linalg.norm(answer.quad - quad, axis=1).mean() / side)


@pytest.mark.parametrize("preset", ["clean", "mild", "rotation", "small", "occlusion", "mixed"])
def test_a_photo_of_a_cover_is_matched_and_outlined(identifier: Identifier, preset: str) -> None:
    right = 0
    for number in (1, 8, 17, 23):
        photo = simulate_photo(drawn(number), np.random.default_rng([3, number]), preset)
        answer = identify(identifier, photo.image)
        if answer.decision == "match":
            assert answer.album_id == number == answer.candidates[0].id
            assert quad_error(answer, photo.quad) < 0.05
            assert answer.inliers >= 6
            right += 1
    assert right >= 3, f"{right} of 4 photos were matched"


def test_a_cover_the_catalogue_lacks_is_no_match(identifier: Identifier) -> None:
    for number in range(100, 106):
        photo = simulate_photo(drawn(number), np.random.default_rng(number), "mild")
        answer = identify(identifier, photo.image)
        assert (answer.decision, answer.album_id, answer.quad) == ("no_match", None, None)
        assert answer.confidence > 0.5
        assert answer.candidates, "others like it are still shown"


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (480, 640), (16, 16)])
def test_pictures_of_nothing_are_no_match(identifier: Identifier, size: tuple[int, int]) -> None:
    for value in (0, 130, 255):
        picture = np.full((*size, 3), value, np.uint8)
        assert identify(identifier, picture).decision == "no_match"
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert identify(identifier, noise).decision == "no_match"


def test_the_same_artwork_twice_is_ambiguous(identifier: Identifier) -> None:
    photo = simulate_photo(drawn(TWIN_OF), np.random.default_rng(1), "mild")
    answer = identify(identifier, photo.image)
    assert (answer.decision, answer.album_id) == ("ambiguous", None)
    assert {near.id for near in answer.candidates[:2]} == {TWIN_OF, TWIN}
    assert quad_error(answer, photo.quad) < 0.05


def test_every_sleeve_of_a_photo_is_found_when_many_are_asked_for(identifier: Identifier) -> None:
    table = np.full((700, 1000, 3), (150, 120, 90), np.uint8)
    places = {2: (60, 80), 9: (380, 300), 31: (690, 60)}
    for number, (x, y) in places.items():
        table[y : y + 256, x : x + 256] = drawn(number)
    answers = identifier.by_pixels(table, many=True)
    assert {answer.album_id for answer in answers} == set(places)
    for answer in answers:
        x, y = places[answer.album_id]
        assert np.abs(answer.quad[0] - (x, y)).max() < 8, "its own top left comes first"
    assert identifier.by_pixels(np.full((300, 400, 3), 90, np.uint8), many=True) == []


def test_corners_are_in_pixels_of_the_upright_picture_however_it_was_stored(
    identifier: Identifier,
) -> None:
    photo = simulate_photo(drawn(7), np.random.default_rng(2), Distortion(share=(0.4, 0.4)))
    large = cv2.resize(photo.image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me a quarter clockwise": stored turned the other way
    stored = Image.fromarray(np.rot90(large))
    buffer = io.BytesIO()
    stored.save(buffer, "JPEG", exif=exif)
    [answer] = identifier.by_image(buffer.getvalue())
    assert answer.album_id == 7
    assert quad_error(answer, photo.quad * 3) < 0.02


def test_without_references_similarity_answers_with_less_confidence(
    folder: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns(FOLDER))
    answer = identify(opened(bare), drawn(7))
    assert answer.decision in ("match", "no_match")
    assert answer.confidence <= 0.75
    assert (answer.quad, answer.inliers) == (None, None)
    assert answer.candidates[0].id == 7


def test_a_file_that_is_no_picture_is_refused(identifier: Identifier) -> None:
    with pytest.raises(UnreadableImage):
        identifier.by_image(b"%PDF-1.7")


def test_the_same_photo_gets_the_same_answer(identifier: Identifier) -> None:
    photo = simulate_photo(drawn(12), np.random.default_rng(5), "mixed").image
    one, two = identify(identifier, photo), identify(identifier, photo)
    assert (one.decision, one.confidence) == (two.decision, two.confidence)


def test_a_fifth_of_a_catalogue_is_strangers_to_references_to_the_others(folder: Path) -> None:
    catalogue = Catalogue(folder / "catalogue.sqlite", folder / "thumbnails.sqlite")
    split = split_references(catalogue, seed=TWIN_SPLIT)
    assert split is not None
    references, strangers = split
    known = set(references.ids.tolist())
    assert len(known) == 33
    assert known & {TWIN, TWIN_OF} == {TWIN_OF}
    # The artwork of one that is known is no stranger.
    assert set(strangers) == set(range(COVERS + 1)) - known - {TWIN}
    photo, _ = working_copy(simulate_photo(drawn(strangers[0]), np.random.default_rng(4)).image)
    found = Prover(references, DEFAULT).candidates(Places(photo))
    assert max((one.probability for one in found), default=0.0) < 0.5


def test_a_cover_in_doubt_is_matched_by_the_keypoints_that_agree(
    identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    prover = identifier.prover
    assert prover is not None
    photo, _ = working_copy(simulate_photo(drawn(3), np.random.default_rng(3), "mild").image)
    [sure, *_] = Prover(prover.references, DEFAULT).candidates(Places(photo))
    assert (sure.row, sure.probability > 0.9) == (3, True)
    odds = np.log(sure.probability / (1 - sure.probability))
    doubting = Prover(prover.references, replace(DEFAULT, bias=DEFAULT.bias - odds - 1.5))
    assert doubting.candidates(Places(photo))[0].probability > 0.6
    monkeypatch.setattr(proving, "agreeing", lambda *_: np.zeros((0, 2), np.float32))
    assert doubting.candidates(Places(photo))[0].probability < 0.3


@pytest.mark.parametrize(
    ("given", "own", "agree", "right"), [(0.3, 2, 20, 0.3), (0.2, 15, 20, 2 / 3), (0.0, 90, 99, 0)]
)
def test_few_keypoints_say_nothing_and_many_speak_for_a_cover(
    given: float, own: float, agree: int, right: float
) -> None:
    assert supported(given, own, agree) == pytest.approx(right, abs=1e-5)


def test_a_plain_cover_is_told_by_its_colours_and_their_places(tmp_path: Path) -> None:
    """Two plain colours each: not a corner to align by."""
    covers = []
    for number in range(40):
        one, other = np.random.default_rng([7, number]).integers(20, 236, (2, 3))
        picture = np.full((256, 256, 3), one)
        picture[: 60 + 3 * number] = other
        covers.append(np.rot90(picture, number % 4).astype(np.uint8))
    write_catalogue(tmp_path / "catalogue.sqlite", [Album(i) for i in range(40)])
    write_thumbnails(
        tmp_path / "thumbnails.sqlite",
        [(i, thumbnail(Image.fromarray(cover), 256, 90)) for i, cover in enumerate(covers)],
    )
    catalogue = Catalogue(tmp_path / "catalogue.sqlite", tmp_path / "thumbnails.sqlite")
    references = write_references(tmp_path, catalogue)
    assert references is not None
    first = []
    for number in (3, 16, 21, 30):
        reference = references.reference(number)
        assert reference is not None
        assert reference.is_plain
        photo = simulate_photo(
            covers[number], np.random.default_rng(number), Distortion(share=(0.4, 0.4))
        )
        found = Prover(references, DEFAULT).candidates(Places(working_copy(photo.image)[0]))
        first.append(bool(found) and found[0].row == number and found[0].probability > 0.5)
    assert sum(first) >= 3


def test_references_of_another_catalogue_are_refused(folder: Path, tmp_path: Path) -> None:
    write_catalogue(tmp_path / "catalogue.sqlite", [Album(900)])
    write_thumbnails(tmp_path / "thumbnails.sqlite", [(900, b"")])
    shutil.copytree(folder / FOLDER, tmp_path / FOLDER)
    catalogue = Catalogue(tmp_path / "catalogue.sqlite", tmp_path / "thumbnails.sqlite")
    with pytest.raises(ArtifactError, match="does not belong to this catalogue"):
        References.open(tmp_path, catalogue)
    (tmp_path / FOLDER / "layout.npz").write_bytes(b"PK damaged")
    with pytest.raises(ArtifactError, match="cannot be read"):
        References.open(tmp_path, catalogue)


def test_an_artifact_of_before_sift_identifies_by_its_own_keypoints(
    folder: Path, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    shutil.copytree(folder, older)
    (older / FOLDER / "sift.faiss").unlink()
    (older / FOLDER / "sift.npz").unlink()
    orb = cv2.ORB_create(64, fastThreshold=5)
    covers = [cv2.cvtColor(drawn(i), cv2.COLOR_RGB2GRAY) for i in [*range(COVERS), TWIN_OF]]
    found = [orb.detectAndCompute(cover, None)[1] for cover in covers]
    index = faiss.IndexBinaryFlat(256)
    index.add(np.concatenate(found))
    faiss.write_index_binary(index, str(older / FOLDER / "keypoints.faiss"))
    with np.load(older / FOLDER / "layout.npz") as file:
        layout = dict(file)
    layout["keypoint_rows"] = np.repeat(np.arange(COVERS + 1), [len(one) for one in found])
    np.savez(older / FOLDER / "layout.npz", **layout)
    old = opened(older)
    assert old.prover is not None
    keypoints = old.prover.references.keypoints
    assert isinstance(keypoints, OlderKeypoints)
    photo = simulate_photo(drawn(8), np.random.default_rng(8), Distortion(share=(0.5, 0.5)))
    row, quad = next(keypoints.voted(photo.image, 3, old.prover.references.cover))
    assert row == 8
    assert np.abs(quad - photo.quad).max() < 0.1 * np.sqrt(cv2.contourArea(photo.quad))
    answers = [
        identify(old, simulate_photo(drawn(number), np.random.default_rng(number), "mild").image)
        for number in (1, 17, 101)
    ]
    assert [one.album_id for one in answers] == [1, 17, None]
    layout["keypoint_rows"][-1] = COVERS + 1
    np.savez(older / FOLDER / "layout.npz", **layout)
    with pytest.raises(ArtifactError, match="does not belong to this catalogue"):
        opened(older)


def test_an_artifact_holds_what_identify_reads(tiny_artifact: Path) -> None:
    artifact = Artifact.open(tiny_artifact)
    assert {"identify/layout.npz", "identify/sift.faiss", "identify/sift.npz"} <= set(
        artifact.manifest.files
    )
    search = CoverSearch.open(tiny_artifact)
    answer = identify(Identifier.open(search), np.asarray(draw_cover(3, 400)))
    assert answer.decision in ("match", "ambiguous", "no_match")


def test_a_calibration_is_observed_on_covers_and_on_strangers(identifier: Identifier) -> None:
    files, index = identifier.search.artifact, identifier.search.index
    embed = ColourEncoder().embed_images
    observed = observe(
        identifier.search.catalogue,
        photos=6,
        seed=1,
        sight=partial(Sight, index, files.preprocessing, embed),
    )
    assert [photo.present for photo in observed] == [True] * 6 + [False] * 12
    found = [photo for photo in observed if photo.right in photo.rows]
    assert len(found) >= 4, "the album photographed is among its candidates"
    every = len(FEATURES) + len(SIGHT)
    assert {photo.features.shape[1] for photo in found} == {every}


def test_a_calibration_says_how_often_it_is_right() -> None:
    """Of two candidates the right one has 1 more of everything; half of the photos lack it."""
    rng = np.random.default_rng(3)
    width = len(FEATURES) + len(SIGHT)

    def photo(present: bool) -> Observed:
        features = rng.normal(0, 2.5, (2, width))
        features[0] += present
        return Observed(features, (7, 8), 7 if present else -1)

    made = fit([photo(number % 2 == 0) for number in range(600)])
    assert (made.photos, len(made.weights)) == (600, width)
    seen = [photo(number % 2 == 0) for number in range(2000)]
    chances = np.array([[made.probability(row) for row in one.features] for one in seen])
    right = np.array([[row == one.right for row in one.rows] for one in seen])
    best = np.arange(len(seen)), chances.argmax(1)
    error = expected_calibration_error(chances[best].tolist(), right[best].tolist())
    assert error < 0.05
    strangers = np.array([not one.present for one in seen])
    assert np.mean(chances[best][strangers] >= made.match_at) < 0.03
    assert made.absent(0.01) > 0.8 > 0.5 > made.absent(0.99)


def test_twice_as_many_strangers_make_no_match_unlikelier() -> None:
    """They say more about the worst of them; a photo is not of one more often for that."""
    width = len(FEATURES)
    rng = np.random.default_rng(4)
    known = [Observed(rng.normal(1, 2, (1, width)), (7,), 7) for _ in range(400)]
    strangers = [Observed(rng.normal(0, 2, (1, width)), (8,), -1) for _ in range(400)]
    once, twice = fit(known + strangers), fit(known + 2 * strangers)
    for level in (0.0, 0.5, 1.0):
        row = np.full(width, level)
        assert once.probability(row) == pytest.approx(twice.probability(row), abs=0.03)
    assert once.absent(0.1) == pytest.approx(twice.absent(0.1), abs=0.05)


def test_a_calibration_survives_its_file_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    assert Calibration.of(tmp_path) == DEFAULT
    path = tmp_path / FOLDER / "calibration.json"
    DEFAULT.write(path)
    assert Calibration.of(tmp_path) == DEFAULT
    read = json.loads(path.read_text())
    path.write_text(json.dumps({**read, "features": ["of", "another", "version"], "weights": [9]}))
    assert Calibration.of(tmp_path) == DEFAULT, "an earlier artifact still answers"
    path.write_text(json.dumps({**read, "network": "of before", "match_at": 0.8}))
    assert Calibration.of(tmp_path) == DEFAULT, "weights hold for the network they were fitted on"
    for change in ({"weights": [1.0]}, {"bias": "x"}, {"present": 3}):
        path.write_text(json.dumps({**read, **change}))
        with pytest.raises(ArtifactError):
            Calibration.of(tmp_path)


@pytest.mark.parametrize("preset", ["mild", "rotation"])
def test_a_mirrored_photo_is_matched_and_told_as_such(identifier: Identifier, preset: str) -> None:
    right = 0
    for number in (1, 8, 17, 23):
        photo = simulate_photo(drawn(number), np.random.default_rng([3, number]), preset)
        straight, mirrored = (identify(identifier, p) for p in (photo.image, photo.image[:, ::-1]))
        assert not straight.mirrored
        if mirrored.decision == "match":
            assert (mirrored.album_id, mirrored.mirrored) == (number, True)
            # In pixels of what was sent, from the corner that shows the cover's own top left.
            corners = np.array([photo.image.shape[1], 0]) + photo.quad * [-1, 1]
            assert quad_error(mirrored, corners.astype(np.float32)) < 0.05
            right += 1
    assert right >= 3, f"{right} of 4 mirrored photos were matched"


def test_a_cover_that_is_its_own_mirror_image_is_not_mirrored(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "identify"
    shutil.copytree(folder, copied)
    even = drawn(7)
    even[:, 128:] = even[:, 127::-1]
    (copied / "thumbnails.sqlite").unlink()
    pictures = [even if number == 7 else drawn(number) for number in [*range(COVERS), TWIN_OF]]
    write_thumbnails(
        copied / "thumbnails.sqlite",
        [(i, thumbnail(Image.fromarray(p), 256, 70)) for i, p in enumerate(pictures)],
    )
    catalogue = Catalogue(copied / "catalogue.sqlite", copied / "thumbnails.sqlite")
    assert write_references(copied, catalogue) is not None
    photo = simulate_photo(even, np.random.default_rng(7), "mild").image
    answers = [identify(opened(copied), picture) for picture in (photo, photo[:, ::-1])]
    assert [(one.album_id, one.mirrored) for one in answers] == [(7, False), (7, False)]


def test_of_a_mirrored_photo_every_sleeve_is_found(identifier: Identifier) -> None:
    photo = np.full((500, 1000, 3), 128, np.uint8)
    photo[100:400, 100:400] = cv2.resize(drawn(3), (300, 300))
    photo[100:400, 600:900] = cv2.resize(drawn(9), (300, 300))
    found = identifier.by_pixels(photo[:, ::-1], many=True)
    assert {one.album_id for one in found} == {3, 9}
    assert all(one.mirrored for one in found)


def test_a_stranger_is_looked_at_mirrored_only_briefly(
    identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found in a photo is not looked for again in its mirror image."""
    searched: list[str] = []
    whole = outlines.find_outlines

    def counted(photo: np.ndarray, effort: Effort = "usual") -> np.ndarray:
        searched.append(effort)
        return whole(photo, effort)

    for module in (proving, places):
        monkeypatch.setattr(module, "find_outlines", counted)
    photo = simulate_photo(drawn(101), np.random.default_rng(101), "mild").image
    assert identify(identifier, photo).decision == "no_match"
    assert searched == ["usual"]


def test_views_are_looked_at_by_as_many_threads_as_asked_for(folder: Path) -> None:
    names: set[str] = set()

    def embed(pixels: np.ndarray) -> np.ndarray:
        names.add(threading.current_thread().name)
        return ColourEncoder().embed_images(pixels)

    one = Identifier.open(opened(folder).search, threads=1)
    photo = simulate_photo(drawn(4), np.random.default_rng(4), "mild").image
    [answer] = one.by_pixels(photo, embed)
    assert answer.decision == "match"
    assert [name for name in names if name.startswith("look")] == ["look_0"]
    one.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        one.by_pixels(photo, embed)


def test_the_searchs_own_encoder_is_asked_for_one_batch_at_a_time(folder: Path) -> None:
    """OpenVINO answers a second one with "Infer Request is busy"."""
    at_once, most = 0, 0

    class Busy(ColourEncoder):
        def embed_images(self, pixels: np.ndarray) -> np.ndarray:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            time.sleep(0.005)
            found = super().embed_images(pixels)
            at_once -= 1
            return found

    search = replace(opened(folder).search, encoder=Busy())
    one = Identifier.open(search, threads=2)
    photos = [
        simulate_photo(drawn(number), np.random.default_rng(number), "mild").image
        for number in (4, 101, 102, 9)
    ]
    with ThreadPoolExecutor(2) as callers:
        list(callers.map(one.by_pixels, photos))
    assert most == 1
    one.close()


def test_a_trial_tells_covers_from_strangers_among_distractors(identifier: Identifier) -> None:
    trial = run_trial(identifier.search, sample=4, distractors=1, conditions=["mild"])
    row = trial.outcomes["mild"]
    assert trial.references == 2 * 33
    assert (row.known, row.strangers, trial.no_covers) == (4, 4, 4)
    assert row.matched >= 0.5
    assert (row.wrong, row.false, trial.no_covers_matched) == (0, 0, 0)
    assert row.quad_error < 0.05
    assert len(trial.answers) == 8
    assert json.loads(json.dumps(trial.as_dict()))["conditions"]["mild"]["known"] == 4


def test_distractors_are_the_covers_of_a_folder(identifier: Identifier, tmp_path: Path) -> None:
    for number in range(5):
        Image.fromarray(drawn(60 + number)).resize((90, 80)).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("not a cover")
    trial = run_trial(identifier.search, sample=4, distractors=tmp_path, conditions=["mild"])
    assert trial.references == 33 + 5
    assert trial.outcomes["mild"].matched >= 0.5


def test_a_reference_is_what_pillow_decodes(identifier: Identifier) -> None:
    thumbnail = identifier.search.catalogue.thumbnail(3)
    assert thumbnail is not None
    pillow = np.asarray(Image.open(io.BytesIO(thumbnail)).convert("RGB"))
    assert np.array_equal(cover_of(identifier.search.catalogue, 3), pillow)


def lying(number: int) -> np.ndarray:
    """A cover on a grey table, at 200 to 1,000 × 300 to 1,100 pixels."""
    photo = np.full((1500, 1200, 3), 90, np.uint8)
    photo[300:1100, 200:1000] = cv2.resize(drawn(number), (800, 800))
    return photo


def test_a_glance_matches_what_is_clear_and_is_unsure_of_all_else(identifier: Identifier) -> None:
    photos = [
        simulate_photo(drawn(number), np.random.default_rng(number), "mild").image
        for number in (*range(20), *range(100, 120))
    ]
    answers = [identifier.at_a_glance(jpeg_of(photo)) for photo in photos]
    known, strangers = answers[:20], answers[20:]
    assert {one.decision for one in answers} <= {"match", "unsure"}
    assert sum(one.album_id == number for number, one in enumerate(known)) >= 10
    assert all(one.album_id in (number, None) for number, one in enumerate(known))
    assert all(one.decision == "unsure" for one in strangers)
    assert identifier.at_a_glance(jpeg_of(drawn(TWIN_OF))).decision == "unsure"


def test_what_a_glance_finds_likely_and_is_not_sure_of_is_its_candidate(
    identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert identifier.prover is not None
    never_sure = replace(identifier.prover.calibration.blind(), sure_at=1.1)
    monkeypatch.setattr(type(never_sure), "blind", lambda _: never_sure)
    answer = identifier.at_a_glance(jpeg_of(lying(3)))
    assert (answer.decision, answer.album_id) == ("unsure", None)
    assert [one.id for one in answer.candidates] == [3]
    assert answer.confidence > 0.5
    assert answer.quad is not None
    assert identifier.at_a_glance(jpeg_of(lying(101))).candidates == ()


def test_a_glance_asks_no_encoder_and_looks_once(
    identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    proofs: list[int] = []
    prove = proving.prove

    def counted(*given: object, **options: object) -> object:
        proofs.append(1)
        return prove(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(proving, "prove", counted)
    monkeypatch.setattr(proving.Sight, "look", None)
    for number in (3, 101):
        photo = simulate_photo(drawn(number), np.random.default_rng(number), "mild").image
        identifier.at_a_glance(jpeg_of(photo))
    assert len(proofs) <= 2


def test_the_quad_of_a_glance_is_in_pixels_of_the_picture_sent(identifier: Identifier) -> None:
    answer = identifier.at_a_glance(jpeg_of(lying(3)))
    assert answer.album_id == 3
    right = np.array([[200, 300], [1000, 300], [1000, 1100], [200, 1100]])
    assert answer.quad is not None
    assert np.abs(answer.quad - right).max() < 12


@pytest.mark.parametrize(
    ("prior", "given", "right"),
    [(0.5, 0.8, 0.8), (0.2, 0.8, 0.5), (0.8, 0.8, 16 / 17), (0.0, 0.8, 0.0), (1.0, 0.8, 1.0)],
)
def test_a_probability_follows_the_share_of_photos_that_show_an_album(
    prior: float, given: float, right: float
) -> None:
    assert shifted(given, prior) == pytest.approx(right)


def test_where_few_photos_show_an_album_a_no_is_surer_and_a_yes_less_sure(folder: Path) -> None:
    search = opened(folder).search
    known = simulate_photo(drawn(4), np.random.default_rng(4), "mild").image
    stranger = simulate_photo(drawn(104), np.random.default_rng(104), "mild").image
    rare, half, often = (Identifier.open(search, prior=prior) for prior in (0.1, 0.5, 0.9))
    yes = [identify(one, known).confidence for one in (rare, half, often)]
    no = [identify(one, stranger).confidence for one in (rare, half, often)]
    assert yes[0] < yes[1] < yes[2]
    assert no[0] > no[1] > no[2]
    never = Identifier.open(search, prior=0.0)
    assert (identify(never, known).decision, identify(never, known).confidence) == ("no_match", 1.0)


def test_real_photos_are_tried_with_their_album_and_without(
    identifier: Identifier, tmp_path: Path
) -> None:
    for number in range(6, 12):
        photo = simulate_photo(drawn(number), np.random.default_rng(number), "mild").image
        (tmp_path / f"{number}.jpg").write_bytes(jpeg_of(photo))
    table = tmp_path / "pairs.csv"
    rows = [
        f"{number}.jpg,{number},{'even' if number % 2 == 0 else 'odd'}" for number in range(6, 12)
    ]
    table.write_text("\n".join(["photo,cover,kind", *rows]))
    pairs = read_pairs(tmp_path, table, identifier.search.catalogue)
    assert [(pair.album_id, pair.kind) for pair in pairs[:2]] == [(6, "even"), (7, "odd")]
    trial = run_photos(identifier.search, pairs)
    assert set(trial.outcomes) == {"even", "odd"}
    assert len(trial.answers) == 12
    assert sum(one.known for one in trial.outcomes.values()) == 6
    assert sum(one.strangers for one in trial.outcomes.values()) == 6
    assert all(one.matched == 1 and one.false == 0 for one in trial.outcomes.values())
    assert trial.noes[0] == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,album\n1.jpg,1", "needs the columns photo and cover"),
        ("photo,cover\n1.jpg,nobody.jpg", "line 2: no album of this artifact was built from"),
        ("photo,cover\nmissing.jpg,1", "line 2: .*missing.jpg is not there"),
        ("photo,cover\n", "names no photo"),
    ],
)
def test_a_table_of_photos_that_is_wrong_is_told_by_its_line(
    identifier: Identifier, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(BuildError, match=said):
        read_pairs(tmp_path, tmp_path / "pairs.csv", identifier.search.catalogue)
