"""How the starter was made: what a seed stands for, and that nothing held out is trained on.

The pictures come from packages that only a training fetches, so covers are drawn here with
plain stand-ins and without the fetched letters.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageFont

from training import captions, covers, data, names, pictures
from training.captions import Caption


@pytest.fixture
def plain_things(monkeypatch):
    """Every object is a magenta disc and every letter Pillow's own: no package is needed."""
    y, x = np.indices((320, 320)) - 160
    disc = np.zeros((320, 320, 4), np.uint8)
    disc[np.hypot(x, y) < 140] = (220, 40, 200, 255)
    things = dict.fromkeys((*covers.OBJECTS, *pictures.HELD_OUT_OBJECTS), disc)
    monkeypatch.setattr(covers, "_pictures_of", lambda designer: things)
    monkeypatch.setattr(covers, "_font", lambda name, size: ImageFont.load_default(size))


def first_of(genre: str, seed: int = 0) -> covers.Album:
    while covers.album(seed).genre != genre:
        seed += 1
    return covers.album(seed)


def test_a_seed_stands_for_one_album():
    assert covers.album(7) == covers.album(7)
    assert covers.album(7) != covers.album(8)


@pytest.mark.parametrize("genre", covers.GENRES)
def test_every_genre_draws_the_same_cover_for_the_same_seed(genre, plain_things):
    made = first_of(genre)
    first, again = covers.draw_cover(made, 96), covers.draw_cover(made, 96)
    assert first.shape == (96, 96, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)


def test_two_genres_look_different_with_the_same_facts(plain_things):
    drawn = []
    for genre in covers.GENRES:
        made = covers.Album(1, "Same Words", "Same Name", 1980, genre, "blue", ("guitar",), "noto")
        drawn.append(covers.draw_cover(made, 64).astype(int))
    for i, one in enumerate(drawn):
        assert all(np.abs(one - other).mean() > 4 for other in drawn[:i])


@pytest.mark.parametrize("colour", covers.COLOURS)
def test_most_of_a_cover_has_the_colour_it_is_said_to_have(colour, plain_things):
    made = covers.Album(3, "A Title", "A Name", 1980, "folk", colour, ("guitar",), "noto")
    shown = covers.draw_cover(made, 64).reshape(-1, 3).astype(int)
    named = {}
    for name, (hue, saturation, value) in covers.COLOURS.items():
        named[name] = covers._Page._rgb(*(sum(pair) / 2 for pair in (hue, saturation, value)))
    distances = np.stack([np.abs(shown - rgb).sum(1) for rgb in named.values()])
    nearest = np.array(list(named))[distances.argmin(0)]
    assert (nearest == colour).mean() > 0.4


def test_there_are_twenty_genres_each_with_its_own_words_and_things():
    assert len(covers.GENRES) == 20
    assert set(covers.GENRES) == set(names.WORDS) == set(captions.STYLES) == set(covers._LAYOUTS)
    for liked in covers.FAVOURITES.values():
        assert set(liked) <= set(covers.OBJECTS)


def test_names_read_like_names():
    rng = np.random.default_rng(0)
    for genre in covers.GENRES:
        for _ in range(40):
            title, artist = names.name_album(genre, rng)
            for text in (title, artist):
                assert text.strip() == text
                assert "{" not in text
                assert "  " not in text
                assert 1 < len(text) < 48


def test_the_catalogue_is_drawn_from_seeds_that_training_never_uses():
    albums = data.catalogue(300)
    assert min(made.seed for made in albums) >= covers.CATALOGUE_SEED
    assert covers.TRAINING_SEED + data.POOL < covers.CATALOGUE_SEED < covers.HELD_OUT_SEED
    assert max(made.seed for made in albums) < covers.HELD_OUT_SEED


def test_the_catalogue_has_no_album_twice_and_no_file_twice():
    albums = data.catalogue(300)
    assert len({(made.title, made.artist) for made in albums}) == 300
    assert len({data.file_name(made) for made in albums}) == 300


