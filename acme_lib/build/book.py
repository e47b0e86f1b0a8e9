"""The open book: chapters, exercises, how-to pages and reference as a web site whose figures move without a kernel.

The sources of all pages are put together in one folder, every page with code as an executed notebook, and Sphinx makes
the site of it. The book's own pages are ``course/book/*.md``. Figures with sliders and predictions come from
`acme_lib.build.playable`; what takes long (figures, the gallery, code of the how-to pages) is kept by a hash of what it
depends on, and made anew when that changes.
"""

import hashlib
import html
import inspect
import re
import shutil
import time
import urllib.parse
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path

import nbformat

from acme_lib.build.chapters import CURTAIN, PROJECTS, RESULT, execute, find_texts, read_source
from acme_lib.build.mathml import math_font, typeset
from acme_lib.build.playable import play_cell, quiet, state_of_the_library
from acme_lib.build.reference import write_reference
from acme_lib.errors import AcmeError

PAGES = Path("course") / "book"
_PERSONAL = re.compile(r"\b(my_predictions|my_progress|check_installation)\(")  # says something on the reader's machine
# What the page of misconceptions says of the code of solutions, and its sentence that announces it.
_ANSWER = re.compile(r" \*In the answer:\*[^\n]*|\*In the answer\*\s[^.]*\.\s")
_HERE = Path(__file__).parent


class BookError(AcmeError):
    """The book cannot be built, or a link in it leads nowhere; the message says where."""


@dataclass(frozen=True)
class Book:
    """The site as it was built.

    Attributes
    ----------
    folder : Path
    pages : int
    size : int
        Bytes of all files.
    figures : dict of str to int
        Bytes of each slider figure's pictures, by its name.
    seconds : float
    """

    folder: Path
    pages: int
    size: int
    figures: dict
    seconds: float

    def __str__(self):
        largest = max(self.figures.values(), default=0)
        return (
            f"{self.folder}: {self.pages} pages, {self.size / 1e6:.1f} MB, {self.seconds:.0f} s; {len(self.figures)} "
            f"figures with sliders, {sum(self.figures.values()) / 1e6:.1f} MB, the largest {largest / 1e6:.2f} MB"
        )


def build_book(root, output, *, scratch=None):
    """Build the site.

    Parameters
    ----------
    root : path
        The course.
    output : path
        Folder of the site; what an earlier build left there is removed.
    scratch : path, optional
        Folder for sources and for what is kept between builds; by default ``build/book`` in the course.

    Returns
    -------
    Book

    Raises
    ------
    BookError
        If Sphinx warns, code of a page fails, a link leads nowhere, or a page would load something from elsewhere.
    """
    start = time.perf_counter()
    root, output = Path(root).resolve(), Path(output).resolve()
    scratch = Path(scratch or root / "build" / "book").resolve()
    if output.exists() and any(output.iterdir()) and not (output / "searchindex.js").is_file():
        raise BookError(f"{output} holds something else than a book; name an empty folder")
    sources = scratch / "sources"
    shutil.rmtree(sources, ignore_errors=True)
    write_sources(root, sources, scratch / "kept")
    shutil.rmtree(output, ignore_errors=True)
    _run_sphinx(sources, output, scratch / "doctrees")
    wrong = check_site(output)
    if wrong:
        raise BookError("links that lead nowhere, or out of the book:\n  " + "\n  ".join(wrong))
    files = [path for path in output.rglob("*") if path.is_file()]
    return Book(
        output,
        sum(path.suffix == ".html" for path in files),
        sum(path.stat().st_size for path in files),
        {path.stem: path.stat().st_size for path in sorted((output / "_static" / "figures").glob("*.js"))},
        time.perf_counter() - start,
    )


# The sources


