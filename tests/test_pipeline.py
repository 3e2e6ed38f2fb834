"""The whole pipeline through DVC, in a small copy of this repository, on small real digits."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

from mnist.atomic_io import sha256
from mnist.data import backbones, checksums
from mnist.models.fine_tuned import make_backbone
from mnist.params import load_params
from mnist.reporting.seeds import COLUMNS
from mnist.training.lock import training_lock
from tests.conftest import ROOT
from tests.digits import digits, write_data_set

MODELS = load_params(ROOT / "params.yaml").models
SHORT = {"epochs": 2, "batch_size": 32}
START_CNN = "import stages.train_cnn as s; from mnist.errors import run; run(s.main)"
Command = Callable[..., str]


def git_files() -> list[str]:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in result.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of its own: the code, small parameters, the four IDX files of small digits."""
    folder = tmp_path_factory.mktemp("tiny")
    for name in git_files():
        if not name.startswith(("tests/", "report/", "metrics/")) and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "metrics").mkdir()
    (folder / "metrics/seeds.csv").write_text(",".join(COLUMNS) + "\n")
    for name in ("benchmark", "timing"):
        (folder / f"metrics/{name}.json").write_text("{}\n")
    write_data_set(folder / "data/own")
    publish_small_data(folder)
    params: dict[str, Any] = yaml.safe_load((folder / "params.yaml").read_text())
    params["data"] |= {"sources": ["own"], "weights_sources": ["own"], "validation_size": 200}
    params["cnn"] |= SHORT | {"epochs": 8, "widths": [8, 16, 16, 32]}
    params["frcnn"] |= SHORT | {"hidden": 32, "proposals": 20, "batch_size": 8}
    params["vgg16"] |= SHORT | {"epochs": 0.3, "last_pool": False, "input_size": 16}
    params["alexnet"] |= SHORT | {"input_size": 31}
    params["vit"] |= SHORT | {"dim": 40, "heads": 4, "depth": 2, "mlp_dim": 64}
    params["evaluate"] |= {"scenes": 20}
    params["evaluate"]["robustness"] |= {"digits": 50, "attacked_digits": 20}
    params["runtime"]["threads"] = 1  # a second thread only slows such small work down
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run = command_in(folder)
    run("git", "init", "--quiet")
    run("git", "config", "user.name", "Test")
    run("git", "config", "user.email", "test@example.org")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "tiny")
    run("dvc", "repro")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "first results")
    return folder


def publish_small_data(folder: Path) -> None:
    """Let the copy of the code take random backbones for ImageNet's and the digits for MNIST."""
    published = {}
    for network, checksum in backbones.CHECKSUMS.items():
        torch.manual_seed(0)
        backbone = make_backbone(network).state_dict()
        save_file(backbone, folder / f"data/own/{network}.safetensors")
        published[checksum] = backbones.checksum(backbone, network)
    for name, checksum in checksums.CHECKSUMS.items():
        published[checksum] = sha256(folder / "data/own" / name)
    for module in ("backbones", "checksums"):
        path = folder / f"mnist/data/{module}.py"
        code = path.read_text()
        for old, new in published.items():
            code = code.replace(old, new)
        path.write_text(code)
    path = folder / "mnist/reporting/label_errors.py"
    code = re.sub(r"CORRECTED = {.*?}", "CORRECTED = {7: 6}", path.read_text(), flags=re.S)
    path.write_text(re.sub(r"AMBIGUOUS = \(.*?\)", "AMBIGUOUS = (8,)", code))


def command_in(folder: Path) -> Command:
    def run(*command: str, fails: bool = False) -> str:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400)
        output = result.stdout + result.stderr
        assert (result.returncode != 0) == fails, output
        return output

    return run


@pytest.fixture
def run(tiny: Path) -> Command:
    """Run a command in the tiny repository, reset to its first results."""
    command = command_in(tiny)
    command("git", "reset", "--hard", "--quiet")
    command("git", "clean", "--quiet", "-d", "--force")
    command("dvc", "checkout", "--force", "--quiet")
    return command