def test_the_held_out_objects_are_on_no_training_or_catalogue_cover():
    assert not set(pictures.HELD_OUT_OBJECTS) & set(covers.OBJECTS)
    assert covers.album(covers.HELD_OUT_SEED).objects[0] in pictures.HELD_OUT_OBJECTS


def test_the_unseen_designer_is_not_among_those_trained_on():
    assert pictures.UNSEEN not in pictures.TRAINED
    assert pictures.UNSEEN not in pictures.ON_COVERS
    assert set(pictures.ON_COVERS) <= set(pictures.TRAINED) <= set(pictures.PACKAGES)


def test_a_caption_says_what_it_claims():
    rng = np.random.default_rng(0)
    for _ in range(300):
        said = captions.of_cover("red", "jazz", ("guitar", "owl"), rng)
        assert said.fits("red", "jazz", ("guitar", "owl"))
        for name in said.objects:
            assert name in said.text
        if said.colour:
            assert any(word in said.text for word in ("red", *captions.SAME_COLOUR["red"]))
        if said.genre and not any(style in said.text for style in captions.STYLES["jazz"]):
            assert "jazz" in said.text


def test_a_caption_is_not_true_of_a_picture_that_lacks_a_part_of_it():
    said = Caption("a red album cover with a guitar", "red", ("guitar",))
    assert said.fits("red", "punk", ("owl", "guitar"))
    assert not said.fits("blue", "punk", ("guitar",))
    assert not said.fits("red", "punk", ("owl",))
    assert not said.fits(None, None, ("guitar",))


def test_all_captions_are_held_against_all_pictures_as_each_is_against_each():
    rng = np.random.default_rng(0)
    facts = [
        (colour, genre, things)
        for colour, genre in (("red", "jazz"), ("blue", "punk"), (None, None))
        for things in (("guitar",), ("owl", "guitar"), ("tree", "owl"), ("skull",))
    ]
    said = [captions.of_cover("red", "jazz", ("guitar", "owl"), rng) for _ in range(60)]
    said += [Caption("something wise", any_of=frozenset({"owl", "book"})), Caption("anything")]
    each = np.array([[text.fits(*fact) for fact in facts] for text in said])
    assert each.any()
    assert not each.all()
    assert (data.fitting(said, facts) == each).all()


def test_lines_are_filled_with_the_colours_given_and_nothing_leaks_out():
    y, x = np.indices((160, 160)) - 80
    ring = np.zeros((160, 160, 4), np.uint8)
    ring[np.abs(np.hypot(x, y) - 60) < 4, 3] = 255
    palette = np.array([[200, 30, 40], [20, 160, 220]], np.uint8)
    assert data.is_ink(ring)
    filled = 0
    for seed in range(20):
        made = data.filled_in(ring, palette, np.random.default_rng(seed))
        assert made[0, 0, 3] == 0
        if made[80, 80, 3]:
            filled += 1
            assert made[80, 80, :3].tolist() in palette.tolist()
            assert not made[80, 140, :3].any()  # the line stays black
    assert 5 < filled < 20
    assert not data.is_ink(np.full((8, 8, 4), 255, np.uint8))


@pytest.fixture
def small(monkeypatch):
    """Three batches, and trainings of a layer a tower whose words and facts need no package."""
    from training import train

    config = train.CLIPConfig
    monkeypatch.setattr(
        train, "CLIPConfig",
        lambda vision_config, text_config, **rest: config(
            vision_config={**vision_config, "num_hidden_layers": 1},
            text_config={**text_config, "num_hidden_layers": 1}, **rest,
        ),
    )  # fmt: skip
    facts = [("red", "jazz", ("guitar",)), ("blue", "punk", ("owl",))]
    monkeypatch.setattr(pictures, "catalogue_of_names", lambda: {"guitar": (), "owl": ()})
    monkeypatch.setattr(captions, "every_text", lambda: ["a red guitar", "a blue owl", "jazz"])
    data._numbers.cache_clear()
    rng = np.random.default_rng(5)

    def batch(step: int) -> data.Batch:
        said = [
            Caption("a red guitar", "red", ("guitar",)),
            Caption("jazz, much longer", None, (), "jazz"),
        ]
        pixels = rng.integers(0, 256, (3, 2, 128, 128, 3), np.uint8)
        return data.Batch(
            step, np.array([2 * step, 2 * step + 1]), *pixels, [one.text for one in said],
            data.fitting(said, facts * 2), np.array([data.numbered(*fact) for fact in facts * 2]),
            np.array([data.numbered(one.colour, one.genre, one.objects) for one in said]),
        )  # fmt: skip

    yield train, [batch(step) for step in range(3)]
    data._numbers.cache_clear()


