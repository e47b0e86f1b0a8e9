"""Run batches to their ends, one after the other, while they are killed now and then: ``python killing.py PLAN``.

It runs inside the containment of the attacks, beside what it kills, and imports the standard library alone. A kill of
the batch ends the writer and nothing else (``kill -9``); what it leaves running must end by itself, while the next run
is already at work.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

RESULT = re.compile(r"^\S+ (.+)/[^/:]+: (graded|unreadable|failed), ")


class Machine:
    """The processes of this namespace."""

    def __init__(self):
        self.pages = os.sysconf("SC_PAGE_SIZE")
        self.own = {1, os.getpid(), *_ancestors(os.getpid())}

    def find(self):
        """Return the other processes, as (number, moment of its start): its parent and its command."""
        found = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) not in self.own:
                try:
                    fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                    command = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if fields[0] not in "ZX":
                    found[int(entry), fields[19]] = int(fields[1]), command
        return found

    def workers(self):
        """Return the processes that grade: those that a fork server has made."""
        found = self.find()
        servers = {number for (number, _), (_, command) in found.items() if "multiprocessing.forkserver" in command}
        return [number for (number, _), (parent, _) in found.items() if number in servers and parent in servers]


def _ancestors(number):
    while number > 1:
        try:
            number = int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return
        yield number


class Log:
    """The log of the batch, read as it grows."""

    def __init__(self, path):
        self.path, self.place, self.rest, self.results = Path(path), 0, "", 0

    def read(self):
        """Return the number of results so far."""
        if self.path.exists():
            with open(self.path, encoding="utf-8") as file:
                file.seek(self.place)
                text = self.rest + file.read()
                self.place = file.tell()
            *lines, self.rest = text.split("\n")
            self.results += sum(RESULT.match(line) is not None for line in lines)
        return self.results


def memory_of(number):
    """Return the resident bytes of a process, now."""
    try:
        text = Path(f"/proc/{number}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


def stamps_of(audit):
    """Return when each audit record was written."""
    return {
        f"{folder.name}/{path.name}": path.stat().st_mtime_ns
        for folder in os.scandir(audit)
        if folder.is_dir()
        for path in os.scandir(folder.path)
        if path.name.endswith(".json")
    }


def main():
    """Run the plan and write what was seen."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    rng, machine = random.Random(plan["seed"]), Machine()
    seen = {"runs": [], "kills": [], "orphans": [], "written_again": []}
    orphans = {}
    for batch in plan["batches"]:
        run_batch(batch, plan["output"], rng, machine, seen, orphans)
    deadline = time.monotonic() + 30
    while (left := machine.find()) and time.monotonic() < deadline:
        time.sleep(0.2)
    seen["orphans"] += [time.monotonic() - since for process, since in orphans.items()]
    seen["left"] = sorted(command[:200] for _, command in left.values())
    seen["scratch"] = sorted(os.listdir(plan["tmp"]))
    Path(plan["seen"]).write_text(json.dumps(seen))


def run_batch(plan, output, rng, machine, seen, orphans):
    """Run one batch until it comes to its end, and note in `seen` and `orphans` what becomes of it."""
    log, before = Log(plan["log"]), {}
    waiting = sorted(plan["kills"])  # pairs: a number of results, and what is killed then
    while True:
        start = time.monotonic()
        written = open(output, "ab")
        batch = subprocess.Popen(plan["command"], stdout=written, stderr=written, stdin=subprocess.DEVNULL)
        killed, memory, looked = False, [], 0.0
        while batch.poll() is None:
            time.sleep(0.02)
            results = log.read()
            if time.monotonic() > looked + 0.5:
                looked = time.monotonic()
                memory.append([results, memory_of(batch.pid)])
                living = machine.find() if orphans else {}
                for process in [p for p in orphans if p not in living]:
                    seen["orphans"].append(time.monotonic() - orphans.pop(process))
            if not waiting or results < waiting[0][0]:
                continue
            time.sleep(rng.uniform(0, 0.4))
            what = waiting[0][1]
            if what == "worker":
                workers = machine.workers()
                if not workers:
                    continue
                os.kill(rng.choice(workers), signal.SIGKILL)
            else:
                around = machine.find()
                os.kill(batch.pid, signal.SIGKILL)
                batch.wait()
                killed = True
                left = {p: time.monotonic() for p in around if p[0] != batch.pid and p not in orphans}
                orphans |= left
            waiting.pop(0)
            seen["kills"].append({"what": what, "results": results})
        after = stamps_of(plan["audit"])
        seen["written_again"] += [name for name, stamp in before.items() if after.get(name) != stamp]
        before = after
        seen["runs"].append(
            {"code": batch.returncode, "seconds": time.monotonic() - start, "memory": memory, "records": len(after)}
        )
        if not killed:
            break


if __name__ == "__main__":
    main()
