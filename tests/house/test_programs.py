"""The switch by which tests run as on a machine without the programs of the system that some of them need."""

import os
import shutil
import sys

import pytest

from tests import programs

ALL = {name for names in programs.PROGRAMS.values() for name in names}


@pytest.mark.skipif(sys.platform == "win32", reason="ordinary users make no symbolic links there")
def test_what_is_hidden_is_not_found(monkeypatch, tmp_path):
    for folder, names in {"full": [*ALL, "other"], "plain": ["another"]}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text("#!/bin/sh\n")
            (tmp_path / folder / name).chmod(0o755)
    path = [str(tmp_path / "full"), str(tmp_path / "plain")]
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    monkeypatch.setenv("ACME_WITHOUT", "bwrap")
    assert programs.find_chromium() == str(tmp_path / "full" / "chromium")
    assert programs.find_postgresql() is not None
    monkeypatch.setenv("ACME_WITHOUT", ",".join(programs.PROGRAMS))
    programs.hide(tmp_path)
    assert [name for name in ALL if shutil.which(name)] == []
    assert shutil.which("other") and shutil.which("another") == str(tmp_path / "plain" / "another")
    assert os.environ["PATH"].split(os.pathsep)[1:] == path[1:]
    assert programs.find_chromium() is None and programs.find_postgresql() is None


def test_a_name_that_is_unknown_is_refused(monkeypatch):
    monkeypatch.setenv("ACME_WITHOUT", "bubblewrap")
    with pytest.raises(pytest.UsageError, match="may name chromium, bwrap, postgresql, got bubblewrap"):
        programs.hidden()


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_what_is_missing_is_skipped_and_in_ci_a_failure(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no bubblewrap"):
        programs.do_without("no bubblewrap")
