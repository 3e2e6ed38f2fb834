"""`python -m mnist readme` writes the table of results between its markers."""

import argparse
from pathlib import Path

import pytest
import yaml

from mnist.commands import readme
from mnist.errors import UserError
from mnist.files import write_json
from mnist.params import load_params
from mnist.reporting.comparison import compare
from mnist.reporting.results import read_results
from tests.reporting.synthetic import make_params, write_metrics, write_seeds


def test_the_table_is_replaced_between_its_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = ("cnn", "vit")
    metrics = write_metrics(tmp_path / "metrics", models, wrong={"cnn": [0], "vit": [1, 2]})
    write_seeds(metrics, {("cnn", 1): [0], ("cnn", 2): [3, 4], ("vit", 1): [1, 2]})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(make_params(models).model_dump()))
    monkeypatch.chdir(tmp_path)
    write_json(Path("metrics/comparison.json"), compare(read_results(metrics, load_params())))
    Path("README.md").write_text(f"before\n{readme.START}old\n{readme.END}after\n")
    readme.main(argparse.Namespace())
    text = Path("README.md").read_text()
    assert text.startswith(f"before\n{readme.START}\n| ")
    assert text.endswith(f"\n{readme.END}after\n")
    assert "old" not in text
    assert "| CNN |" in text
    readme.main(argparse.Namespace())
    assert Path("README.md").read_text() == text
    Path("README.md").write_text("# Title\n")
    with pytest.raises(UserError, match="needs the lines <!-- results -->"):
        readme.main(argparse.Namespace())
