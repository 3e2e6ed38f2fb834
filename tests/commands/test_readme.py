"""`python -m mnist readme` writes the table of results between its markers in README.md."""

import argparse
import os
from pathlib import Path

import pytest
import yaml

import stages.report
from mnist.commands import readme
from mnist.errors import UserError
from mnist.params import load_params
from mnist.reporting.results import read_json, read_results
from mnist.reporting.tables import leaderboard
from tests.conftest import ROOT
from tests.reporting.synthetic import make_params, write_metrics, write_scaling


def test_the_table_is_replaced_between_its_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_metrics(Path("metrics"), ("cnn", "vit"), wrong={"cnn": [0], "vit": [1, 2]})
    few = {("cnn", 100, 5): [0.2], ("cnn", 900, 1): [0.1], ("vit", 100, 5): [0.3]}
    write_scaling(Path("metrics"), few)
    Path("params.yaml").write_text(yaml.safe_dump(make_params(("cnn", "vit")).model_dump()))
    stages.report.main()
    path = Path("README.md")
    path.write_text("before\n<!-- results -->\nold\n<!-- /results -->\nafter\n")
    readme.main(argparse.Namespace())
    text = path.read_text()
    assert text.startswith("before\n<!-- results -->\n\n**")
    assert "\n| Model | Error |" in text
    assert "| Vision Transformer | 2.00% |" in text
    assert ".** Fewest errors on 100 training images: CNN (20%); on all 900: " in text
    assert "old" not in text
    assert text.endswith("\n\n<!-- /results -->\nafter\n")
    readme.main(argparse.Namespace())
    assert path.read_text() == text
    path.write_text("# Title\n")
    with pytest.raises(UserError, match="needs the lines <!-- results -->"):
        readme.main(argparse.Namespace())


@pytest.mark.skipif("CI" not in os.environ, reason="a user may have other results than committed")
def test_the_committed_table_shows_the_committed_metrics() -> None:
    results = read_results(ROOT / "metrics", load_params(ROOT / "params.yaml"))
    comparison = read_json(ROOT / "metrics/comparison.json")
    table = leaderboard(results, comparison)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"\n{table.markdown}\n" in text, "run `make readme`"
    assert comparison["verdict"]["best"][0] in text
