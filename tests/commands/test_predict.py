"""`predict` names classes and probabilities, for people and as JSON, for each readable picture."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mnist.commands import predict
from mnist.models import registry, weights_io
from mnist.params import Params
from tests.conftest import ROOT
from tests.recognition.test_pictures import png, smooth

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: dict[str, Any]) -> Path:
    """The current folder, with a CNN and a detector of random weights, and a picture."""
    monkeypatch.chdir(tmp_path)
    committed["data"]["classes"] = NAMES
    Path("params.yaml").write_text(yaml.safe_dump(committed))
    params = Params.model_validate(committed)
    for name in ("cnn", "frcnn"):
        torch.manual_seed(0)
        weights_io.save(Path(f"models/{name}.safetensors"), registry.build(name, params))
    Path("two.png").write_bytes(png(1 - np.concatenate([smooth(4), smooth(7)], axis=1)).getvalue())
    return tmp_path


def test_models_are_separated_by_commas() -> None:
    arguments = parse("--models", "cnn,vit", "picture.jpg")
    assert arguments.models == ["cnn", "vit"]
    assert arguments.pictures == ["picture.jpg"]
    everything = yaml.safe_load((ROOT / "params.yaml").read_text())["models"]
    assert parse("picture.jpg").models == everything


@pytest.mark.parametrize("names", ["rnn", "cnn,rnn", "cnn,", "cnn vit"])
def test_an_unknown_model_is_an_error(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse("--models", names, "picture.jpg")
    assert stop.value.code == 2
    wrong = names.split(",")[-1]
    message = f"there is no model {wrong!r} in params.yaml; known are cnn, frcnn"
    assert message in capsys.readouterr().err


def test_a_drawing_needs_a_known_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("picture.jpg", "--show", "seen.txt")
    assert "seen.txt must end in .png" in capsys.readouterr().err


def test_the_table_shows_names_of_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict.main(parse("--models", "cnn,frcnn", "two.png", "--json"))
    (expected,) = json.loads(capsys.readouterr().out)
    first, second = expected["classifiers"]["cnn"]
    predict.main(parse("--models", "cnn,frcnn", "two.png", "--show", "seen.png"))
    head, cnn, frcnn = capsys.readouterr().out.splitlines()
    assert head == "two.png: 2 digits, from left to right"
    assert cnn.split() == [
        "CNN",
        NAMES[first["digit"]],
        NAMES[second["digit"]],
        f"{max(first['probabilities']):.1%}",
        f"{max(second['probabilities']):.1%}",
    ]
    assert frcnn.split() == ["Faster", "R-CNN", "nothing"]  # with random weights
    assert (folder / "seen.png").stat().st_size > 5000


def test_a_picture_that_cannot_be_read_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("scans").mkdir()
    Path("scans/a.png").write_bytes(png(np.ones((50, 50))).getvalue())
    Path("two.png").rename("scans/b.png")
    Path("scans/notes.txt").write_text("not a picture")
    with pytest.raises(SystemExit) as stop:
        predict.main(parse("--models", "cnn", "--json", "scans", "nowhere.png"))
    assert stop.value.code == predict.UNREADABLE
    output = capsys.readouterr()
    blank, two, missing = json.loads(output.out)
    assert "scans/a.png is blank" in blank["error"]
    assert len(two["classifiers"]["cnn"]) == 2
    assert two["picture"] == "scans/b.png"
    assert "nowhere.png is missing" in missing["error"]
    assert len(output.err.splitlines()) == 2