def write_sources(root, folder, kept, *, play=play_cell, draw=True):
    """Put together the sources of all pages.

    Parameters
    ----------
    root, folder : Path
        The course, and the folder that is written.
    kept : Path
        Folder for what takes long to make.
    play : callable, optional
        Makes HTML of a cell; see `acme_lib.build.playable.play_cell`.
    draw : bool
        Whether the gallery is drawn and the how-to pages are executed.
    """
    static = folder / "_static"
    static.mkdir(parents=True)

    def played(source, depth):
        address = "../" * depth + "_static/figures/"
        return play(source, cache=kept, folder=static / "figures", address=address)

    parts = {"The course": [], "Exercises": [], "Projects": [], "How to": [], "Reference": [], "For instructors": []}
    for source in find_texts(root):
        path = source.with_suffix(".ipynb")
        name = path.relative_to(root)
        _write_notebook(folder / name, nbformat.read(path, as_version=4), played, depth=len(name.parts) - 1)
        parts["Projects" if name.is_relative_to(PROJECTS) else "The course"].append(name.with_suffix("").as_posix())
    if (root / "course" / "images").is_dir():
        shutil.copytree(root / "course" / "images", folder / "course" / "images")
    for path in sorted((root / "exercises").glob("*/*.ipynb")):
        _write_notebook(folder / path.relative_to(root), nbformat.read(path, as_version=4), played, depth=2)
        parts["Exercises"].append(path.relative_to(root).with_suffix("").as_posix())
    for path in sorted((root / PAGES / "howto").glob("*.md")):
        notebook = read_source(path)
        if draw:
            notebook = _execute_once(notebook, path.parent, kept)
        _write_notebook(folder / "howto" / f"{path.stem}.ipynb", notebook, played)
        parts["How to"].append(f"howto/{path.stem}")
    parts["Reference"] += [
        "guide",
        *(f"reference/{name}" for name in write_reference(folder / "reference")[:1]),
        "gallery",
    ]
    parts["For instructors"] += ["instructors", *_write_tables(root, folder)]
    _write_gallery(folder, kept, draw)
    for path in (root / PAGES).glob("*.md"):
        if path.name != "index.md":
            shutil.copy(path, folder)
    index = read_source(root / PAGES / "index.md")
    for caption, pages in parts.items():
        if not pages:
            continue
        lines = ["```{toctree}", f":caption: {caption}", ":hidden:", "", *pages, "```"]
        index.cells.append(nbformat.v4.new_markdown_cell("\n".join(lines)))
    _write_notebook(folder / "index.ipynb", index, played, depth=0)
    (static / "book.css").write_text(_read("playable.css") + _read("book.css"), encoding="utf-8")
    # what listens for predictions stands first: one that the browser remembers is told at once
    (static / "book.js").write_text(_read("book.js") + _read("playable.js"), encoding="utf-8")
    (static / "formulas.woff").write_bytes(math_font())


def _read(name):
    return (_HERE / name).read_text("utf-8")


def _write_notebook(path, notebook, played, depth=1):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _show_in_page(cell, lambda source: played(source, depth))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def _show_in_page(cell, played):
    """Make a cell's outputs what a page can show: figures that move, typeset formulas, folded results."""
    page = played(cell.source)
    if page is not None:
        cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": page})]
    elif _PERSONAL.search(cell.source):
        cell.outputs = []
    tags = cell.metadata.setdefault("tags", [])
    if RESULT in tags:
        tags.append("hide-output")
        cell.metadata["mystnb"] = {"code_prompt_show": "Show the result: predict first"}
    for output in cell.outputs:
        texts = output if output.output_type == "stream" else output.get("data", {})
        for kind in {"text", "text/plain", "text/html"} & set(texts):
            texts[kind] = texts[kind].removeprefix(CURTAIN)
        if page is None and "text/html" in texts:
            texts["text/html"] = typeset(texts["text/html"])


def _execute_once(notebook, folder, kept):
    """Return a page's notebook executed; what an earlier build kept of the same text and library is taken again."""
    text = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    name = hashlib.sha256(f"{text}\0{state_of_the_library()}".encode()).hexdigest()[:16]
    path = kept / f"page-{name}.ipynb"
    if path.is_file():
        executed = nbformat.read(path, as_version=4)
        outputs = iter([cell.outputs for cell in executed.cells if cell.cell_type == "code"])
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = next(outputs)
        return notebook
    notebook, problems = execute(notebook, folder)
    if problems:
        raise BookError("\n".join(problems))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return notebook


def _write_gallery(folder, kept, draw):
    from acme_lib.cases import FIGURES, write_gallery

    drawn = kept / f"gallery-{state_of_the_library()}"
    target = folder / "gallery"
    target.mkdir()
    if draw and not (drawn / "index.md").is_file():
        write_gallery(drawn)
    page = [
        "# Gallery",
        "",
        "The figures of [Lunz, Batt, Ruess & Bonnans (2021)](https://doi.org/10.1371/journal.pcbi.1009214), "
        "computed by this library, and what lies beyond them. `python -m acme_lib.cases --output DIR` draws them all.",
        "",
    ]
    for figure in FIGURES:
        page += [f"## {figure.name.replace('_', ' ').capitalize()}", ""]
        if draw:
            shutil.copy(drawn / f"{figure.name}.png", target)
            page += [f"![{figure.alt}](gallery/{figure.name}.png)", ""]
        home = inspect.getmodule(figure.draw).__name__
        page += [figure.caption, "", f"Computed and drawn in `{home}`.", ""]
    (folder / "gallery.md").write_text("\n".join(page), encoding="utf-8")


