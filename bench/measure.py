"""What every part of the bench uses: helpers built once, processes timed, tables printed."""
import os, shutil, signal, statistics, subprocess, sys, tempfile, threading

HERE = os.path.dirname(os.path.abspath(__file__))
TMP = tempfile.mkdtemp(prefix="spile-bench-")
FUNCTIONS = 3000


class Tool:
    """name, argv before the script; `language`: of the scripts that it takes"""

    def __init__(self, name, argv, is_peer=False):
        self.name, self.argv, self.is_peer = name, argv, is_peer

    def run(self, script):
        return self.argv + ["-e", script]


def sh(cmd):
    return subprocess.run(cmd, shell=True, capture_output=True, text=True)


def many(path, n, tail):
    body = "".join(f'__attribute__((noinline)) int many_{i}(int x) {{ __asm__ volatile(""); return x + {i}; }}\n' for i in range(n))
    open(path, "w").write(body + "#include <unistd.h>\nint main(void) { " + tail + " }\n")


def build(only=None):
    """Helpers in TMP; `only`: names of those of one C file that are enough."""
    if only is not None:
        return compile_all([f"gcc -O2 -o {TMP}/{n} {HERE}/{n}.c" for n in only])
    multi = sh("gcc -print-multiarch").stdout.strip()
    many(f"{TMP}/many.c", FUNCTIONS, "return many_0(0);")
    many(f"{TMP}/few.c", FUNCTIONS // 10, "return many_0(0);")
    steps = [f"clang -O2 -g -target bpf -mcpu=v3 -idirafter /usr/include/{multi} -c {HERE}/cost.bpf.c -o {TMP}/cost.bpf.o",
             f"gcc -O2 -o {TMP}/attach {HERE}/attach.c -lbpf -lelf -lz",
             f"gcc -O2 -fno-omit-frame-pointer -fno-optimize-sibling-calls -o {TMP}/meter {HERE}/meter.c",
             f"gcc -O2 -fomit-frame-pointer -fno-optimize-sibling-calls -o {TMP}/meter-bare {HERE}/meter.c"]
    steps += [f"gcc -O2 -o {TMP}/{n} {HERE}/{n}.c" for n in ("live", "load", "progs", "spawn")]
    steps += [f"gcc -O1 -o {TMP}/{n} {TMP}/{n}.c" for n in ("many", "few")]
    compile_all(steps)


def compile_all(steps):
    for s in steps:
        r = sh(s)
        if r.returncode:
            sys.exit(f"bench: {s}\n{r.stderr}")


def clean():
    shutil.rmtree(TMP, ignore_errors=True)


def timed(argv, limit=120):
    """(CPU ms, wall ms, peak MiB, exit code) of a whole process and its children; None: it failed or took longer"""
    r, w = os.pipe()
    os.set_inheritable(w, True)
    p = subprocess.Popen(["sh", "-c", f'exec 3>&{w}; exec "$@"', "sh", f"{TMP}/spawn"] + argv, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True, pass_fds=[w])
    os.close(w)
    timer = threading.Timer(limit, lambda: os.killpg(p.pid, signal.SIGKILL))
    timer.start()
    got = os.fdopen(r).read().split()
    p.wait()
    timer.cancel()
    if not got or int(got[3]) != 0:
        return None
    cpu, wall, peak, _ = map(int, got)
    return cpu / 1e3, wall / 1e3, peak / 1024


def stop(p, limit=20):
    """SIGINT; seconds until the end, None: had to be killed"""
    import time
    start = time.monotonic()
    os.killpg(p.pid, signal.SIGINT)
    try:
        p.wait(limit)
        return time.monotonic() - start
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
        return None


def rounds_of(n, cases, measure):
    """Every case n times, one after the other and then all again, so that other load hits all alike: {case: [results]}"""
    got = {c: [] for c in cases}
    for _ in range(n):
        for c in cases:
            r = measure(c)
            if r is not None:
                got[c].append(r)
    return got


def median(values, digits=1):
    return f"{statistics.median(values):.{digits}f}" if values else "failed"


def table(title, head, rows):
    print(f"\n{title}")
    width = [max(len(str(r[i])) for r in [head] + rows) for i in range(len(head))]
    for r in [head] + rows:
        print("  " + "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, width))))
    sys.stdout.flush()