def test_two_hands_make_the_gradient_that_one_makes(small):
    train, batches = small
    training = train.Training(train.Plan(kept_patches=1.0, kept_of_covers=1.0))
    found = []
    for count in (1, 2):
        hands = train.Hands(training.tokenizer, count)
        hands.take(training.model)
        jobs = hands.jobs([(batches[0].clean, 1.0)], batches[0].texts, part=1)
        assert len(jobs) == count
        assert all(jobs)
        rows, made = hands.forward(jobs)
        (rows[:2] - rows[2:]).square().sum().backward()
        hands.backward(rows, jobs, made)
        training.model.zero_grad()
        hands.give(training.model)
        grad = training.model.vision_model.encoder.layers[0].mlp.fc1.weight.grad
        found.append((rows.detach().numpy(), grad.numpy().ravel()))
    (rows, grad), (same_rows, same_grad) = found
    assert np.allclose(rows, same_rows, atol=1e-6)
    cosine = grad @ same_grad / np.linalg.norm(grad) / np.linalg.norm(same_grad)
    assert cosine > 0.999  # bfloat16 sums in another order


def test_a_resumed_training_goes_on_as_an_unbroken_one_would(small, tmp_path):
    train, batches = small
    plan = train.Plan(steps=3, warmup=1)
    unbroken = train.Training(plan, tmp_path)
    for batch in batches[:2]:
        unbroken.one(batch)
    unbroken.save()
    expected = unbroken.one(batches[2])
    resumed = train.Training(plan, tmp_path)
    assert resumed.resume()
    assert resumed.step == 2
    assert resumed.one(batches[2]) == pytest.approx(expected, rel=1e-3)

    fresh = train.Training(plan, tmp_path / "another")
    assert not fresh.resume()
    fresh.start(tmp_path / "checkpoint.pt")
    assert fresh.step == fresh.began == 2
    assert fresh.rate() == plan.peak_rate


def test_things_take_the_article_they_need():
    assert captions.a_thing("owl") == "an owl"
    assert captions.a_thing("guitar") == "a guitar"
    assert captions.a_thing("unicorn") == "a unicorn"
    assert captions.a_thing("umbrella") == "an umbrella"
    assert captions.a_thing("headphones") == "headphones"
    assert captions.a_thing("moon") == "the moon"


@pytest.mark.parametrize("shape", [(512, 512), (640, 480), (480, 853), (130, 128), (90, 200)])
def test_pictures_are_prepared_as_the_engine_prepares_them(shape):
    from PIL import Image

    from engine.covers.image import Preprocessing, to_pixels

    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (9, 9, 3)).astype(np.uint8)
    image = Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    ours = data.prepared(np.asarray(image))
    theirs = np.asarray(to_pixels(image, Preprocessing(128, (0, 0, 0), (1, 1, 1))))
    assert ours.shape == (128, 128, 3)
    assert np.abs(ours.astype(int) - theirs).mean() < 1


def test_kept_photos_are_of_the_whole_camera_they_were_taken_with():
    from training.held_out import drawn_by

    names = {path.name for path in drawn_by()}
    assert {"photo.py", "camera.py", "coverings.py", "surroundings.py", "drawing.py"} <= names
    assert "covers.py" in names
