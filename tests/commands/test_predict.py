"""`predict` names classes and probabilities, for people and as JSON, for each readable picture."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mnist.commands import predict
from mnist.files import write_json
from mnist.models import registry, weights_io
from mnist.params import Params
from mnist.recognition import recognize
from mnist.recognition.recognize import Digit, Reading
from tests.conftest import ROOT
from tests.recognition.test_pictures import png, smooth

CALIBRATION = {"temperature": 1, "least_confidence": 0}
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


@pytest.mark.parametrize("names", ["rnn", "cnn,"])
def test_an_unknown_model_is_an_error(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse("--models", names, "picture.jpg")
    assert stop.value.code == 2
    assert f"{names!r}: the models are cnn, frcnn, " in capsys.readouterr().err


def test_the_table_shows_names_of_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict.main(parse("--models", "cnn,frcnn", "two.png", "--json"))
    (expected,) = json.loads(capsys.readouterr().out)
    first, second = expected["models"]["cnn"]
    predict.main(parse("--models", "cnn,frcnn", "two.png", "--show", "seen.png"))
    head, cnn, frcnn = capsys.readouterr().out.splitlines()
    assert head == "two.png: 2 digits, from left to right"
    assert cnn.split() == [
        "cnn",
        NAMES[first["digit"]],
        NAMES[second["digit"]],
        f"{first['confidence']:.1%}",
        f"{second['confidence']:.1%}",
    ]
    assert frcnn.split() == ["frcnn", "nothing"]  # with random weights
    assert (folder / "seen.png").stat().st_size > 5000


def test_commas_part_names_of_several_words() -> None:
    pixels = np.zeros((2, 28, 28))
    digits = [Digit(0, 0.5, unlike=True, box=(), probabilities=[]), Digit(1, 1, False, (), [])]
    reading = Reading(pixels[0], 1, pixels, {"cnn": digits})
    table = predict.as_table("two.png", reading, ["ankle boot", "bag"])
    assert table.splitlines()[1] == "  cnn       ankle boot?, bag   50.0% 100.0%"


def test_what_cannot_be_read_is_named_and_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("scans/more").mkdir(parents=True)
    Path("scans/a.png").write_bytes(png(np.ones((50, 50))).getvalue())
    Path("two.png").rename("scans/b.PNG")  # as cameras write it
    Path("scans/notes.txt").write_text("not a picture")
    with pytest.raises(SystemExit) as stop:
        predict.main(parse("--models", "cnn", "scans", "nowhere.png", "scans/more"))
    assert stop.value.code == 2
    output = capsys.readouterr()
    assert [line for line in output.out.splitlines() if not line.startswith(" ")] == [
        "scans/a.png: not read",
        "scans/b.PNG: 2 digits, from left to right",
        "nowhere.png: not read",
        "scans/more: not read",
    ]
    assert output.err.splitlines() == [
        "predict: 3 of 4 not read:",
        "  scans/a.png is blank: nothing in it stands out from the background.",
        "  nowhere.png cannot be read: No such file or directory.",
        "  scans/more cannot be read: no picture is in it.",
    ]


def test_what_is_unlike_a_digit_is_marked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json("metrics/details/cnn.json", CALIBRATION | {"least_confidence": 1.01})
    predict.main(parse("--models", "cnn", "two.png"))
    _, digits, warning = capsys.readouterr().out.splitlines()
    assert digits.count("?") == 2
    assert warning.startswith("  warning: ? marks")
    write_json("metrics/details/cnn.json", CALIBRATION | {"temperature": 1e-6})
    predict.main(parse("--models", "cnn", "two.png"))
    assert "?" not in (line := capsys.readouterr().out)
    assert "100.0% 100.0%" in line


def test_the_documented_json_is_what_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs/predict.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    monkeypatch.setattr(recognize, "SCORE_THRESHOLD", 0.0)  # the detector's weights are random
    with pytest.raises(SystemExit):
        predict.main(parse("--models", "cnn,frcnn", "two.png", "nowhere.png", "--json"))
    read, error = json.loads(capsys.readouterr().out)
    expected = kinds(json.loads(example))
    for model in ("cnn", "frcnn"):  # both have the same form
        assert read["models"][model]
        alike = read | {"models": {"cnn": read["models"][model]}}
        assert kinds([alike, error]) == expected


def kinds(value: Any, path: str = "") -> set[str]:
    """Where in nested JSON there is a value of which type; all items of a list count as one."""
    if isinstance(value, dict):
        return set().union(*(kinds(item, f"{path}.{key}") for key, item in value.items()))
    if isinstance(value, list):
        return set().union(*(kinds(item, f"{path}[]") for item in value))
    return {f"{path}: {type(value).__name__}"}
