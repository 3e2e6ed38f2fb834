"""QMNIST is read as its authors wrote it, and its writers widen the intervals."""

import argparse
import json
import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from statsmodels.api import OLS

from mnist.atomic_io import round_numbers
from mnist.commands import qmnist
from mnist.errors import UserError
from mnist.evaluation.predictions import predict
from mnist.models import registry, weights_io
from mnist.params import Params
from tests.digits import digits, write_idx

RAW = Path("data/qmnist/QMNIST/raw")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: dict[str, Any]) -> Params:
    """The current folder, with a CNN of random weights. MNIST has 40 test digits there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(qmnist, "MNIST_DIGITS", 40)
    Path("params.yaml").write_text(yaml.safe_dump(committed))
    params = Params.model_validate(committed)
    torch.manual_seed(0)
    weights_io.save(Path("models/cnn.safetensors"), registry.build("cnn", params))
    return params


def write_qmnist() -> np.ndarray:
    """Write 100 test digits of 7 writers in QMNIST's format; returns the labels (100, 8)."""
    images, classes = digits()
    columns = np.zeros((100, 8), dtype=int)
    columns[:, 0], columns[:, 2] = classes[:100], 2100 + np.arange(100) % 7
    columns[:, 3:6] = np.arange(300).reshape(100, 3)
    RAW.mkdir(parents=True)
    write_idx(RAW / "qmnist-test-images-idx3-ubyte", images[:100])
    header = struct.pack(">BBBBII", 0, 0, 12, 2, *columns.shape)
    (RAW / "qmnist-test-labels-idx2-int").write_bytes(header + columns.astype(">i4").tobytes())
    return columns


def run(*arguments: str) -> None:
    parser = argparse.ArgumentParser()
    qmnist.add_arguments(parser)
    qmnist.main(parser.parse_args(arguments))


def test_the_files_are_read_as_digits_with_their_writers(project: Params) -> None:
    columns = write_qmnist()
    images, labels = qmnist.load_qmnist(Path("data/qmnist"))
    np.testing.assert_array_equal(images, digits()[0][:100])
    np.testing.assert_array_equal(labels, columns)
    assert images.dtype == torch.uint8


def test_both_parts_are_measured(project: Params, capsys: pytest.CaptureFixture[str]) -> None:
    columns = write_qmnist()
    run("--models", "cnn", "--json", "found.json")
    model = registry.load("cnn", Path("models/cnn.safetensors"))
    predicted = predict(model, torch.from_numpy(digits()[0][:100]), 200).predicted
    wrong, writers = predicted != columns[:, 0], columns[:, 2]
    found = json.loads(Path("found.json").read_text())
    for part, rows in (("mnist", slice(40)), ("further", slice(40, None))):
        expected = qmnist.error_rate(wrong[rows], writers[rows])
        assert found["cnn"][part] == round_numbers(expected)
    title, row = capsys.readouterr().out.splitlines()
    assert title.split() == ["mnist", "(40", "digits)", "further", "(60", "digits)"]
    assert row.startswith(f"cnn      {wrong[:40].mean():.2%} (")
    assert f" {wrong[40:].mean():.2%} (" in row


def clustered() -> tuple[np.ndarray, np.ndarray]:
    """Errors of 30 writers with 20 to 49 digits each, who differ in how clearly they write."""
    random = np.random.default_rng(0)
    writers = np.repeat(100 + np.arange(30), np.arange(20, 50))
    return random.random(len(writers)) < random.beta(0.5, 9.5, 130)[writers], writers


def test_the_interval_is_that_of_a_cluster_robust_regression() -> None:
    errors, writers = clustered()
    found = qmnist.error_rate(errors, writers)
    fit = OLS(errors.astype(float), np.ones(len(errors))).fit(
        cov_type="cluster", cov_kwds={"groups": writers}, use_t=True
    )
    assert found["error_ci95"] == pytest.approx(fit.conf_int()[0].tolist())
    rate = errors.mean()
    effect = fit.bse[0] ** 2 / (rate * (1 - rate) / len(errors))
    assert found["design_effect"] == pytest.approx(effect)
    assert effect > 1.5
    assert (found["digits"], found["writers"]) == (len(errors), 30)
    assert found["errors"] == errors.sum() == pytest.approx(found["error"] * len(errors))


def test_digits_of_a_writer_each_have_no_design_effect() -> None:
    errors = clustered()[0]
    found = qmnist.error_rate(errors, np.arange(len(errors)))
    assert found["design_effect"] == pytest.approx(len(errors) / (len(errors) - 1))


def test_an_interval_stays_between_0_and_1() -> None:
    writers, errors = np.arange(20) // 5, np.arange(20) == 0
    assert qmnist.error_rate(errors, writers)["error_ci95"][0] == 0
    assert qmnist.error_rate(~errors, writers)["error_ci95"][1] == 1


def test_a_model_without_errors_has_no_effect_to_report() -> None:
    found = qmnist.error_rate(np.zeros(20, dtype=bool), np.arange(20) // 2)
    assert (found["error_ci95"], found["design_effect"]) == ([0, 0], None)


def test_without_a_network_one_line_says_so(
    project: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    with pytest.raises(UserError, match="QMNIST cannot be downloaded .*Name or service not known"):
        run("--models", "cnn")


def test_a_file_that_was_cut_short_is_an_error(project: Params) -> None:
    write_qmnist()
    labels = RAW / "qmnist-test-labels-idx2-int"
    labels.write_bytes(labels.read_bytes()[:-4])
    with pytest.raises(UserError, match="data/qmnist is damaged; delete it"):
        run("--models", "cnn")
