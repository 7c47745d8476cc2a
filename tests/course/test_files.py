"A file is written whole, or not at all."

import pytest

from helpers.course.files import replacing


def test_replacing_a_file(tmp_path):
    "A link stays a link, and the file that it leads to is the new one."
    path = tmp_path / "file.txt"
    link = tmp_path / "link.txt"
    with replacing(path) as unfinished:
        unfinished.write_text("old")
    link.symlink_to(path)
    with pytest.raises(KeyboardInterrupt):
        with replacing(link) as unfinished:
            unfinished.write_text("ne")
            raise KeyboardInterrupt
    assert path.read_text() == "old"
    with replacing(link) as unfinished:
        unfinished.write_text("new")
    assert path.read_text() == "new"
    assert link.is_symlink()
    assert set(tmp_path.iterdir()) == {path, link}
