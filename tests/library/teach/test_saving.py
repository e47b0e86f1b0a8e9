"""What the server leaves out of a notebook that it saves, and what Validate answers."""

import copy
import json
from types import SimpleNamespace

import nbformat
import pytest

from acme_lib.teach import validate
from acme_lib.teach.saving import drop_widgets

VIEW = {"output_type": "display_data", "metadata": {}, "data": {"application/vnd.jupyter.widget-view+json": {}}}
STILL = {"output_type": "display_data", "metadata": {}, "data": {"text/html": '<div class="acme-still">picture</div>'}}
TEXT = {"output_type": "stream", "name": "stdout", "text": "5\n"}


def saved(*outputs):
    cells = [{"cell_type": "code", "outputs": list(outputs)}, {"cell_type": "markdown", "source": "text"}]
    model = {"type": "notebook", "content": {"cells": cells, "metadata": {"widgets": {}, "kernelspec": {}}}}
    drop_widgets(model=model, path="a.ipynb", contents_manager=None)
    return model["content"]


def test_a_widget_with_its_still_is_left_out():
    content = saved(TEXT, STILL, VIEW, TEXT)
    assert content["cells"][0]["outputs"] == [TEXT, STILL, TEXT]
    assert content["metadata"] == {"kernelspec": {}}


def test_a_widget_of_the_learners_own_stays():
    assert saved(TEXT, VIEW)["cells"][0]["outputs"] == [TEXT, VIEW]


@pytest.mark.parametrize("model", [None, {}, {"type": "file", "content": "x"}, {"type": "notebook", "content": None}])
def test_what_is_no_notebook_is_left_alone(model):
    before = copy.deepcopy(model)
    drop_widgets(model=model)
    assert model == before


def answer(tmp_path, monkeypatch, cells, results):
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    monkeypatch.setattr(validate, "_validate", lambda handler, path: copy.deepcopy(results))
    return validate.validate_for_learners(SimpleNamespace(root_dir=str(tmp_path)), "a.ipynb")


def test_validate_shows_the_name_of_a_check_and_its_message(tmp_path, monkeypatch):
    check = nbformat.v4.new_code_cell("x", metadata={"nbgrader": {"grade": True}})
    failed = {"source": "# Check of question 1: run this cell\nlong()\ncode()", "error": "✗ why"}
    found = answer(tmp_path, monkeypatch, [check], {"success": True, "value": {"failed": [failed]}})
    assert found["value"]["failed"] == [{"source": "Check of question 1: run this cell", "error": "✗ why"}]


@pytest.mark.parametrize("failed", [[], [{"source": "# Check of question 1: run this cell", "error": "✗ why"}]])
def test_validate_ends_with_what_was_established(tmp_path, monkeypatch, failed):
    check = nbformat.v4.new_code_cell("x", metadata={"nbgrader": {"grade": True}})
    value = {"said": ["Question 1 is done.", "a < b"], **({"failed": failed} if failed else {})}
    found = answer(tmp_path, monkeypatch, [check], {"success": True, "value": value})["value"]
    assert set(found) == {"failed"}
    *others, last = found["failed"]
    assert len(others) == len(failed)
    assert last["source"] == (validate.SOME_PASSED if failed else validate.ALL_PASSED)
    assert last["error"].endswith("</style>Question 1 is done.\n\na &lt; b")


@pytest.mark.parametrize("value", [{"said": []}, {"said": ["x"], "changed": [{"source": "y"}]}])
def test_validate_adds_nothing_where_nothing_is_passed_or_a_cell_has_changed(tmp_path, monkeypatch, value):
    check = nbformat.v4.new_code_cell("x", metadata={"nbgrader": {"grade": True}})
    found = answer(tmp_path, monkeypatch, [check], {"success": True, "value": value})["value"]
    assert found == {key: cells for key, cells in value.items() if key != "said"}


def test_validate_says_that_a_chapter_has_nothing_to_validate(tmp_path, monkeypatch):
    found = answer(tmp_path, monkeypatch, [nbformat.v4.new_code_cell("1")], {"success": True, "value": {}})
    assert not found["success"]
    assert "nothing to validate" in found["value"]


def test_validate_says_where_a_cell_was_split(tmp_path, monkeypatch):
    parts = [nbformat.v4.new_code_cell(text, metadata={"nbgrader": {"grade": True, "grade_id": "q"}}) for text in "ab"]
    found = answer(tmp_path, monkeypatch, parts, {"success": True, "value": {}})
    assert not found["success"] and "Merge Selected Cells" in found["value"] and found["value"].endswith(": b")


def test_a_file_that_is_no_notebook_is_left_to_nbgrader(tmp_path):
    (tmp_path / "b.ipynb").write_text(json.dumps([1]), "utf-8")
    assert validate.has_checks(tmp_path / "b.ipynb") and validate.find_double(tmp_path / "b.ipynb") == ""
