"""What a process of the far side gives up before it meets a student's code.

`enter_namespaces` and `drop_privileges` need the rights that the sandbox leaves its first process; `set_limits` and
`filter_system_calls` need none and hold without a sandbox as well. Nothing of this can be undone from inside.

The filter allows threads and no processes: what the limits say then holds for the submission as a whole, and nothing is
left behind when its one process is killed. It also closes what two processes of the same sandbox, which share the pages
of read-only files and little else, could use as a channel: locks and leases on such files, notices of their use,
futexes on their pages, sockets with names, and what counts processes or threads of the whole machine. Channels of time
(how fast a page, a lock of the kernel or a core answers) and counters that every call may move stay open.

The numbers of system calls are written out, and the tests compare them with the table of libseccomp, for both machines,
and with the kernel's headers. No binding of libseccomp that pip installs would do (November 2026): its own is not among
them (Debian's python3-seccomp is built for the system's Python alone), pyseccomp 0.1.2 had its last release in 2021 and
needs a libseccomp.so.2 that a machine may lack, mephi42-seccomp 2.5.6 has wheels from Python 3.12 on and nothing else,
and seccompy 0.2.0, young and without libseccomp, has numbers of its own instead of ours. With the shared library, the
filter would be as long: what it allows depends on arguments.
"""

import ctypes
import os
import platform
import struct
import sys

CLONE_THREAD, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID = 0x10000, 0x20000, 0x4000000, 0x8000000, 0x20000000
CLONE_NEWUSER = 0x10000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_RDONLY = 2, 4, 8, 1
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 22, 24, 38, 4
_EPERM, _EAGAIN, _EINVAL, _ENOTTY, _ENOSYS = 1, 11, 22, 25, 38

# Numbers of system calls: on x86_64 and on aarch64 (None where it has none).
_DENIED = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "setpriority": (141, 140),
    # What costs all of the machine.
    "sync": (162, 81),
    "syncfs": (306, 267),
    # What two processes could talk by.
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "setsockopt": (54, 208),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semctl": (66, 191),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "msgctl": (71, 187),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "mq_unlink": (241, 181),
    "memfd_secret": (447, 447),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "preadv2": (327, 286),  # both can ask whether a page of a file is in memory
    "pwritev2": (328, 287),
    "mincore": (27, 232),
    "cachestat": (451, 451),
    "sysinfo": (99, 179),
    "getpriority": (140, 141),
    "ioprio_get": (252, 31),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "process_mrelease": (448, 448),
    "quotactl_fd": (443, 443),
    "ustat": (136, None),
    "futex_waitv": (449, 449),
    "futex_wake": (454, 454),
    "futex_wait": (455, 455),
    "futex_requeue": (456, 456),
    "statmount": (457, 457),
    "listmount": (458, 458),
}
# Allowed for some arguments only.
_LIMITED = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "fcntl": (72, 25),
    "flock": (73, 32),
    "futex": (202, 98),
    "ioctl": (16, 29),
    "sendto": (44, 206),
    "tgkill": (234, 131),
}
_LAST = 462  # mseal; what a newer kernel adds is not there, until somebody has looked at it
_FCNTL = (  # descriptors, flags, sizes; not: who holds a lock, leases, notices, hints, signals
    *(0, 1, 2, 3, 4),  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL
    *(1030, 1032, 1034),  # F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_GET_SEALS
)
# F_SETLK, F_SETLKW and those of an open file are granted without being carried out: a submission is alone with its
# files, and a lock on what others can open as well, /dev/null for one, would tell them something.
_LOCKS = (6, 7, 37, 38)
_FLOCK = (1, 5, 8, 12)  # shared, and none: an exclusive one needs no right to write
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags):
    """Leave the namespaces of the parent (see ``man 2 unshare``)."""
    _check(_libc().unshare(flags), "unshare")


def set_namespace(descriptor, flags):
    """Join a namespace again (see ``man 2 setns``)."""
    _check(_libc().setns(descriptor, flags), "setns")


