"The appendix compares every number: a wrong digit stops it."

import contextlib
import io

import nbformat
import pandas as pd
import pytest

from tests.shared import NBS

PAGE = NBS / "appendix" / "spreadsheets.ipynb"


@pytest.fixture(scope="module")
def helpers():
    "The three helpers, as the notebook defines them."
    cells = {cell.id: cell.source for cell in nbformat.read(PAGE, 4).cells}
    names = {}
    exec(cells["3758be52"] + "\n" + cells["1e8be236"], names)
    return names


def sheet_of(helpers, number):
    return helpers["read"](f"row b\n  4 {number}\n")


def compare(helpers, shown, ours, differ=0):
    here = pd.DataFrame({"b": [ours]}, index=[4])
    with contextlib.redirect_stdout(io.StringIO()) as out:
        table = helpers["beside"](sheet_of(helpers, shown), here, differ)
    return table.loc[4, "b"], out.getvalue().strip()


def test_equal_digits(helpers):
    assert compare(helpers, "1.0651", 1.06512) == ("1.0651", "1 numbers compared, 0 differ")
    assert compare(helpers, "1.070", 1.07)[0] == "1.070"
    assert compare(helpers, "654", 653.98)[0] == "654"


def test_another_digit_stops(helpers):
    with pytest.raises(AssertionError, match="1 numbers differ, 0 were announced"):
        compare(helpers, "1.0651", 1.06516)
    shown, words = compare(helpers, "1.0651", 1.06516, differ=1)
    assert shown == "1.0652 (sheet: 1.0651)"
    assert words == "1 numbers compared, 1 differ"


def test_announced_but_equal_stops(helpers):
    with pytest.raises(AssertionError, match="0 numbers differ, 1 were announced"):
        compare(helpers, "1.0651", 1.0651, differ=1)


def test_nan_is_a_difference(helpers):
    with pytest.raises(AssertionError):
        compare(helpers, "1.0651", float("nan"))


def test_hidden_numbers_are_not_compared(helpers):
    assert compare(helpers, "?", 2.0) == ("2.0000 ?", "0 numbers compared, 0 differ")


def test_pairs(helpers):
    table = helpers["pairs"]({"new b": ("1.07", 1.0651), "new a": ("?", 2.1213)})
    assert table.loc["new b"].tolist() == ["1.07", "1.07", "1.0651"]
    with pytest.raises(AssertionError, match="new b: 1.06 in the sheet, 1.07 here"):
        helpers["pairs"]({"new b": ("1.06", 1.0651)})


def test_every_sheet_has_its_numbers():
    "The figures of the syllabus stand in the sheets' texts, in the code or in a stored output."
    page = PAGE.read_text(encoding="utf-8")
    figures = (
        "15 1849.00 -86.00 -1204.00 -85.99 -1202.04 1.1204 1.0086 97.363 10948.90 2.9202 "
        "1.0295 2.6131 1.0715 -18.33 98.25 1.0025 1.0032 87.2775 13161.25 -229.44 "
        "-19732.27 1.0071 1.2034 1.0651 2.1213 3.1891 2.4036 1134.42 1679911.37 3.2142 "
        "2.4128 1200.08 3.5259 2.4061 1102.09 2.86 3.23 5.1 0.98 0.39 0.32 10.91 0.852 "
        "12.14 1.66 0.1393"
    )
    assert [figure for figure in figures.split() if figure not in page] == []
