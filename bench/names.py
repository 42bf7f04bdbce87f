"""Names out of a large debug file: how long until a script that uses some is compiled, or until the places are listed; whole processes.

The file is $SPILE_BENCH_NAMES, else the debug information of Debian's kernel 6.1 that `tests/vm/run --debuginfo` has fetched; questions are about
that kernel.  gdb and stap answer the same questions where they are installed.
"""
import glob, os, shutil, subprocess

from measure import TMP, median, rounds_of, table, timed

LINE = "fs/read_write.c:464"
F = f"{TMP}/vmlinux"
# what: (arguments for tracers of bpftrace's language, what peers are asked instead or None, gdb's command, stap's probe)
QUESTIONS = {
    "parameters of a function, listed": (["-lv", f"uprobe:{F}:vfs_read"], [], "info scope vfs_read", f'process("{F}").function("vfs_read")'),
    "a script with an argument": (["--dry-run", "-e", f"uprobe:{F}:vfs_read {{ print(args.count) }}"], [], None, None),
    "a script on a line": (["--dry-run", "-e", f"uprobe:{F}@{LINE} {{ print(1) }}"], [], None, None),
    "a script on a line with a local": (["--dry-run", "-e", f"uprobe:{F}@{LINE} {{ print(local.ret) }}"], None, f"info scope {LINE}",
                                        f'process("{F}").statement("vfs_read@{LINE}")'),
    "copies of an inlined function, listed": (["-l", f"uprobe:{F}:fdget_pos"], None, "info breakpoints", f'process("{F}").function("fdget_pos").inline'),
}


def debug_file():
    cache = os.environ.get("SPILE_VM_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "spile-vm")
    found = glob.glob(f"{cache}/6.1/debug/boot/vmlinux-*")
    return os.environ.get("SPILE_BENCH_NAMES") or (found[0] if found else None)


def stap_kernel():
    """As much of a kernel's build folder as stap looks at before it lists probes of programs."""
    for name, text in ((".config", ""), ("Makefile", ""), ("Module.symvers", ""), ("include/config/kernel.release", os.uname().release + "\n")):
        path = f"{TMP}/kernel/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
    return f"{TMP}/kernel"


def answers(argv):
    """Some tracers end well and have nothing to say."""
    r = subprocess.run(argv, capture_output=True, text=True)
    return r.returncode == 0 and ("--dry-run" in argv or any(w in r.stdout for w in ("count", "fdget_pos")))


def fresh(argv):
    """A run without anything kept from earlier ones."""
    shutil.rmtree(f"{TMP}/cache", ignore_errors=True)
    os.mkdir(f"{TMP}/cache", 0o700)
    return timed(argv)


def columns(tools, what):
    """[(name, how to measure)]"""
    bt, peers, gdb, stap = QUESTIONS[what]
    cases = []
    for t in tools:
        argv = t.argv + bt
        if not t.is_peer:
            cases += [(t.name + ", first", lambda argv=argv: fresh(argv)), (t.name + ", again", lambda argv=argv: timed(argv))]
        elif peers is not None and answers(argv):
            cases.append((t.name, lambda argv=argv: timed(argv)))
    if gdb and shutil.which("gdb"):
        ask = ["-ex", "break fdget_pos"] if "breakpoints" in gdb else []
        cases.append(("gdb", lambda: timed(["gdb", "-nx", "-batch", *ask, "-ex", gdb, F])))
    if stap and shutil.which("stap"):
        argv = ["stap", "-r", stap_kernel(), "-L", stap]
        cases += [("stap -L", lambda: timed(argv))] if answers(argv) else []
    return cases


def run(tools, rounds):
    path = debug_file()
    if not path:
        print("\nnames out of debug information: no file; `tests/vm/run --debuginfo 6.1 -- true` fetches one")
        return
    os.environ["XDG_CACHE_HOME"] = f"{TMP}/cache"
    shutil.copy(path, F)  # below /tmp, where a tracer in another root sees it too
    os.chmod(F, 0o755)
    rows = []
    for what in QUESTIONS:
        cases = columns(tools, what)
        how = dict(cases)
        got = rounds_of(rounds, [n for n, _ in cases], lambda n: how[n]())
        for name, _ in cases:
            rows.append([what, name] + [median([g[i] for g in got[name]], 0) for i in range(3)])
            what = ""
    table(f"names out of {os.path.getsize(path) >> 20} MiB of debug information, whole process (median of {rounds})",
          ["what", "tool", "CPU ms", "wall ms", "peak MiB"], rows)
