"""Attaching and detaching kernel functions by wildcard.  In a guest of tests/vm, where the machine itself refuses them:

    tests/vm/run 6.12 -- bench/run --only kernel

Emulated processors are slow at all that is new code, so only the ratios say something, and those of whole runs favour nobody: both
tracers run the same emulated instructions of the same kernel to attach.
"""
import os, re, subprocess, time

from measure import TMP, median, rounds_of, stop, table, timed

LIMIT = int(os.environ.get("SPILE_BENCH_LIMIT", "240"))
os.environ.setdefault("BPFTRACE_MAX_PROBES", "4000")
os.environ.setdefault("BPFTRACE_MAX_BPF_PROGS", "4000")
SCRIPTS = {
    "kprobe:tcp_*": "kprobe:tcp_* { @ = count(); }",
    "fentry:vfs_*": "fentry:vfs_* { @ = count(); }",
    "kprobe + kretprobe:vfs_*": "kprobe:vfs_* { @ = count(); } kretprobe:vfs_* { @r = count(); }",
}


def older(tool, script):
    """0.17 of bpftrace knows the names of typed probes that came before these."""
    return script.replace("fentry:", "kfunc:") if tool.is_peer else script


def whole(tool, script):
    """wall ms: start, attach, first tick, detach, end"""
    got = timed(tool.run(older(tool, script) + " interval:ms:1 { exit(); }"), LIMIT)
    return got and got[1]


def detach(tool, script):
    """(ms from SIGINT to the end, places that were attached), once ticks come in"""
    p = subprocess.Popen(tool.argv + ["-B", "line", "-e", older(tool, script) + ' interval:ms:200 { printf("tick\\n"); }'], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, start_new_session=True)
    end, ticks, places = time.monotonic() + LIMIT, 0, 0
    while ticks < 5 and time.monotonic() < end:
        line = p.stdout.readline()
        said = re.search(r"Attach(?:ed|ing) (\d+) probe", line)
        places = int(said.group(1)) if said else places
        ticks += line == "tick\n"
        if not line:
            break
    s = stop(p, LIMIT)
    return s and places and (s * 1000, places)


def run(tools, rounds):
    n = min(rounds, 3)
    base = rounds_of(n, tools, lambda t: whole(t, ""))
    cases = [(t, name) for name in SCRIPTS for t in tools]
    on = rounds_of(n, cases, lambda c: whole(c[0], SCRIPTS[c[1]]))
    off = rounds_of(n, cases, lambda c: detach(c[0], SCRIPTS[c[1]]))
    rows = []
    for t in tools:
        row = [t.name, median(base[t], 0)]
        for name in SCRIPTS:
            got = off[t, name]
            row += [median(on[t, name], 0), median([ms for ms, _ in got], 0), max((places for _, places in got), default=0) - 1]
        rows.append(row)
    head = ["tool", "no probe"] + [h for name in SCRIPTS for h in (name, "detach", "places")]
    table("kernel functions by wildcard: start, attach, first tick, detach, end; and SIGINT to the end; wall ms", head, rows)
