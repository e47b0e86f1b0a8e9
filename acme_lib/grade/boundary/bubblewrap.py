"""Bubblewrap's part of the boundary: whether it works on this machine, and what the far side sees under it.

`find_setup` tries out how bubblewrap can make its namespaces here, and says in plain words what stands in the way;
`view` and `masks` are its options for the file system: the interpreter and the library, without the course.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from acme_lib.grade.boundary import lockdown

# Far-side modules that may lie outside the interpreter: in a user's own site-packages, in a folder of PYTHONPATH.
_STACK = ("numpy", "scipy", "numba", "llvmlite", "matplotlib")
_CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETFCAP", "CAP_KILL")


@dataclass(frozen=True)
class Setup:
    """How bubblewrap works on this machine: options for its namespaces, and the users whom submissions become."""

    options: tuple
    users: range | None  # None: each submission has a user namespace of its own


@cache
def find_setup():
    """Return a `Setup` and ``""``, or None and what stands in its way, in plain words."""
    if not sys.platform.startswith("linux"):
        return None, "namespaces are of Linux: grade there, or in a virtual machine or container with it"
    program = shutil.which("bwrap")
    if program is None:
        return None, "install the system package `bubblewrap`"
    said = []
    users = find_users()
    for setup_users in (users, None) if users else (None,):
        # In a container, /proc is often masked, and then no new one can be mounted. That of the container will do: each
        # submission has nothing in its place.
        for proc in (("--proc", "/proc"), ("--bind", "/proc", "/proc")):
            setup = Setup((*_namespace_options(setup_users), *proc), setup_users)
            try:
                _rehearse(program, setup)
            except (OSError, subprocess.SubprocessError) as error:
                said.append(str(error))
            else:
                return setup, ""
    return None, _explain(said[-1])


def _rehearse(program, setup):
    """Do in bubblewrap what the fork server and its children will do; raise `OSError` with what was said against it."""
    user = str(setup.users[0]) if setup.users else "-"
    command = [program, "--ro-bind", "/", "/", "--dev", "/dev", *setup.options]
    command += [sys.executable, "-I", "-S", "-B", lockdown.__file__, user]
    done = subprocess.run(command, capture_output=True, timeout=20)
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        said = next((line for line in lines if line.startswith("bwrap:")), lines[0] if lines else "")
        raise OSError(said or f"bubblewrap ended with {done.returncode}")


def _explain(said):
    """Say what to do where there is a bubblewrap that does not work."""
    if _kernel_setting("kernel/apparmor_restrict_unprivileged_userns") == "1" and os.getuid() != 0:
        how = _to_set("kernel.apparmor_restrict_unprivileged_userns=0", "Ubuntu keeps ordinary users from namespaces")
    elif _kernel_setting("kernel/unprivileged_userns_clone") == "0" and os.getuid() != 0:
        how = _to_set("kernel.unprivileged_userns_clone=1", "this system keeps ordinary users from namespaces")
    elif _kernel_setting("user/max_user_namespaces") == "0":
        how = _to_set("user.max_user_namespaces=10000", "this system allows no user namespaces")
    elif "execvp" in said:
        how = f"{sys.executable} cannot be run in a sandbox: use a Python that lies where its user may read"
    elif any(os.path.exists(path) for path in ("/.dockerenv", "/run/.containerenv")):
        how = (
            "this container may make no namespaces: start it with `--security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined`, or grade outside it"
        )
    else:
        how = "allow bubblewrap to make user namespaces (it is installed, but fails)"
    return f"{how} [{said[:200]}]"


def _kernel_setting(name):
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _to_set(setting, why):
    return (
        f"{why}: let an administrator run `sudo sysctl -w {setting}`, and write `{setting}` into "
        "/etc/sysctl.d/60-acme.conf so that it stays"
    )


def _namespace_options(users):
    options = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    options += ["--die-with-parent", "--new-session"]
    if not users:
        # Root inside, without rights outside. As real root there is no user namespace: a limit on processes does not
        # hold for root's own user, so that the children become another user instead.
        options += ["--unshare-user", "--uid", "0", "--gid", "0"]
    for capability in _CAPABILITIES:
        options += ["--cap-add", capability]
    return options


def existing(paths):
    """Return those of the paths that exist, each once, as text."""
    return list(dict.fromkeys(str(path) for path in paths if path and os.path.exists(path)))


def prefixes_of_python():
    """Return where the interpreter lies, by name and by its real place."""
    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    return list(dict.fromkeys([*prefixes, *(os.path.realpath(path) for path in prefixes)]))


def search_path():
    """Return `sys.path` as far as the far side may have it too, and the folders of it that lie outside the interpreter.

    Outside are those that hold a part of the scientific stack. The folder of the library is not among them: what lies
    beside it may be the course.
    """
    outside = []
    for name in _STACK:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            outside.append(os.path.realpath(Path(spec.origin).parents[1]))
    inside = tuple(f"{os.path.realpath(prefix)}{os.sep}" for prefix in prefixes_of_python())
    path = []
    for entry in filter(None, sys.path):
        place = os.path.realpath(entry)
        if place.startswith(inside) or place in outside:
            path.append(os.path.abspath(entry))
    return path, [entry for entry in path if not os.path.realpath(entry).startswith(inside)]


def find_users():
    """Return users that exist here and that nobody is, to become one of them; None if this process may become nobody.

    In a container, few of all numbers may be users, or root alone.
    """
    if os.getuid() != 0:
        return None
    known = [_read_map(f"/proc/self/{name}") for name in ("uid_map", "gid_map")]
    for first, last in ((2_000_000, 1_002_000_000), (61_184, 65_520), (10_000, 61_184)):
        for low, high in known[0]:
            for group_low, group_high in known[1]:
                found = range(max(first, low, group_low), min(last, high, group_high))
                if len(found) >= 256:
                    return found
    return None


def _read_map(path):
    """Return the ranges of numbers that are users (or groups) in this user namespace."""
    try:
        with open(path, encoding="ascii") as file:
            rows = [[int(word) for word in line.split()] for line in file]
    except OSError:  # no namespaces: all are
        rows = [[0, 0, 2**31]]
    return [(inside, inside + count) for inside, _, count in rows]


def view(hidden_roots, data, packages):
    """Return bubblewrap's options for what the far side sees of the file system."""
    options = []
    for path in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(path):
            options += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            options += ["--ro-bind", path, path]
    options += ["--perms", "0755", "--dir", "/etc"]
    for path in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime"):
        if os.path.exists(path):
            options += ["--ro-bind", path, path]
    options += ["--dev", "/dev", "--remount-ro", "/dev", "--tmpfs", "/tmp"]
    for root in hidden_roots:
        options += ["--tmpfs", str(root)]
    prefixes = prefixes_of_python()
    for path in existing(prefixes):
        if not path.startswith("/usr") or path.startswith("/usr/local/"):
            options += _bind(path)
    library = library_folder()
    for folder in [*packages, library]:
        if not any(str(folder).startswith(f"{prefix}{os.sep}") for prefix in (*prefixes, *packages)):
            options += _bind(folder)
    if data:
        options += ["--ro-bind", str(data), "/data"]
    return options