def ran(output: str) -> list[str]:
    """The stages that really ran, in order."""
    lines = [line for line in output.splitlines() if line.startswith("Running stage '")]
    return [line.split("'")[1] for line in lines]


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_it_writes_every_file_of_the_contract(tiny: Path) -> None:
    per_model = (
        "models/{}.safetensors",
        "models/{}.timing.json",
        "metrics/test/{}.json",
        "metrics/details/{}.json",
        "metrics/train/{}.json",
        "metrics/curves/{}.csv",
        "metrics/predictions/{}.csv",
        "metrics/reliability/{}.csv",
        "metrics/robustness/{}.csv",
        "metrics/attacks/{}.csv",
        "metrics/examples/{}.json",
    )
    shared = ("metrics/comparison.json", "report/index.html", "report/README.md")
    for file in (*(file.format(name) for file in per_model for name in MODELS), *shared):
        assert (tiny / file).stat().st_size > 0, file
    headline = json.loads((tiny / "metrics/test/cnn.json").read_text())
    assert headline.keys() == {"accuracy", "f1_macro", "errors", "nll", "ece"}
    assert headline["accuracy"] > 0.7  # 1,000 training digits; chance is 0.1
    assert not list(tiny.rglob("*.tmp"))


def test_each_model_is_built_and_trained_as_its_own_section_says(tiny: Path) -> None:
    params = yaml.safe_load((tiny / "params.yaml").read_text())
    for name in MODELS:
        training = json.loads((tiny / f"metrics/train/{name}.json").read_text())
        assert training["epochs"] == pytest.approx(params[name]["epochs"], abs=0.05), name
        assert training["train_tflop"] > 0
    weights = {name: load_file(tiny / f"models/{name}.safetensors") for name in MODELS}
    assert weights["cnn"]["features.0.weight"].shape[0] == 8
    assert weights["vit"]["position"].shape[-1] == 40
    assert weights["alexnet"]["head.2.weight"].shape[0] == params["alexnet"]["hidden"]
    assert weights["vgg16"]["head.2.weight"].shape[0] == 10  # no hidden layer
    start = load_file(tiny / "data/weights/vgg16.safetensors")
    assert torch.equal(weights["vgg16"]["backbone.5.weight"], start["5.weight"])  # frozen
    assert not torch.equal(weights["vgg16"]["backbone.10.weight"], start["10.weight"])
    moved = (weights["vgg16"]["backbone.10.weight"] - start["10.weight"]).abs().max()
    assert moved < 0.05  # it started from these weights


def test_the_test_split_is_what_is_evaluated(tiny: Path) -> None:
    _, labels = digits()
    actual = [int(row["actual"]) for row in read_csv(tiny / "metrics/predictions/cnn.csv")]
    assert actual == labels[1200:1600].tolist()


def test_a_curve_has_eight_rows_and_ends_on_all_validation_digits(tiny: Path) -> None:
    for name in MODELS:
        rows = read_csv(tiny / f"metrics/curves/{name}.csv")
        assert len(rows) >= 8, name
        assert rows[-1]["val_digits"] == "200"


def test_the_detector_is_measured_on_digits_and_on_scenes(tiny: Path) -> None:
    headline = json.loads((tiny / "metrics/test/frcnn.json").read_text())
    assert headline.keys() >= {"missed", "map", "map_50", "map_75"}
    details = json.loads((tiny / "metrics/details/frcnn.json").read_text())
    assert details["scenes"] == 20
    rows = read_csv(tiny / "metrics/predictions/frcnn.csv")
    missed = [row for row in rows if row["predicted"] == "-1"]
    assert len(missed) == headline["missed"]
    assert all(float(row["p0"]) == 0.1 for row in missed)


def test_the_detector_starts_from_the_cnn(run: Command, tiny: Path) -> None:
    run("dvc", "exp", "run", "-S", "frcnn.lr=1e-9", "-S", "frcnn.epochs=0.1", "train_frcnn")
    cnn, frcnn = (load_file(tiny / f"models/{name}.safetensors") for name in ("cnn", "frcnn"))
    kernel, original = frcnn["backbone.0.weight"], cnn["features.0.weight"]
    torch.testing.assert_close(kernel, original, atol=1e-6, rtol=0)


