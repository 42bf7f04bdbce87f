"""Names out of a large debug file: how long until a place or a variable is known, in whole runs that only list it.

The file is $SPILE_BENCH_NAMES, else the debug information of Debian's kernel 6.1 that `tests/vm/run --debuginfo` has fetched; questions are about
that kernel.  gdb and stap answer the same questions where they are installed.
"""
import glob, os, shutil

from measure import TMP, median, rounds_of, table, timed

LINE = "fs/read_write.c:464"
QUESTIONS = {
    # what: (bpftrace's language, gdb, stap)
    "parameters of a function": ("uprobe:{f}:vfs_read", "info scope vfs_read", 'process("{f}").function("vfs_read")'),
    "a line": ("uprobe:{f}@" + LINE, None, None),
    "a line and its locals": ("uprobe:{f}@" + LINE, "info scope " + LINE, 'process("{f}").statement("vfs_read@' + LINE + '")'),
    "copies of an inlined function": ("uprobe:{f}:fdget_pos", "info breakpoints", 'process("{f}").function("fdget_pos").inline'),
}
MODES = {"parameters of a function": "-lv", "a line": "-l", "a line and its locals": "-lv", "copies of an inlined function": "-l"}


def debug_file():
    cache = os.environ.get("SPILE_VM_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "spile-vm")
    found = glob.glob(f"{cache}/6.1/debug/boot/vmlinux-*")
    return os.environ.get("SPILE_BENCH_NAMES") or (found[0] if found else None)


def in_tmp(path):
    """The file below /tmp, where a tracer in another root sees it too."""
    to = f"{TMP}/vmlinux"
    try:
        os.link(path, to)
    except OSError:
        shutil.copy(path, to)
    return to


def fresh(argv):
    """A run without anything kept from earlier ones."""
    shutil.rmtree(f"{TMP}/cache", ignore_errors=True)
    os.mkdir(f"{TMP}/cache", 0o700)
    return timed(argv)


def columns(tools, what, f):
    """[(name, how to measure)]"""
    bt, gdb, stap = (q and q.format(f=f) for q in QUESTIONS[what])
    cases = []
    for t in tools:
        argv = t.argv + [MODES[what], bt]
        if t.is_peer:
            cases.append((t.name, lambda argv=argv: timed(argv)))
        else:
            cases += [(t.name + ", first", lambda argv=argv: fresh(argv)), (t.name + ", again", lambda argv=argv: timed(argv))]
    if gdb and shutil.which("gdb"):
        ask = ["-ex", "break fdget_pos"] if "breakpoints" in gdb else []
        cases.append(("gdb", lambda: timed(["gdb", "-nx", "-batch", *ask, "-ex", gdb, f])))
    if stap and shutil.which("stap"):
        cases.append(("stap -L", lambda: timed(["stap", "-L", stap])))
    return cases


def run(tools, rounds):
    path = debug_file()
    if not path:
        print("\nnames out of debug information: no file; `tests/vm/run --debuginfo 6.1 -- true` fetches one")
        return
    os.environ["XDG_CACHE_HOME"] = f"{TMP}/cache"
    f, rows = in_tmp(path), []
    for what in QUESTIONS:
        cases = columns(tools, what, f)
        how = dict(cases)
        got = rounds_of(rounds, [n for n, _ in cases], lambda n: how[n]())
        for name, _ in cases:
            rows.append([what, name] + [median([g[i] for g in got[name]], 0) for i in range(3)])
            what = ""
    table(f"names out of {os.path.getsize(path) >> 20} MiB of debug information, whole process (median of {rounds})",
          ["what", "tool", "CPU ms", "wall ms", "peak MiB"], rows)
