"""params.yaml is strict: what cannot work is refused by name before any work."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mnist.errors import UserError
from mnist.params import load_params


def load(tmp_path: Path, values: Any) -> Any:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_params(path)


def put(values: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    *sections, last = key.split(".")
    section = values
    for name in sections:
        section = section[name]
    section[last] = value
    return values


@pytest.mark.parametrize("key", ["cnn.lr", "cnn.head_lr", "cnn.augmentation.scale"])
def test_numbers_that_dvc_writes_as_text_are_numbers(
    tmp_path: Path, committed: dict[str, Any], key: str
) -> None:
    # `dvc exp run -S cnn.lr=1e-5` writes 1e-05, which YAML 1.1 takes for a string.
    value: Any = load(tmp_path, put(committed, key, "1e-05"))
    for part in key.split("."):
        value = getattr(value, part)
    assert value == 1e-5


def test_names_of_classes_and_the_list_of_models_are_free(
    tmp_path: Path, committed: dict[str, Any]
) -> None:
    put(committed, "data.classes", ["0.5", "T-shirt"])
    put(committed, "models", ["vit", "cnn"])
    params = load(tmp_path, committed)
    assert (params.data.classes, params.models) == (["0.5", "T-shirt"], ["vit", "cnn"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("cnn.lrate", 0.1, "cnn.lrate is not a known key"),
        ("cnn.lr", float("nan"), "cnn.lr = nan"),
        ("cnn.epochs", 0, "cnn.epochs = 0: input should be greater than 0"),
        ("cnn.optimizer", "adam", "'adamw' or 'sgd'"),
        ("vit.hard_example_mining", 0.5, "vit.hard_example_mining = 0.5"),
        ("cnn.strides", [2, 1, 0, 1], "cnn.strides.2 = 0"),
        ("frcnn.crop_size", 27, "frcnn.crop_size = 27"),
        ("frcnn.crops_per_scene", 1, "frcnn.crops_per_scene = 1"),
        ("frcnn.scenes.digits_min", 9, "frcnn.scenes: digits_min = 9 is more than 5"),
        ("vgg16.weights", "none", "frozen_blocks = 2 would keep random weights"),
        ("vit.patch_size", 5, "patch_size = 5 does not divide 28"),
        ("vit.heads", 7, "dim = 160 is not divisible by heads = 7"),
        ("data.classes", ["only"], "data.classes"),
        ("data.classes", [0, 1], "data.classes.0 = 0"),
        ("seed", 2**32, "seed = 4294967296"),
        ("models", [], "models = []"),
        ("models", ["cnn", "evaluate"], "models: 'evaluate' is unknown"),
        ("models", ["cnn", "cnn"], "models: 'cnn' is unknown or there twice"),
    ],
)
def test_a_wrong_value_is_refused_by_name_in_one_line(
    tmp_path: Path, committed: dict[str, Any], key: str, value: object, message: str
) -> None:
    with pytest.raises(UserError) as refusal:
        load(tmp_path, put(committed, key, value))
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_key_is_named(tmp_path: Path, committed: dict[str, Any]) -> None:
    del committed["cnn"]["lr"]
    with pytest.raises(UserError, match=r"cnn\.lr is missing"):
        load(tmp_path, committed)


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [1\n", None])
def test_a_file_that_holds_no_sections_or_is_missing_is_named(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=r"params\.yaml"):
        load_params(path)
