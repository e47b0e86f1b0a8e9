"""What the repository holds, and what none of its files may say."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FOLDERS = {"course", "acme_lib", "exercises", "solutions", "tests", ".ci", ".devcontainer", ".github"}
FILES = {
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "LICENSE-TEXT",
    "README.md",
    "environment.yml",
    "jupyter_lab_config.py",
    "jupyter_lab_overrides.json",
    "jupyter_nbconvert_config.py",
    "nbgrader_config.py",
    "pyproject.toml",
    "requirements.txt",
}

# Written so that these lines do not match themselves.
FORBIDDEN = {
    "a path of one machine": re.compile(
        r"(?<![\w.~-])/(?:root|work|home/\w+|Users/\w+)/|[A-Z]:\\+Users\\|/ipykernel_[0-9]|\.pyenv[/]"
    ),
    "the host of a package registry": re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|anaconda\.org|proxy\.golang\.org|crates\.io|deb\.debian\.org)"
    ),
}


def tracked_files():
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listing.split("\0") if name and (ROOT / name).is_file()]


TRACKED = tracked_files()


def test_top_level_holds_what_the_map_names():
    assert {name.split("/")[0] for name in TRACKED if "/" in name} <= FOLDERS
    assert {name for name in TRACKED if "/" not in name} <= FILES


def test_lock_is_left_to_each_machine():
    """uv.lock names the hosts from which one machine installs; requirements.txt carries the pins."""
    assert TRACKED
    assert "uv.lock" not in TRACKED


def says(text):
    return {f"{what}: {match[0]}" for what, pattern in FORBIDDEN.items() for match in pattern.finditer(text)}


def test_no_file_names_a_machine_or_a_registry():
    contents = {name: (ROOT / name).read_bytes() for name in TRACKED}
    found = {name: says(content.decode("utf-8")) for name, content in contents.items() if b"\0" not in content}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "words",
    [
        ["", "root", ".cache", "x"],
        ["see ", "home", "ada", "acme"],
        ["", "Users", "ada", "acme"],
        ["https:", "", "py" + "pi.org", "simple"],
        ["https:", "", "registry.npm" + "js.org", "x"],
    ],
)
def test_a_forbidden_name_is_seen(words):
    assert says("/".join(words))


def test_text_files_end_in_one_newline_and_use_unix_line_ends():
    wrong = []
    for name in TRACKED:
        content = (ROOT / name).read_bytes()
        if name.startswith("tests/grading/old_course/"):  # as an older version wrote it: its records hold hashes of it
            continue
        if b"\0" not in content and content and (b"\r\n" in content or not content.endswith(b"\n")):
            wrong.append(name)
    assert wrong == []