def test_a_second_run_does_nothing(run: Command) -> None:
    assert "Data and pipelines are up to date" in run("dvc", "status")
    assert ran(run("dvc", "repro")) == []


def test_an_experiment_reruns_only_what_it_must_and_going_back_costs_nothing(
    run: Command, tiny: Path
) -> None:
    before = (tiny / "models/cnn.safetensors").read_bytes()
    output = run("dvc", "exp", "run", "-S", "cnn.lr=1e-3", "-S", "cnn.epochs=1")
    # Faster R-CNN starts from the CNN's convolutions.
    expected = {"train_cnn", "train_frcnn", "report"}
    expected |= {f"{s}@{m}" for s in ("evaluate", "robustness") for m in ("cnn", "frcnn")}
    assert set(ran(output)) == expected
    assert (tiny / "models/cnn.safetensors").read_bytes() != before

    run("git", "checkout", "--", "params.yaml")
    output = run("dvc", "repro")
    assert not [stage for stage in ran(output) if stage.startswith(("train", "robustness"))]
    assert "Stage 'train_cnn' is cached" in output
    assert (tiny / "models/cnn.safetensors").read_bytes() == before
    assert run("git", "status", "--porcelain") == ""  # no tracked file has changed


def test_an_experiment_changes_at_most_a_dozen_lines_of_metrics(run: Command) -> None:
    output = run("dvc", "exp", "run", "-S", "vit.epochs=3")
    assert set(ran(output)) == {"train_vit", "evaluate@vit", "robustness@vit", "report"}
    lines = run("dvc", "metrics", "diff").splitlines()[1:]
    assert 1 <= len(lines) <= 12, lines
    assert any(re.match(r"metrics/train/vit.json +epochs +2.0 +3.0 +1.0", line) for line in lines)


def test_a_parameter_of_the_report_reruns_the_report_alone(run: Command) -> None:
    assert ran(run("dvc", "exp", "run", "-S", "report.errors_shown=7")) == ["report"]


def test_what_no_stage_tracks_reruns_nothing(run: Command) -> None:
    assert ran(run("dvc", "exp", "run", "-S", "runtime.threads=2")) == []


@pytest.mark.parametrize(("key", "value"), [("portable", False), ("precision", "bfloat16")])
def test_what_changes_the_bits_of_all_trainings_is_tracked(
    run: Command, tiny: Path, key: str, value: object
) -> None:
    path = tiny / "params.yaml"
    params = yaml.safe_load(path.read_text()) | {key: value}
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    changed = json.loads(run("dvc", "status", "--json"))
    trainings = {"train_cnn", "train_frcnn", "finetune_vgg16", "finetune_alexnet", "train_vit"}
    assert {name for name in changed if name.startswith(("train", "finetune"))} == trainings
    assert ("evaluate@cnn" in changed) == ("robustness@cnn" in changed) == (key == "portable")


def test_models_are_trained_from_several_seeds_beside_the_workspace(
    run: Command, tiny: Path
) -> None:
    headline = (tiny / "metrics/test/cnn.json").read_bytes()
    seeds = (sys.executable, "-m", "mnist", "seeds")
    run(*seeds, "cnn=2")
    first, second = read_csv(tiny / "metrics/seeds.csv")
    assert (first["model"], first["seed"], second["seed"]) == ("cnn", "1", "2")
    assert float(first["accuracy"]) == json.loads(headline)["accuracy"]
    assert second["nll"] != first["nll"]
    assert (tiny / "metrics/test/cnn.json").read_bytes() == headline
    assert run("git", "diff", "--name-only").split() == ["metrics/seeds.csv"]
    before = (tiny / "metrics/seeds.csv").read_bytes()
    assert ran(run(*seeds, "cnn=2")) == []  # both are there, with the same recipe
    assert (tiny / "metrics/seeds.csv").read_bytes() == before
    assert ran(run("dvc", "repro")) == ["report"]
    assert "Traceback" not in run(*seeds, "cnn", fails=True)