def enter_namespaces(tmp_bytes, keep=(), own_user=False):
    """Give this process mounts and message queues of its own: a small empty ``/tmp``, nothing in ``/proc``.

    What lies below ``/tmp`` and is to `keep` (an interpreter, the library) stays in its place, as it was mounted. With
    `own_user` it gets a user namespace of its own as well: what the kernel counts by user is then counted for it alone.
    """
    flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS
    if own_user:
        user, group = os.getuid(), os.getgid()
        unshare(flags | CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {user} 1"), ("gid_map", f"1000 {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    else:
        unshare(flags)
    _mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    below = [path for path in keep if path.startswith("/tmp/") and os.path.isdir(path)]
    held = {path: os.open(path, os.O_PATH) for path in below}
    options = f"size={int(tmp_bytes)},nr_inodes=2000,mode=1777".encode()
    _mount(b"tmpfs", b"/tmp", b"tmpfs", _MS_NOSUID | _MS_NODEV, options)
    for path, descriptor in sorted(held.items()):
        if not os.path.isdir(path):  # a folder in one that is there already came with it
            os.makedirs(path, mode=0o755)
            _mount(f"/proc/self/fd/{descriptor}".encode(), os.fsencode(path), None, _MS_BIND | _MS_REC, None)
        os.close(descriptor)
    for path in ("/proc", "/dev/shm", "/dev/pts"):
        if os.path.isdir(path):
            hide(path)


def hide(path):
    """Put something empty over a file or a directory."""
    if os.path.isdir(path):
        _mount(
            b"tmpfs",
            os.fsencode(path),
            b"tmpfs",
            _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_RDONLY,
            b"size=4k,mode=0755",
        )
    elif os.path.exists(path):
        _mount(b"/dev/null", os.fsencode(path), None, _MS_BIND, None)


def _mount(source, target, kind, flags, options):
    _check(_libc().mount(source, target, kind, ctypes.c_ulong(flags), options), f"mount {os.fsdecode(target)}")


def drop_privileges(user=None):
    """Give up every capability, also for good; with a `user`, become that user first (a right of root alone)."""
    linux = sys.platform.startswith("linux")
    libc = _libc()
    if linux:
        for capability in range(64):
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    if linux:
        header, data = struct.pack("<Ii", 0x20080522, 0), bytes(24)
        _check(libc.capset(header, data), "capset")
        _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def rehearse(user):
    """Do once what every process of the far side will do; raise `OSError` where the system does not let it."""
    unshare(CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        try:
            enter_namespaces(2**20, own_user=user is None)
            drop_privileges(user)
        except BaseException as error:
            os.write(2, f"{error}\n".encode())
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        raise OSError("a process cannot be locked down")


def counts_by_namespace():
    """Whether the kernel counts the processes of a user in each user namespace by itself (from Linux 5.14)."""
    numbers = os.uname().release.split("-")[0].split(".")
    try:
        return (int(numbers[0]), int(numbers[1])) >= (5, 14)
    except (ValueError, IndexError):
        return False


def count_threads():
    """Return how many threads this process's user has on this machine (as far as ``/proc`` shows them)."""
    total, user = 0, os.getuid()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}").st_uid == user:
                    total += len(os.listdir(f"/proc/{name}/task"))
            except OSError:  # it has ended, or is not ours to look at
                continue
    return total


def set_limits(memory_bytes, cpu_seconds, file_bytes, processes):
    """Limit the memory beyond what is in use now, processor time, the size of files, and processes and threads."""
    import resource

    limits = {"RLIMIT_CORE": 0, "RLIMIT_CPU": cpu_seconds, "RLIMIT_FSIZE": file_bytes, "RLIMIT_NOFILE": 128}
    limits["RLIMIT_NPROC"] = processes
    if sys.platform.startswith("linux"):
        limits["RLIMIT_AS"] = memory_in_use() + memory_bytes
    for name, value in limits.items():
        if hasattr(resource, name):
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
            resource.setrlimit(kind, (value, value))


def memory_in_use():
    """Return the bytes of address space of this process (the last known value where ``/proc`` is hidden)."""
    global _memory_in_use
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            _memory_in_use = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        pass
    return _memory_in_use


_memory_in_use = 2 * 2**30


def can_filter():
    """Whether `filter_system_calls` works on this machine."""
    return sys.platform.startswith("linux") and platform.machine() in _MACHINES


def filter_system_calls():
    """Refuse, for good: new processes and programs, signals to others, named sockets, mounts, debugging, channels."""
    program = b"".join(_filter_program(*_MACHINES[platform.machine()]))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]

    buffer = ctypes.create_string_buffer(program, len(program))
    libc = _libc()
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    pointer = ctypes.byref(Program(len(program) // 8, ctypes.addressof(buffer)))
    _check(libc.prctl(_PR_SET_SECCOMP, 2, pointer, 0, 0), "seccomp")


def _filter_program(column, architecture):
    """Return the instructions (of the classic Berkeley packet filter) for the machine of this column."""
    load_word, keep_bits, jump_equal, jump_set, jump_above, give = 0x20, 0x54, 0x15, 0x45, 0x35, 0x06

    def instruction(code, value, if_true=0, if_false=0):
        return struct.pack("<HBBI", code, if_true, if_false, value)

    def refuse(error):
        return instruction(give, 0x00050000 | error)

    def argument(number, high=False):
        return instruction(load_word, 16 + 8 * number + 4 * high)

    def when(name, *then):  # each way through `then` ends
        return [instruction(jump_equal, _LIMITED[name][column], 0, len(then)), *then]

    def only(name, number, values, error):
        choice = [step for value in values for step in (instruction(jump_equal, value, 0, 1), allow)]
        return when(name, argument(number), *choice, refuse(error))

    allow, kill = instruction(give, 0x7FFF0000), instruction(give, 0x80000000)
    private, wait, wait_bits = 128, 0, 9  # of a futex
    program = [
        instruction(load_word, 4),
        instruction(jump_equal, architecture, 1, 0),
        kill,
        instruction(load_word, 0),
        instruction(jump_above, 0x40000000, 0, 1),  # the x32 numbers
        kill,
        instruction(jump_above, _LAST + 1, 0, 1),
        refuse(_ENOSYS),
    ]
    # A futex that is not private may lie on a page of a file. The C library waits so for the end of a thread: told that
    # the value has changed, it looks again, until the thread has ended.
    program += when(
        "futex",
        argument(1),
        instruction(jump_set, private, 0, 1),
        allow,
        instruction(keep_bits, 0x7F),
        instruction(jump_equal, wait, 1, 0),
        instruction(jump_equal, wait_bits, 0, 1),
        refuse(_EAGAIN),
        refuse(_EINVAL),
    )
    program += when("clone", argument(0), instruction(jump_set, CLONE_THREAD, 0, 1), allow, refuse(_EPERM))
    program += when("clone3", refuse(_ENOSYS))  # the C library then falls back to clone
    program += only("tgkill", 0, [os.getpid()], _EPERM)
    program += only("ioctl", 1, _IOCTL, _ENOTTY)
    granted = [step for value in _LOCKS for step in (instruction(jump_equal, value, 0, 1), refuse(0))]
    may = [step for value in _FCNTL for step in (instruction(jump_equal, value, 0, 1), allow)]
    program += when("fcntl", argument(1), *granted, *may, refuse(_EPERM))
    program += only("flock", 1, _FLOCK, _ENOSYS)
    no_address = [argument(4), instruction(jump_equal, 0, 0, 3), argument(4, high=True)]
    program += when("sendto", *no_address, instruction(jump_equal, 0, 0, 1), allow, refuse(_EPERM))
    for numbers in _DENIED.values():
        if numbers[column] is not None:
            program += [instruction(jump_equal, numbers[column], 0, 1), refuse(_EPERM)]
    return [*program, allow]


if __name__ == "__main__":  # in the sandbox, before it is relied on
    try:
        rehearse(int(sys.argv[1]) if sys.argv[1] != "-" else None)
    except OSError as error:
        sys.exit(str(error))