def library_folder():
    """Return the folder ``acme_lib``."""
    return Path(__file__).resolve().parents[2]


def _bind(path):
    """Return the options for a read-only view of a folder, below empty folders through which everyone may pass."""
    options = []
    for parent in reversed(Path(path).parents[:-1]):
        if not str(parent).startswith(("/usr", "/tmp")):
            options += ["--perms", "0755", "--dir", str(parent)]
    return [*options, "--ro-bind", str(path), str(path)]


def masks(forbidden):
    """Return bubblewrap's options that hide the files of forbidden modules."""
    library = library_folder()
    options = []
    for name in forbidden:
        top, *rest = name.split(".")
        path = library.joinpath(*rest)
        if top != "acme_lib" or not rest:
            continue
        if path.is_dir():
            options += ["--tmpfs", str(path), "--remount-ro", str(path)]
        elif path.with_suffix(".py").is_file():
            options += ["--ro-bind", "/dev/null", str(path.with_suffix(".py"))]
    return options


def is_seen(root):
    """Whether a folder lies inside what the far side sees."""
    root = str(Path(root).resolve())
    seen = ("/usr", "/bin", "/sbin", "/lib", *{os.path.realpath(p) for p in (sys.prefix, sys.base_prefix)})
    return any(root == top or root.startswith(f"{top}/") for top in seen)