def _write_tables(root, folder):
    """Write the pages that the project holds as tables; of the misconceptions without what they say of solutions."""
    tables = {
        "misconceptions": root / "solutions" / "MISCONCEPTIONS.md",
        "validity": root / "solutions" / "VALIDITY.md",
        "attacks": root / "tests" / "grading" / "attacks" / "README.md",
    }
    written = []
    for name, path in tables.items():
        if path.is_file():
            text = path.read_text("utf-8")
            (folder / f"{name}.md").write_text(_ANSWER.sub("", text) if name == "misconceptions" else text, "utf-8")
            written.append(name)
    page = [
        "# Benchmarks",
        "",
        "Every number that the project claims about speed, accuracy and memory can be measured again: ",
    ]
    page[-1] += "`uv run python -m tests.benchmarks NAME`, in the folder of the repository."
    for path in sorted((root / "tests" / "benchmarks").glob("*.py")):
        text = path.read_text("utf-8")
        if "\ndef run(" in text:
            page += ["", f"## `{path.stem}`", "", inspect.cleandoc(re.match(r'r?"""(.*?)"""', text, re.DOTALL)[1])]
    (folder / "benchmarks.md").write_text("\n".join(page).replace("``", "`") + "\n", encoding="utf-8")
    return [*written, "benchmarks"]


# Sphinx


def _run_sphinx(sources, output, doctrees):
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError

    warned = []

    class Warnings:
        def write(self, text):
            warned.append(text)

        def flush(self):
            pass

    settings = {
        "project": "acme",
        "author": "The acme authors",
        "copyright": "The acme authors. Text: CC BY 4.0. Code: BSD 3-Clause",
        "version": metadata.version("acme-course"),
        "release": metadata.version("acme-course"),
        "extensions": [
            "myst_nb",
            "sphinx.ext.autodoc",
            "numpydoc",
            "acme_lib.build.sphinx_acme",
        ],
        "html_theme": "furo",
        "html_title": "acme",
        "html_static_path": ["_static"],
        "html_css_files": ["book.css"],
        "html_js_files": [("book.js", {"defer": "defer"})],
        "html_math_renderer": "mathml",
        "html_copy_source": False,
        "html_show_sourcelink": False,
        "html_show_search_summary": False,  # it is fetched, which a page opened as a file may not do
        "nb_execution_mode": "off",
        "nb_code_prompt_show": "Show the {type}",
        "nb_code_prompt_hide": "Hide the {type}",
        "myst_enable_extensions": ["dollarmath", "deflist"],
        "myst_heading_anchors": 3,
        "myst_heading_slug_func": "acme_lib.build.sphinx_acme.heading_anchor",
        "default_role": "py:obj",
        "nitpicky": True,
        "autodoc_typehints": "none",
        "autodoc_member_order": "bysource",
        "numpydoc_show_class_members": False,
        "python_use_unqualified_type_names": True,
        "show_warning_types": True,
    }
    options = {"status": None, "warning": Warnings(), "freshenv": True}
    try:
        with quiet():
            app = Sphinx(sources, None, output, doctrees, "html", settings, **options)
            app.build(force_all=True)
    except SphinxError as error:
        raise BookError(f"Sphinx: {error}") from None
    text = re.sub(r"\x1b\[[0-9;]*m", "", "".join(warned)).strip()
    if text or app.statuscode:
        raise BookError(f"Sphinx warns:\n{text}")


# The links


class _Page(HTMLParser):
    """The anchors of a page, its links, and the addresses from which it loads something."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads = set(), [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        loads = {
            "link": ["href"],
            "script": ["src"],
            "img": ["src", "srcset"],
            "iframe": ["src"],
            "figure": ["data-frames"],
        }
        self.loads += [attributes[key] for key in loads.get(tag, ()) if attributes.get(key)]


def check_site(folder):
    """Return what is wrong with the links of a site: targets that are not there, and things loaded from elsewhere."""
    folder = Path(folder)
    pages = {path.resolve(): _Page(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}
    wrong = []
    for path, page in pages.items():
        name = path.relative_to(folder.resolve()).as_posix()
        for link in page.loads:
            if re.match(r"(https?:)?//", link):
                wrong.append(f"{name} loads {link}")
        for link in [*page.links, *page.loads]:
            parts = urllib.parse.urlsplit(html.unescape(link))
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchor = urllib.parse.unquote(parts.fragment)
            if not target.is_file():
                wrong.append(f"{name}: {link}")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                wrong.append(f"{name}: {link} (no such place in that page)")
    return wrong