def test_the_benchmark_and_the_timing_write_what_the_report_reads(run: Command, tiny: Path) -> None:
    short = ("--rounds", "1", "--seconds", "0.05", "--models", "cnn", "--no-time-to-99")
    run(sys.executable, "-m", "mnist", "bench", *short)
    figures = json.loads((tiny / "metrics/benchmark.json").read_text())
    assert figures.keys() == {"cnn", "machine"}
    assert all(value > 0 for value in figures["cnn"].values())
    run(sys.executable, "-m", "mnist", "timing")
    timing = json.loads((tiny / "metrics/timing.json").read_text())
    assert {"vgg16", "alexnet"} <= timing.keys()  # the others were trained otherwise in between
    for name, figures in timing.items():
        assert figures["weights_sha256"] == sha256(tiny / f"models/{name}.safetensors")
    assert ran(run("dvc", "repro")) == ["report"]


def test_pictures_are_read_with_the_trained_models(
    run: Command, tiny: Path, tmp_path: Path
) -> None:
    predict = (sys.executable, "-m", "mnist", "predict")
    images, _ = digits()
    for name, grey in (
        ("one", 255 - images[1].repeat(4, 0).repeat(4, 1)),
        ("blank", images[1] * 0),
    ):
        Image.fromarray(grey).save(tmp_path / f"{name}.png")
    output = run(*predict, str(tmp_path / "one.png"), "--show", str(tmp_path / "seen.png"))
    for title in ("CNN", "Faster R-CNN", "VGG16", "AlexNet", "Vision Transformer"):
        assert title in output
    assert (tmp_path / "seen.png").stat().st_size > 5000
    (tmp_path / "seen.png").unlink()

    folder = subprocess.run(
        [*predict, "--json", "--models", "cnn,frcnn", str(tmp_path), "nowhere.png"],
        cwd=tiny,
        capture_output=True,
        text=True,
    )
    assert folder.returncode == 2  # some could not be read; the others are answered
    blank, one, missing = json.loads(folder.stdout)
    assert "blank.png is blank" in blank["error"]
    assert "nowhere.png is missing" in missing["error"]
    assert "Traceback" not in folder.stderr
    (answer,) = one["classifiers"]["cnn"]
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert isinstance(one["detectors"]["frcnn"], list)


def test_trained_classifiers_are_exported(run: Command, tiny: Path, tmp_path: Path) -> None:
    output = run(sys.executable, "-m", "mnist", "export", "--folder", str(tmp_path))
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["alexnet.onnx", "cnn.onnx", "vgg16.onnx", "vit.onnx"]
    assert "frcnn" in output


def overwrite_unnoticed(path: Path) -> None:
    """Change one byte of a file and keep its size and time, as a failing disk would."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def fix(run: Command, fault: str) -> None:
    """Run the commands that a fault's message gives."""
    for command in re.findall("`([^`]*)`", fault):
        run("bash", "-c", command)


