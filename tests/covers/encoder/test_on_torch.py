"""`encoder/on_torch.py`: pixels, texts → embeddings. The reference is transformers itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import WORDS, write_clip
from PIL import Image

from engine.base.errors import BuildError, EncoderUnavailable, Internal, SettingsError
from engine.covers.encoder.folder import digest_of_folder, read_preprocessing
from engine.covers.encoder.on_torch import TorchEncoder, open_torch_encoder
from engine.covers.encoder.tokens import Tokenizer, context_length
from engine.covers.image import to_pixels
from engine.covers.making.encoder import copy_encoder, find_encoder
from engine.vectors.embeddings import unit_rows

TEXTS = [
    "a red album cover",
    "",
    "guitar",
    "jazz metal on the stage " * 40,
    "ÄÖ 日本 🎸",
    "  A  RED  ",
]


@pytest.fixture(scope="module")
def encoder(tiny_clip: Path) -> TorchEncoder:
    return TorchEncoder(tiny_clip, "tiny", precision="fp32")


@pytest.fixture(scope="module")
def theirs(tiny_clip: Path) -> Any:
    """(images, texts) → unit rows, through transformers' own model, processor and tokenizer."""
    import torch
    from transformers import CLIPImageProcessor, CLIPModel, PreTrainedTokenizerFast

    model = CLIPModel.from_pretrained(tiny_clip).eval()
    processor = CLIPImageProcessor.from_pretrained(tiny_clip)
    end = "<|endoftext|>"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(tiny_clip / "tokenizer.json"), pad_token=end, eos_token=end
    )

    def rows(output: Any) -> np.ndarray:
        # transformers 5 gives the whole output, 4 the features alone.
        return unit_rows(getattr(output, "pooler_output", output).numpy())

    def images(pictures: list[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            return rows(model.get_image_features(**processor(images=pictures, return_tensors="pt")))

    def texts(words: list[str]) -> np.ndarray:
        read = tokenizer(words, padding=True, truncation=True, max_length=77, return_tensors="pt")
        with torch.inference_mode():
            return rows(
                model.get_text_features(
                    input_ids=read["input_ids"], attention_mask=read["attention_mask"]
                )
            )

    return images, texts


def pictures(count: int, seed: int = 0) -> list[Image.Image]:
    rng = np.random.default_rng(seed)
    return [
        Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(
            (40 + 13 * i, 90 - 7 * i), Image.Resampling.BICUBIC
        )
        for i in range(count)
    ]


def pixels(encoder: TorchEncoder, images: list[Image.Image]) -> np.ndarray:
    return np.stack([to_pixels(image, encoder.preprocessing) for image in images])


def test_images_embed_as_in_transformers(encoder: TorchEncoder, theirs: Any) -> None:
    images = pictures(6)
    found = encoder.embed_images(pixels(encoder, images))
    assert (found.shape, found.dtype) == ((6, 32), np.float32)
    # Their resize may differ from ours by a rounding of a pixel or two; the towers do not.
    assert np.abs(found - theirs[0](images)).max() < 2e-3
    exact = [Image.fromarray(one) for one in pixels(encoder, images)]
    assert np.abs(found - theirs[0](exact)).max() < 1e-4


def test_texts_embed_as_in_transformers(encoder: TorchEncoder, theirs: Any) -> None:
    for texts in (TEXTS, TEXTS[:1]):
        assert np.abs(encoder.embed_texts(texts) - theirs[1](texts)).max() < 1e-4


def test_rows_are_of_unit_length(encoder: TorchEncoder) -> None:
    rows = np.concatenate(
        [encoder.embed_images(pixels(encoder, pictures(5))), encoder.embed_texts(TEXTS)]
    )
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-5


def test_nothing_gives_no_rows(encoder: TorchEncoder) -> None:
    assert encoder.embed_images(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 32)
    assert encoder.embed_texts([]).shape == (0, 32)


def test_company_in_a_batch_changes_no_embedding(encoder: TorchEncoder) -> None:
    together = encoder.embed_texts(TEXTS)  # the short ones are padded to 77
    alone = np.concatenate([encoder.embed_texts([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    seen = pixels(encoder, pictures(5))
    one_by_one = np.concatenate([encoder.embed_images(one[None]) for one in seen])
    assert np.abs(encoder.embed_images(seen) - one_by_one).max() < 1e-5


def test_a_read_only_batch_is_taken(encoder: TorchEncoder) -> None:
    seen = pixels(encoder, pictures(2))
    expected = encoder.embed_images(seen)
    seen.flags.writeable = False
    assert np.array_equal(encoder.embed_images(seen), expected)
    assert np.array_equal(encoder.embed_images(seen[::-1]), expected[::-1])


def test_bf16_stays_close(tiny_clip: Path, encoder: TorchEncoder) -> None:
    rounded = TorchEncoder(tiny_clip, "tiny", precision="bf16")
    assert (rounded.precision, rounded.runtime) == ("bf16", "torch-cpu")
    seen = pixels(encoder, pictures(6))
    for one, other in (
        (encoder.embed_images(seen), rounded.embed_images(seen)),
        (encoder.embed_texts(TEXTS), rounded.embed_texts(TEXTS)),
    ):
        assert np.abs(np.linalg.norm(other, axis=1) - 1).max() < 1e-5
        assert np.sum(one * other, axis=1).min() > 0.999
        assert not np.array_equal(one, other)  # it was another precision


def test_a_gpu_that_is_not_there_is_named(tiny_clip: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("engine.covers.encoder.on_torch.cuda_available", lambda: False)
    with pytest.raises(SettingsError, match="SHAZAM_RUNTIME='torch-cuda'"):
        open_torch_encoder(tiny_clip, "tiny", runtime="torch-cuda")


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_row_without_a_direction_is_a_bug_with_a_name(bad: float) -> None:
    with pytest.raises(Internal, match="no direction"):
        unit_rows(np.array([[1.0, 0.0], [bad, 0.0]]))
    assert unit_rows(np.zeros((0, 4))).shape == (0, 4)
    assert unit_rows(np.array([[3.0, 4.0]])).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]


# --- tokens -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer(tiny_clip: Path) -> Tokenizer:
    return Tokenizer(tiny_clip / "tokenizer.json")


def test_a_long_text_is_cut_and_keeps_its_end(tokenizer: Tokenizer) -> None:
    start, end = tokenizer([""])[0].tolist()
    ids = tokenizer(["red guitar " * 500])
    assert ids.shape == (1, 77)
    assert (ids[0, 0], ids[0, -1]) == (start, end)
    assert end not in ids[0, 1:-1].tolist()
    # The 76th token and before are those of the uncut text.
    assert ids[0, :20].tolist() == tokenizer(["red guitar " * 10])[0, :20].tolist()


def test_rows_are_padded_with_the_end_token(tokenizer: Tokenizer) -> None:
    start, end = tokenizer([""])[0].tolist()
    ids = tokenizer(["", "a red album cover"])
    assert ids.dtype == np.int64
    assert ids[0].tolist() == [start] + [end] * (ids.shape[1] - 1)
    assert tokenizer([]).shape[0] == 0


def test_lengths_are_rounded_up_for_fewer_shapes(tokenizer: Tokenizer) -> None:
    assert tokenizer([""], (8, 16)).shape == (1, 8)
    assert tokenizer(["red guitar " * 500], (8, 16)).shape == (1, 77)


def test_words_are_counted_as_the_encoder_reads_them(tokenizer: Tokenizer) -> None:
    assert tokenizer.count(["", "red"]) == 2 + 3
    assert tokenizer.count(["red guitar " * 500]) == 77


def test_a_shorter_context_of_the_encoder_is_kept_to(tmp_path: Path) -> None:
    for text_config, length in (({"max_position_embeddings": 16}, 16), ({}, 77)):
        (tmp_path / "config.json").write_text(json.dumps({"text_config": text_config}))
        assert context_length(tmp_path) == length


# --- folders ------------------------------------------------------------------------------------


def test_a_folder_is_found_as_it_is(tiny_clip: Path) -> None:
    assert find_encoder(str(tiny_clip)) == tiny_clip


def test_a_folder_that_is_no_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match=r"holds no config\.json"):
        find_encoder(str(tmp_path))


@pytest.mark.parametrize("name", ["openai/clip-vit-base-patch32", "no such/encoder at all", "typo"])
def test_offline_a_hub_id_is_an_error_with_the_way_out(name: str) -> None:
    with pytest.raises(EncoderUnavailable) as refusal:
        find_encoder(name)
    assert name in refusal.value.message
    assert "--encoder FOLDER" in refusal.value.message
    assert "artifacts/starter/encoder" in refusal.value.message


def test_a_folder_is_copied_without_its_other_files(tiny_clip: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tiny_clip, tmp_path / "source"))
    (source / "pytorch_model.bin").write_bytes(b"old")
    (source / "evil.py").write_text("print()")
    copy_encoder(source, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
    ]


def test_a_folder_of_an_older_time_is_converted(
    tiny_clip: Path, encoder: TorchEncoder, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    source = Path(shutil.copytree(tiny_clip, tmp_path / "old"))
    torch.save(load_file(source / "model.safetensors"), source / "pytorch_model.bin")
    model = json.loads((source / "tokenizer.json").read_text())["model"]
    (source / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (source / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    (source / "model.safetensors").unlink()
    (source / "tokenizer.json").unlink()
    copy_encoder(source, tmp_path / "new")
    converted = TorchEncoder(tmp_path / "new", "converted", precision="fp32")
    seen = pixels(encoder, pictures(3))
    assert np.array_equal(converted.embed_images(seen), encoder.embed_images(seen))
    texts = [" ".join(WORDS), "A red GUITAR", ""]
    assert np.abs(converted.embed_texts(texts) - encoder.embed_texts(texts)).max() < 1e-5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "config.json").write_text('{"model_type": "bert"}'), "'bert' model"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "config.json").write_text("[]"), "cannot be read"),
        (lambda f: (f / "model.safetensors").unlink(), "cannot be converted"),
        (lambda f: (f / "tokenizer.json").unlink(), "cannot be converted"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "holds no preprocessor_config"),
    ],
)
def test_a_folder_that_lacks_something_is_named(
    change: Any, words: str, tiny_clip: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(tiny_clip, tmp_path / "source"))
    change(source)
    with pytest.raises(BuildError, match=words):
        copy_encoder(source, tmp_path / "copy")


def as_transformers_5(folder: Path) -> Path:
    """The encoder folder as `CLIPProcessor.save_pretrained` of transformers 5 writes it."""
    old = folder / "preprocessor_config.json"
    nested = {"image_processor": json.loads(old.read_text()), "processor_class": "CLIPProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(nested))
    old.unlink()
    return folder


def test_a_folder_of_transformers_5_is_read(tiny_clip: Path, tmp_path: Path) -> None:
    source = as_transformers_5(Path(shutil.copytree(tiny_clip, tmp_path / "source")))
    copy_encoder(find_encoder(str(source)), tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
    ]
    assert read_preprocessing(tmp_path / "copy") == read_preprocessing(tiny_clip)
    assert digest_of_folder(tmp_path / "copy") == digest_of_folder(tiny_clip)


def test_of_two_preprocessings_the_one_that_transformers_reads_is_taken(
    tiny_clip: Path, tmp_path: Path
) -> None:
    source = as_transformers_5(Path(shutil.copytree(tiny_clip, tmp_path / "source")))
    config = json.loads((tiny_clip / "preprocessor_config.json").read_text())
    (source / "preprocessor_config.json").write_text(json.dumps({**config, "image_mean": [0] * 3}))
    copy_encoder(source, tmp_path / "copy")
    assert read_preprocessing(tmp_path / "copy") == read_preprocessing(tiny_clip)
    # One of before version 5 says nothing of pictures.
    (source / "processor_config.json").write_text('{"processor_class": "CLIPProcessor"}')
    copy_encoder(source, tmp_path / "old")
    assert read_preprocessing(tmp_path / "old").mean == (0, 0, 0)


def test_damaged_processor_settings_are_named(tiny_clip: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tiny_clip, tmp_path / "source"))
    (source / "processor_config.json").write_text("{")
    with pytest.raises(BuildError, match=r"processor_config\.json cannot be read"):
        copy_encoder(source, tmp_path / "copy")


def test_preprocessing_we_do_not_do_is_named(tmp_path: Path) -> None:
    for text in ('{"size": 224}', "[]", '{"crop_size": {}, "size": 3}', "3", "{"):
        (tmp_path / "preprocessor_config.json").write_text(text)
        with pytest.raises(BuildError, match="preprocessing we do not do"):
            read_preprocessing(tmp_path)


def test_random_weights_are_the_same_for_the_same_seed(tiny_clip: Path, tmp_path: Path) -> None:
    again = write_clip(tmp_path / "again")
    name = "model.safetensors"
    assert (again / name).read_bytes() == (tiny_clip / name).read_bytes()
