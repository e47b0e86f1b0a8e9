"""What a process of the far side gives up before it meets a student's code.

`enter_namespaces` and `drop_privileges` need the rights that the sandbox leaves its first process; `set_limits` and
`filter_system_calls` need none and hold without a sandbox as well. Nothing of this can be undone from inside.

The filter allows threads and no processes: what the limits say then holds for the submission as a whole, and nothing is
left behind when its one process is killed.
"""

import ctypes
import os
import platform
import struct
import sys

CLONE_THREAD, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID = 0x10000, 0x20000, 0x4000000, 0x8000000, 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_RDONLY = 2, 4, 8, 1
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 22, 24, 38, 4
_EPERM, _EACCES, _ENOSYS = 1, 13, 38

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
}
_CLONE, _CLONE3, _TGKILL = (56, 220), (435, 435), (234, 131)
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


def enter_namespaces(tmp_bytes, keep=()):
    """Give this process mounts and message queues of its own: a small empty ``/tmp``, nothing in ``/proc``.

    What lies below ``/tmp`` and is to `keep` (an interpreter, the library) stays in its place, as it was mounted.
    """
    unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)
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
    for path in ("/proc", "/dev/shm"):
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


def drop_privileges(uid):
    """Give up every capability, also for good; as root become the user `uid`."""
    libc = _libc()
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if uid is not None and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header, data = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    _check(libc.capset(header, data), "capset")
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


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
    """Refuse, for good: new processes and programs, signals to others, sockets, mounts, and what debuggers use."""
    column, architecture = _MACHINES[platform.machine()]
    denied = sorted(numbers[column] for numbers in _DENIED.values() if numbers[column] is not None)
    load_word, jump_equal, jump_set, jump_above, give = 0x20, 0x15, 0x45, 0x35, 0x06
    allow, error, kill = 0x7FFF0000, 0x00050000, 0x80000000

    def instruction(code, value, if_true=0, if_false=0):
        return struct.pack("<HBBI", code, if_true, if_false, value)

    program = [
        instruction(load_word, 4),
        instruction(jump_equal, architecture, 1, 0),
        instruction(give, kill),
        instruction(load_word, 0),
        instruction(jump_above, 0x40000000, 0, 1),  # the x32 numbers
        instruction(give, kill),
        instruction(jump_equal, _CLONE[column], 0, 4),
        instruction(load_word, 16),  # the flags
        instruction(jump_set, CLONE_THREAD, 0, 1),
        instruction(give, allow),
        instruction(give, error | _EPERM),
        instruction(jump_equal, _CLONE3[column], 0, 1),
        instruction(give, error | _ENOSYS),  # the C library then falls back to clone
        instruction(jump_equal, _TGKILL[column], 0, 4),
        instruction(load_word, 16),
        instruction(jump_equal, os.getpid(), 0, 1),
        instruction(give, allow),
        instruction(give, error | _EPERM),
    ]
    for number in denied:
        program += [instruction(jump_equal, number, 0, 1), instruction(give, error | _EPERM)]
    program.append(instruction(give, allow))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]

    code = b"".join(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    libc = _libc()
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    pointer = ctypes.byref(Program(len(program), ctypes.addressof(buffer)))
    _check(libc.prctl(_PR_SET_SECCOMP, 2, pointer, 0, 0), "seccomp")
