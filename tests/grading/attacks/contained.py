"""Run the commands of a plan, one after the other, and note what they do to the machine: ``python contained.py PLAN``.

This program is the first thing inside a PID namespace, so that nothing that the commands leave behind outlives it. It
imports the standard library alone.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path


def processes():
    """Return the other processes of this namespace, with their resident bytes."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in (1, os.getpid()):
            try:
                state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                found[int(entry)] = int(state[21]) * resource.getpagesize()
            except OSError:
                continue
            if state[0] == "Z":
                del found[int(entry)]
    return found


class Watch(threading.Thread):
    """Sample the processes; listen to who calls."""

    def __init__(self, port, root):
        super().__init__(daemon=True)
        self.memory = self.processes = self.disk = 0
        self.root = root
        self.heard = b""
        self.listener = socket.create_server(("127.0.0.1", port), reuse_port=True)
        threading.Thread(target=self.listen, daemon=True).start()

    def run(self):
        due = 0.0
        while True:
            if (start := time.monotonic()) >= due:
                self.disk = max(self.disk, usage(self.root)[0])
                due = start + max(0.6, 40 * (time.monotonic() - start))  # a large course takes its time
            found = processes()
            self.memory = max([self.memory, *found.values()])
            self.processes = max(self.processes, len(found))
            time.sleep(0.2)

    def listen(self):
        while True:
            line, _ = self.listener.accept()
            with line:
                line.settimeout(5)
                try:
                    while part := line.recv(65536):
                        self.heard += part
                except OSError:
                    continue


def usage(folder):
    """Return the bytes and the number of files below a folder."""
    size = number = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(path, name)).st_size
            except OSError:
                continue
            number += 1
    return size, number


def main():
    """Run the plan and write what was seen."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    if plan["loopback"]:
        _raise_loopback()
    watch = Watch(plan["port"], plan["root"])
    places = [plan["root"], "/tmp", "/dev/shm"] if plan["private_tmp"] else [plan["root"]]
    before = [usage(place) for place in places]
    watch.start()

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (plan["memory"], plan["memory"]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**30, 2**30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    seen = {"commands": [], "late": False}
    for command in plan["commands"]:
        start = time.monotonic()
        with open(plan["log"], "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=limit)
            try:
                code = process.wait(plan["seconds"])
            except subprocess.TimeoutExpired:
                seen["late"] = True
                process.send_signal(signal.SIGKILL)
                code = process.wait()
        seen["commands"].append({"code": code, "seconds": time.monotonic() - start})
    deadline = time.monotonic() + 4
    while (left := processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    after = [usage(place) for place in places]
    seen |= {
        "survivors": len(left),
        "memory": watch.memory,
        "processes": watch.processes,
        "heard": watch.heard.decode(errors="replace"),
        "peak": watch.disk - before[0][0],
        "disk": sum(a[0] - b[0] for a, b in zip(after, before, strict=True)),
        "files": sum(a[1] - b[1] for a, b in zip(after, before, strict=True)),
    }
    Path(plan["seen"]).write_text(json.dumps(seen))


def _raise_loopback():
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1 | 64))  # SIOCSIFFLAGS: up, running


if __name__ == "__main__":
    main()
