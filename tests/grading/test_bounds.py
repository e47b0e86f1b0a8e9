"""What the trusted side reads costs it time and memory in proportion to its length, whatever it holds."""

import bz2
import gzip
import io
import json
import lzma
import struct
import sys
import tarfile
import threading
import time
import tracemalloc
import zipfile

import nbformat
import numpy as np
import pytest

from acme_lib.grade.boundary import wire
from acme_lib.grade.boundary.guards import Limits
from acme_lib.grade.boundary.sandbox import Sandbox
from acme_lib.grade.boundary.stand_in import NoAnswer
from acme_lib.grade.source_notebook import load_master
from acme_lib.grade.submission import parse_submission, read_submission
from tests.grading.small_course import hand_in, write_source
from tests.marks import always

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is of Linux")


def frame_of(text, *blobs):
    parts = [wire._HEAD.pack(b"acme", len(text), len(blobs)), text.encode()]
    return b"".join([*parts, *(wire._LENGTH.pack(len(blob)) + blob for blob in blobs)])


P = 2**61 - 1  # Python's hash of a whole number is its rest by this prime
ALIKE = {
    "set": lambda n: '{"s":[' + ",".join(str(P * i) for i in range(n)) + "]}",
    "frozenset": lambda n: '{"z":[' + ",".join(str(P * i) for i in range(n)) + "]}",
    "dict": lambda n: '{"d":[' + ",".join(f"[{P * i},0]" for i in range(n)) + "]}",
    "complex": lambda n: '{"s":[' + ",".join(f'{{"c":[{1_000_003 * (n - i)},{i}]}}' for i in range(n)) + "]}",
    "tuples": lambda n: '{"s":[' + ",".join(f'{{"t":[{P * i},1]}}' for i in range(n)) + "]}",
    "numpy": lambda n: '{"s":[' + ",".join(f'{{"m":["u8",{P * i}]}}' for i in range(8)) + f",{P * 9},{P * 10}" + "]}",
    "low bits": lambda n: '{"s":[' + ",".join(str(i << 40) for i in range(n * 10)) + "]}",
    "many sets": lambda n: (
        "[" + ",".join('{"s":[0,' + ",".join(str(P * i) for i in range(9)) + "]}" for _ in range(n)) + "]"
    ),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_keys_that_collide_are_refused_at_once(kind):
    frame = frame_of(ALIKE[kind](15_000))
    start = time.perf_counter()
    with pytest.raises(wire.Malformed):
        wire.decode(frame)
    assert time.perf_counter() - start < 3


def test_honest_sets_and_dicts_cross():
    for value in (set(range(5000)), {i: i for i in range(-5, 5000)}, {(i, j) for i in range(60) for j in range(60)}):
        assert wire.decode(wire.encode(value)) == value
    texts = {f"name {i}": i / 7 for i in range(50_000)}
    assert wire.decode(wire.encode(texts)) == texts
    assert wire.decode(wire.encode([{0, 0.5}, {-1, -2}, {float("nan"): 1}]))[:2] == [{0, 0.5}, {-1, -2}]


def most_memory(read):
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_array_is_read_once():
    blob = wire.encode(np.zeros(200_000))
    blob = blob[blob.index(b"\x93NUMPY") :]
    frame = frame_of("[" + ",".join(['{"a":0}'] * 3000) + "]", blob)

    def read():
        with pytest.raises(wire.Malformed):
            wire.decode(frame)

    assert most_memory(read) < 20e6


@pytest.mark.parametrize("item", ['{"x":""}', '{"x":"abc"}', '{"d":[]}', '{"t":[]}', "[]", '{"m":["f8",1]}', '{"":0}'])
def test_a_flood_of_values_is_bounded(item):
    frame = frame_of("[" + ",".join([item] * 990_000) + "]")

    def read():
        try:
            wire.decode(frame)
        except wire.Malformed:
            return

    assert most_memory(read) < 200e6


# A reply that is not one ---------------------------------------------------------------------------------------------


class Scripted:
    """A far side that says what it likes: the sandbox of a `FarSide` whose channel is a pair of sockets."""

    limits = Limits(call_seconds=2.0)

    def dismiss(self, number):
        return {}


REPLIES = {
    "array for an id": {"id": np.arange(3), "value": 1},
    "true for an id": {"id": True, "value": 1},
    "none for an id": {"id": None},
    "list": [1, 2],
    "strange keys": {(1, 2): 3, np.int64(4): 5},
    "array for a callback": {"callback": np.arange(3), "arguments": [], "named": {}},
    "callback": {"callback": 0, "arguments": [], "named": {}},
    "no arguments": {"callback": 0},
}


@pytest.mark.parametrize("reply", REPLIES)
def test_whatever_a_reply_holds_costs_its_question_alone(reply):
    import socket

    from acme_lib.grade.boundary.student import FarSide

    near, far = socket.socketpair()
    thread = threading.Thread(target=lambda: wire.send(far, wire.encode(REPLIES[reply])))
    thread.start()
    with pytest.raises(NoAnswer):
        FarSide(Scripted(), 1, near, 10).call("f")
    thread.join()
    near.close()
    far.close()


FORGES = """\
import socket, sys
from acme_lib.grade.boundary import wire
import numpy as np
def f():
    frame = sys._getframe(1)
    while 'request' not in frame.f_locals or 'id' not in frame.f_locals['request']:
        frame = frame.f_back
    number = frame.f_locals['request']['id']
    wire.send(socket.socket(fileno=3), wire.encode({forged}))
    import os
    os._exit(0)
"""


@pytest.mark.parametrize(
    "forged",
    [
        "{'id': number, 'error': np.arange(3), 'text': np.arange(3), 'where': {}, 'printed': [1]}",
        "{'id': number, 'value': 1, 'printed': np.arange(9)}",
        "{'id': number, 'error': ['x'] * 5, 'text': 3}",
        "{'id': np.arange(3), 'value': 1}",
        "{'id': number}",
    ],
)
def test_a_forged_reply_is_a_reply_or_no_answer(sandbox, forged):
    from acme_lib.teach.check_door import NotPlain, Reply

    with sandbox.admit(seed=1) as student:
        assert student.run_cell("answer", FORGES.replace("{forged}", forged)).error is None
        try:
            reply = student.call("f")
        except NotPlain:
            return
        assert type(reply) is Reply and type(reply.printed) is str and (reply.error is None or type(reply.error) is str)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(limits=Limits(call_seconds=3.0)) as made:
        yield made


# Archives ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    return load_master(write_source(tmp_path_factory.mktemp("source")))


def zipped(method, data, names=("p.ipynb",)):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name in names:
            file.writestr(name, data)
    return buffer.getvalue()


def header(kind, size, name="p.ipynb"):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


GIGABYTE = 2**30


def zeros_by_gzip(head, size):
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9) as file:
        file.write(head)
        for _ in range(size >> 20):
            file.write(bytes(2**20))
    return buffer.getvalue()


