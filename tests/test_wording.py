"""How messages name places."""

from freezelint.evidence import Location
from freezelint.wording import line, lines


def test_places_in_the_same_file() -> None:
    assert line(Location("train.py", 12), Location("train.py", 30)) == "line 12"


def test_places_in_another_file() -> None:
    assert line(Location("src/model.py", 12), Location("train.py", 30)) == "line 12 of model.py"
    assert line(Location("a/train.py", 12), Location("b/train.py", 30)) == "line 12 of a/train.py"


def test_cells_of_notebooks() -> None:
    cell = Location("train.ipynb", 3, cell=4)
    assert line(cell, Location("train.ipynb", 1, cell=4)) == "line 3"
    assert line(cell, Location("train.ipynb", 1, cell=9)) == "line 3 of cell 4"
    assert line(cell, Location("engine.py", 30)) == "line 3 of cell 4 of train.ipynb"


def test_several_places() -> None:
    places = [Location("train.py", number) for number in (3, 5, 5, 9, 11, 12)]
    assert lines(places) == "lines 3, 5, 9 and 2 more"
