"""A file is there whole or not at all."""

import os

import pytest

from acme_lib.files import whole_file, write_whole


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = write_whole(tmp_path / "new" / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\udc80")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.write(b"half") and file.write("not bytes")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_read_only_is_replaced(tmp_path):
    path = write_whole(tmp_path / "a.txt", b"old")
    path.chmod(0o444)
    assert write_whole(path, "new").read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_others_may_read_what_the_mask_lets_them(tmp_path):
    before = os.umask(0o027)
    try:
        assert write_whole(tmp_path / "a.txt", "x").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)
