"""`python -m mnist timing` copies the times of the weights at hand."""

import argparse
import json
from pathlib import Path

import pytest
import yaml

from mnist.atomic_io import sha256
from mnist.commands import timing
from tests.reporting.synthetic import TIMING, make_params, write_json


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights of three models, of which the CNN's and the ViT's have a time."""
    models = ("cnn", "vgg16", "vit")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(make_params(models).model_dump()))
    (tmp_path / "models").mkdir()
    for name in models:
        weights = tmp_path / f"models/{name}.safetensors"
        weights.write_text(f"weights of {name}")
        if name != "vgg16":
            value = TIMING | {"weights_sha256": sha256(weights)}
            write_json(tmp_path / f"models/{name}.timing.json", value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def collect() -> dict[str, dict[str, object]]:
    timing.main(argparse.Namespace())
    return json.loads(timing.TIMING.read_text())


def test_it_copies_only_the_times_of_the_weights_at_hand(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "models/vit.safetensors").write_text("trained again, elsewhere")
    timings = collect()
    assert list(timings) == ["cnn"]
    assert timings["cnn"]["train_seconds"] == 183.2
    cnn, vgg16, vit = capsys.readouterr().out.splitlines()
    assert cnn == "cnn: copied; 183 s on Z80"
    assert vgg16 == "vgg16: not copied; models/vgg16.timing.json is missing"
    assert "vit: not copied; models/vit.timing.json is of other weights" in vit


def test_what_is_not_at_hand_stays_as_it_was(project: Path) -> None:
    write_json(project / "metrics/timing.json", {"vgg16": TIMING, "cnn": {}, "lenet": {}})
    timings = collect()
    assert list(timings) == ["cnn", "vgg16", "vit"]  # in the order of params.yaml
    assert timings["vgg16"] == TIMING
    assert timings["cnn"]["cpu"] == "Z80"
