"""Where tasks run: in this process, in several on this machine, or on a Dask cluster.

All three are generators of `Graded`, in the order in which they are done; a worker that dies costs time and no grade.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
from multiprocessing.connection import wait

from acme_lib.errors import GradingError
from acme_lib.extras import import_extra
from acme_lib.grade.boundary.sandbox import close_shared_sandboxes
from acme_lib.grade.task import Graded, grade_task

CONNECT_SECONDS = 20  # for a scheduler to answer
ATTEMPTS = 3  # how often a task is tried whose worker dies
PATIENCE = 300.0  # seconds for a notebook beyond those that its limits give to the student's code


def run_here(tasks):
    """Grade one after the other in this process."""
    try:
        for task in tasks:
            yield grade_task(task)
    finally:
        close_shared_sandboxes()


def run_in_processes(tasks, jobs):
    """Grade in `jobs` processes of this machine."""
    pool = _Pool(jobs)
    try:
        yield from pool.run(tasks)
    finally:
        pool.close()


def run_on_cluster(tasks, scheduler):
    """Grade on the workers of a Dask scheduler, one notebook at a time in each process.

    Raises
    ------
    GradingError
        If the cluster cannot be reached.
    MissingExtraError
        If `distributed` is not installed.
    """
    distributed = import_extra("distributed")
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS)
    except OSError as error:
        raise GradingError(f"no scheduler answers at {scheduler}: {error}") from None
    with client:
        waiting = {}
        tasks = iter(tasks)
        done = distributed.as_completed()

        def submit():
            for task in tasks:
                future = client.submit(grade_task, task, pure=False, retries=0)
                waiting[future.key] = task
                done.add(future)
                return

        for _ in range(4 * max(1, sum(client.nthreads().values()))):
            submit()
        for future in done:
            task = waiting.pop(future.key)
            try:
                yield future.result()
            except distributed.scheduler.KilledWorker:
                yield Graded(task.student, task.notebook, "failed", "its worker process died repeatedly")
            except Exception as error:
                yield Graded(task.student, task.notebook, "failed", f"{type(error).__name__}: {error}")
            submit()


def _work(pipe):
    """Grade what comes through the pipe until it closes, or until the process that reads the grades has died."""
    # Not SIGINT: what is started in the background, by a shell or a timer, may be deaf to it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with_the_writer, daemon=True).start()
    try:
        while True:
            pipe.send(grade_task(pipe.recv()))
    except (EOFError, OSError, KeyboardInterrupt):
        pass
    finally:
        close_shared_sandboxes()


def _end_with_the_writer():
    """Interrupt this process when the one that started it is gone: nobody waits for its grade any more."""
    multiprocessing.parent_process().join()
    signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
    time.sleep(10)
    os._exit(1)  # it did not listen; under bubblewrap its sandbox ends with it


class _Worker:
    def __init__(self, context):
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=_work, args=(far,), daemon=True)
        self.process.start()
        far.close()
        self.task, self.until = None, 0.0

    def give(self, task):
        self.task = task
        # The sandbox and the judge keep their own time; this is for a worker that hangs where neither can end it.
        self.until = time.monotonic() + task.limits.notebook_seconds + PATIENCE
        self.pipe.send(task)

    def end(self):
        self.pipe.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class _Pool:
    def __init__(self, jobs):
        self.context = multiprocessing.get_context("forkserver")
        # Loaded once, in the process that all workers are forked from.
        self.context.set_forkserver_preload(
            ["acme_lib.grade.nbgrader_steps", "acme_lib.grade.task", "nbgrader.preprocessors"]
        )
        with _ready_for_workers():
            self.workers = [_Worker(self.context) for _ in range(jobs)]

    def run(self, tasks):
        tasks, again, tried = iter(tasks), [], {}

        def give(worker):
            task = again.pop() if again else next(tasks, None)
            if task is not None:
                with contextlib.suppress(OSError):  # a dead worker: its task is given again below
                    worker.give(task)

        for worker in self.workers:
            give(worker)
        while busy := [worker for worker in self.workers if worker.task is not None]:
            ready = set(wait([worker.pipe for worker in busy], timeout=5))
            for worker in busy:
                hangs = False
                if worker.pipe in ready:
                    try:
                        graded = worker.pipe.recv()
                    except (EOFError, OSError):
                        graded = None
                elif time.monotonic() > worker.until or not worker.process.is_alive():
                    graded, hangs = None, worker.process.is_alive()
                else:
                    continue
                if graded is None:
                    task = worker.task
                    self._replace(worker)
                    key = (task.student, task.notebook)
                    tried[key] = tried.get(key, 0) + 1
                    if hangs:  # it would again
                        yield Graded(*key, "failed", "its grading did not come to an end, and was ended")
                    elif tried[key] >= ATTEMPTS:
                        yield Graded(*key, "failed", f"its worker ended {ATTEMPTS} times while grading it")
                    else:
                        again.append(task)
                else:
                    worker.task = None
                    yield graded
            for worker in self.workers:
                if worker.task is None:
                    give(worker)

    def _replace(self, worker):
        worker.process.kill()
        worker.end()
        with _ready_for_workers():
            self.workers[self.workers.index(worker)] = _Worker(self.context)

    def close(self):
        for worker in self.workers:
            worker.end()


@contextlib.contextmanager
def _ready_for_workers():
    """Let processes that are started now compute with one thread each, and not run the caller's script again."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")  # a worker loads the main module, and this one is empty
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