def test_verify_sees_what_dvc_does_not(run: Command, tiny: Path) -> None:
    verify = (sys.executable, "-m", "mnist", "verify")
    run(*verify)
    model = tiny / "models/vit.safetensors"
    whole = model.read_bytes()

    overwrite_unnoticed(model)
    assert "up to date" in run("dvc", "status")
    (fault,) = run(*verify, fails=True).splitlines()
    assert "models/vit.safetensors" in fault
    fix(run, fault)
    assert model.read_bytes() == whole
    run(*verify)

    lock = yaml.safe_load((tiny / "dvc.lock").read_text())["stages"]["train_vit"]
    (md5,) = [out["md5"] for out in lock["outs"] if out["path"].startswith("models/")]
    overwrite_unnoticed(tiny / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")
    (fault,) = run(*verify, fails=True).splitlines()
    fix(run, fault)
    assert model.read_bytes() == whole
    run(*verify)

    metrics = tiny / "metrics/test/vit.json"
    whole = metrics.read_bytes()
    overwrite_unnoticed(metrics)
    (fault,) = run(*verify, fails=True).splitlines()
    assert "metrics/test/vit.json" in fault
    run("git", "checkout", "metrics/test/vit.json")
    assert metrics.read_bytes() == whole


def test_without_the_cache_the_report_can_be_redone(
    run: Command, tiny: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", str(tiny), str(clone))
    shutil.copytree(tiny / "data/own", clone / "data/own", dirs_exist_ok=True)
    page = (clone / "report/index.html").read_bytes()
    in_clone = command_in(clone)
    assert ran(in_clone("dvc", "repro", "--allow-missing")) == []
    in_clone("dvc", "repro", "--force", "--single-item", "report")
    assert (clone / "report/index.html").read_bytes() == page


def test_the_same_seed_gives_the_same_files(run: Command, tiny: Path) -> None:
    """Train, evaluate and attack the ViT again, and write the report again."""
    before = (tiny / "models/vit.safetensors").read_bytes()
    stages = ["train_vit", "evaluate@vit", "robustness@vit", "report"]
    assert ran(run("dvc", "repro", "--force", "--single-item", *stages)) == stages
    assert (tiny / "models/vit.safetensors").read_bytes() == before
    assert run("git", "status", "--porcelain") == ""


def test_a_model_trained_by_torchrun_is_committed(run: Command, tiny: Path) -> None:
    before = (tiny / "models/vit.safetensors").read_bytes()
    run("torchrun", "--standalone", "--nproc-per-node", "2", "-m", "stages.train_vit")
    assert json.loads((tiny / "models/vit.timing.json").read_text())["world_size"] == 2
    trained = (tiny / "models/vit.safetensors").read_bytes()
    assert trained != before
    run("dvc", "commit", "--force", "train_vit")
    assert set(ran(run("dvc", "repro"))) == {"evaluate@vit", "robustness@vit", "report"}
    assert (tiny / "models/vit.safetensors").read_bytes() == trained


def test_a_second_training_of_the_same_model_is_refused(run: Command, tiny: Path) -> None:
    stage = f"import mnist.training.lock as lock; lock.LOCK_TIMEOUT = 0; {START_CNN}"
    with training_lock(tiny / "checkpoints/cnn.0.lock"):
        output = run(sys.executable, "-c", stage, fails=True)
    assert f"process {os.getpid()} is at the same training" in output
    assert "Traceback" not in output


@pytest.mark.faults
def test_a_killed_dvc_ends_its_stage_and_the_next_run_continues(run: Command, tiny: Path) -> None:
    params = tiny / "params.yaml"
    changed = yaml.safe_load(params.read_text())
    changed["vit"]["epochs"] = 8
    changed["runtime"]["checkpoint_seconds"] = 0
    params.write_text(yaml.safe_dump(changed))
    repro = ("dvc", "repro", "--force", "--single-item", "train_vit")
    run(*repro)
    files = ["models/vit.safetensors", "metrics/train/vit.json", "metrics/curves/vit.csv"]
    unbroken = [(tiny / name).read_bytes() for name in files]

    curve, deadline = tiny / files[2], time.monotonic() + 120
    curve.unlink()
    # Debian's /bin/sh stays between DVC and the stage.
    dvc = subprocess.Popen(
        repro,
        cwd=tiny,
        env=os.environ | {"SHELL": "/bin/sh"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not curve.exists() or len(read_csv(curve)) < 2:  # rows appear while it trains
        assert dvc.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    dvc.kill()
    dvc.wait()
    assert not (tiny / files[0]).exists()
    output = run(*repro)
    assert re.search(r"continuing from step \d+ of 248", output)
    assert [(tiny / name).read_bytes() for name in files] == unbroken
    assert not list(tiny.glob("checkpoints/*.pt"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("cnn.epochs=0", "cnn.epochs = 0: input should be greater than 0"),
        ("+cnn.lrate=1", "cnn.lrate is not a known key"),
        (
            "cnn.strides=[9,9,9,9]",
            "pools: convolution 2 pools 2x2 of 1x1 pixels; allowed is 1 to 1",
        ),
    ],
)
def test_an_impossible_parameter_stops_before_any_work(
    run: Command, override: str, message: str
) -> None:
    output = run("dvc", "exp", "run", "-S", override, fails=True)
    assert message in output
    assert "Traceback" not in output


def test_a_damaged_file_stops_the_pipeline_by_name(run: Command, tiny: Path) -> None:
    path = tiny / "data/own/train-images-idx3-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    try:
        output = run("dvc", "repro", fails=True)
        assert "train-images-idx3-ubyte" in output
        assert "Traceback" not in output
        assert "data/own" in output  # where to put the right one
    finally:
        path.write_bytes(whole)


@pytest.mark.faults
@pytest.mark.parametrize("stage", ["convert", "train_cnn", "fetch", "fetch_weights", "report"])
def test_a_full_disk_leaves_one_line_and_nothing_half_written(
    run: Command, tiny: Path, stage: str
) -> None:
    # A limit on the size of files stands in for a full disk: the write fails half-way.
    before = {path for path in tiny.rglob("*") if ".dvc" not in path.parts}
    limited = f"ulimit -f 4; exec {sys.executable} -m stages.{stage}"
    output = run("bash", "-c", limited, fails=True)
    assert "Traceback" not in output
    assert re.search(rf"^{stage}: .*(disk space|larger than this system allows)", output, re.M)
    after = {path for path in tiny.rglob("*") if ".dvc" not in path.parts}
    # A checkpoint and rows of the curve may be left: the next run continues from there.
    kept = {"__pycache__", "checkpoints", "curves"}
    assert not {path for path in after - before if not kept & set(path.parts)}


def blocks(text: str) -> list[tuple[str, str]]:
    """The instructions and code blocks of docs/adding-a-model.md, in order."""
    return re.findall(r"^(In `[^\n]*):\n+```\w*\n(.*?)^```", text, re.M | re.S)


def test_a_model_is_added_as_the_documentation_says(run: Command, tiny: Path) -> None:
    for instruction, code in blocks((ROOT / "docs/adding-a-model.md").read_text()):
        path = tiny / re.findall("`([^`]+)`", instruction)[0]
        if "new file" in instruction:
            path.write_text(code)
        elif "append" in instruction:
            path.write_text(path.read_text() + code)
        else:
            anchor = re.findall("`([^`]+)`", instruction)[1]
            text = path.read_text()
            assert text.count(f"{anchor}\n") == 1, instruction
            path.write_text(text.replace(f"{anchor}\n", f"{anchor}\n{code}"))
    expected = {"train_lenet", "evaluate@lenet", "robustness@lenet", "report"}
    assert set(ran(run("dvc", "repro"))) == expected
    assert json.loads((tiny / "metrics/test/lenet.json").read_text())["accuracy"] > 0.5
    assert "LeNet" in (tiny / "report/README.md").read_text()


def test_another_data_set_is_reported_as_what_it_is(
    run: Command, tiny: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clothes"
    run("git", "clone", "--quiet", str(tiny), str(clone))
    names = ["top", "trouser", "jumper", "dress", "coat", "sandal", "shirt", "shoe", "bag", "boot"]
    params = yaml.safe_load((clone / "params.yaml").read_text())
    params["models"] = ["cnn"]
    params["data"] |= {"name": "Clothes", "classes": names, "checksums": False}
    params["cnn"]["epochs"] = 1
    (clone / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    write_data_set(clone / "data/own", train=1000, test=300)
    in_clone = command_in(clone)
    in_clone("dvc", "repro", "evaluate@cnn", "robustness@cnn")
    in_clone(sys.executable, "-m", "stages.report")
    text = (clone / "report/README.md").read_text() + (clone / "report/index.html").read_text()
    assert "Clothes model comparison" in text
    confusion = (clone / "report/figures/confusion_cnn.svg").read_text()
    for name in names:
        assert name in confusion, name
    for word in ("MNIST", "the lab", "handwrit", "<canvas"):
        assert word not in text, word
