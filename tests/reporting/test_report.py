"""The report's tables, sections and files, made from results that were never measured."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import stages.report
from mnist.reporting import tables
from mnist.reporting.comparison import compare
from mnist.reporting.page import render
from mnist.reporting.results import Results
from mnist.reporting.sections import make_sections
from mnist.reporting.tables import Table
from tests.reporting.synthetic import make_params, read, write_metrics


def row(table: Table, first: str) -> dict[str, str]:
    (cells,) = (cells for cells in table.rows if cells[0] == first)
    return dict(zip(table.columns, cells, strict=True))


@pytest.fixture
def comparison(results: Results) -> dict[str, Any]:
    return compare(results)


def test_a_table_in_markdown() -> None:
    table = Table("t", "Caption", ("Model", "Error"), [["a|b", "1"], ["c", "2"]], marked=[1])
    assert table.markdown == "| Model | Error |\n| --- | --- |\n| a\\|b | 1 |\n| c | **2** |\n"


def test_the_leaderboard_holds_the_figures_of_the_comparison(
    results: Results, comparison: dict[str, Any]
) -> None:
    table = tables.leaderboard(results, comparison)
    assert len(table.columns) <= 8
    for name in comparison["ranking"]:
        cells, of = row(table, results.titles[name]), comparison["seeds"][name]
        assert cells["Error"] == f"{of['mean_error']:.2%}"
        assert cells["95% interval"] == "{:.2%} to {:.2%}".format(*of["ci95"])
        assert float(cells["TFLOP"]) == comparison["cost"][name]["train_tflop"]


def test_only_models_that_are_not_shown_to_be_worse_are_marked(
    results: Results, comparison: dict[str, Any]
) -> None:
    def marked(leaders: list[str]) -> list[str]:
        table = tables.leaderboard(results, comparison | {"leaders": leaders})
        return [table.rows[i][0] for i in table.marked]

    assert marked(["cnn", "vgg16"]) == ["CNN", "VGG16"]
    assert marked(comparison["ranking"]) == []  # of no model it is known


def test_times_are_shown_where_they_are_known(results: Results, comparison: dict[str, Any]) -> None:
    assert row(tables.cost(results, comparison), "CNN")["Training"] == "100 s"
    assert "Z80" in tables.cost(results, comparison).description
    costs = {
        name: of | dict.fromkeys(("train_seconds", "latency_ms", "images_per_second"))
        for name, of in comparison["cost"].items()
    }
    unmeasured = tables.cost(replace(results, machine={}), comparison | {"cost": costs})
    assert not {"Training", "Latency", "Images/s"} & set(unmeasured.columns)
    assert "make bench" in unmeasured.description


def test_pairs_hold_the_figures_of_the_comparison(
    results: Results, comparison: dict[str, Any]
) -> None:
    pairs = [pair | {"p": 1e-9, "p_holm": 0.0123} for pair in comparison["pairs"]]
    table = tables.differences(results, comparison | {"pairs": pairs})
    assert len(table.rows) == 10
    for cells, pair in zip(table.rows, pairs, strict=True):
        assert cells[2] == f"{100 * pair['difference']:.2f}"
        assert cells[4:] == ["< 0.001", "0.012"]  # no p is 0


def test_confusions_are_counted(tmp_path: Path) -> None:
    results = read(tmp_path, ("cnn", "frcnn"), wrong={"cnn": [3, 13, 4], "frcnn": [3]})
    results.models[1].predicted[5] = -1  # the detector finds nothing
    assert tables.confusions(results, {}).rows == [
        ["3 read as 4", "3", "2", "1"],
        ["4 read as 5", "1", "1", "0"],
        ["5 read as nothing", "1", "0", "1"],
    ]


def test_both_outputs_hold_the_same_sections(results: Results, comparison: dict[str, Any]) -> None:
    sections = make_sections(results, comparison)
    html, markdown = (render(f"page.{kind}.j2", results, sections, 9) for kind in ("html", "md"))
    for section in sections:
        assert html.count(f'id="{section.name}"') == 1
        assert section.heading in markdown
        for chart in section.charts:
            assert f"![{chart.alt}](figures/{chart.name}.svg)" in markdown
            assert html.count(f'id="figure-{chart.name}"') == 1
            assert len(chart.alt) > 30
        for table in section.tables:
            assert table.markdown in markdown
            assert html.count(f'id="table-{table.name}"') == 1
    alts = [chart.alt for section in sections for chart in section.charts]
    assert len(set(alts)) == len(alts) == 7


@pytest.mark.parametrize("models", [("vit",), ("frcnn", "vgg16")])
def test_other_data_have_no_lab_writers_or_canvas(tmp_path: Path, models: tuple[str, ...]) -> None:
    results = read(tmp_path, models, labels=list(range(26)) * 4, wrong=dict.fromkeys(models, []))
    clothes = replace(results, data="Clothes & <Shoes>", classes=tuple(map(chr, range(65, 91))))
    sections = make_sections(clothes, compare(clothes))
    html, markdown = (render(f"page.{kind}.j2", clothes, sections, 9) for kind in ("html", "md"))
    assert "Clothes &amp; &lt;Shoes&gt;" in html
    for text in (html, markdown):
        assert "<Shoes>" not in text or text is markdown
        for absent in ("lab", "MNIST's", "employees", "canvas", "nan", "None"):
            assert not re.search(rf">[^<]*\b{absent}\b[^<]*<", text), absent
    assert 'class="cards"' not in html  # there is no error


def test_the_stage_writes_the_same_bytes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_metrics(Path("metrics"), ("cnn", "vit"))
    Path("params.yaml").write_text(yaml.safe_dump(make_params(("cnn", "vit")).model_dump()))
    written = []
    for _ in range(2):
        stages.report.main()
        files = [Path("metrics/comparison.json"), *Path("report").rglob("*.*")]
        written.append({path: path.read_bytes() for path in files if path.is_file()})
    assert written[0] == written[1]
    text = Path("report/README.md").read_text()
    pictures = re.findall(r"\]\((figures/[^)]*)\)", text)
    assert {path.name for path in Path("report/figures").iterdir()} == {
        Path(picture).name for picture in pictures
    }