def flood_of_names():
    """A zip whose end says little and whose list of names is long."""
    names = b"".join(
        b"PK\x01\x02" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0) + b"%08d" % i
        for i in range(400_000)
    )
    return names + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 5, 5, len(names), 0, 0)


ARCHIVES = {
    "bzip2.zip": lambda: zipped(zipfile.ZIP_BZIP2, bytes(GIGABYTE // 4)),
    "lzma.zip": lambda: zipped(zipfile.ZIP_LZMA, bytes(GIGABYTE // 32)),
    "names.zip": flood_of_names,
    "members.zip": lambda: zipped(zipfile.ZIP_STORED, b"", [f"{i}/x" for i in range(3000)]),
    "extended.tar.gz": lambda: zeros_by_gzip(header(b"x", GIGABYTE // 2), GIGABYTE // 2),
    "global.tar.gz": lambda: zeros_by_gzip(header(b"g", GIGABYTE // 2), GIGABYTE // 2),
    "long.tar.gz": lambda: zeros_by_gzip(header(b"L", GIGABYTE // 2), GIGABYTE // 2),
    "link.tar.gz": lambda: zeros_by_gzip(header(b"K", GIGABYTE // 2), GIGABYTE // 2),
    "chain.tar.gz": lambda: zeros_by_gzip(b"".join(header(b"L", 1) + b"x" + bytes(511) for _ in range(30_000)), 0),
    "zeros.tar.gz": lambda: zeros_by_gzip(b"", GIGABYTE // 2),
    "before.tar.gz": lambda: zeros_by_gzip(header(b"0", GIGABYTE // 2, "other"), GIGABYTE // 2),
    "sparse.tar": lambda: header(b"S", 0) + bytes(1024),
    "bzip2.tar": lambda: bz2.compress(bytes(GIGABYTE // 4)),
    "xz.tar": lambda: lzma.compress(bytes(GIGABYTE // 4), preset=0),
}


@pytest.mark.parametrize("name", always(3, ARCHIVES))
def test_an_archive_is_not_unpacked_without_end(name, master, tmp_path):
    (tmp_path / f"work{name[name.index('.') :]}").write_bytes(ARCHIVES[name]())
    found = []
    start = time.perf_counter()
    memory = most_memory(lambda: found.append(read_submission(tmp_path / "p.ipynb", master)))
    assert found[0].unreadable and not found[0].answers
    assert "lzma" not in name or "not usual" in found[0].unreadable
    assert time.perf_counter() - start < 5 and memory < 170e6


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("end", [".tar", ".tar.gz", ".tgz"])
def test_usual_archives_are_read(form, end, master, tmp_path):
    text = nbformat.writes(hand_in()).encode()
    with tarfile.open(tmp_path / f"work{end}", "w" if end == ".tar" else "w:gz", format=form) as file:
        for name, data in (("a/notes.txt", b"x" * 10_000), (f"{'ä' * 40}/{'b' * 40}/p.ipynb", text)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    assert len(read_submission(tmp_path / "p.ipynb", master).answers) == 3


def test_a_notebook_of_too_many_values_is_not_parsed(master):
    data = b'{"cells":[' + b"{}," * 6_000_000 + b"{}]}"
    memory = most_memory(lambda: parse_submission(data, "", master))
    assert memory < 5e6 and "too many values" in parse_submission(data, "", master).unreadable
    many = json.dumps({"cells": [], "metadata": {"plot": list(range(1_000_000))}}).encode()
    assert parse_submission(many, "", master).unreadable == ""
