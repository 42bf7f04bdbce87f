"""Attaching and detaching user functions by one wildcard, and killing the tracer meanwhile."""
import os, signal, subprocess, time

from cost import newest, settled
from measure import TMP, median, rounds_of, sh, stop, table, timed

LIMIT = 60
os.environ.setdefault("BPFTRACE_MAX_PROBES", "4000")
os.environ.setdefault("BPFTRACE_MAX_BPF_PROGS", "4000")


def whole(tool, binary):
    """wall ms: attach, first tick, detach, end"""
    got = timed(tool.run(f"uprobe:{TMP}/{binary}:many_* {{ @ = count(); }} interval:ms:1 {{ exit(); }}"), LIMIT)
    return got and got[1]


def detach(tool, binary):
    """ms from SIGINT to the end"""
    before = newest()
    p = subprocess.Popen(tool.run(f"uprobe:{TMP}/{binary}:many_* {{ @ = count(); }}"), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    settled(before)
    time.sleep(1)
    s = stop(p, LIMIT)
    return s and s * 1000


def kill(tool):
    """programs that are left two seconds after kill -9"""
    before = newest()
    p = subprocess.Popen(tool.run(f"uprobe:{TMP}/many:many_* {{ @ = count(); }}"), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    settled(before)
    os.killpg(p.pid, signal.SIGKILL)
    p.wait()
    time.sleep(2)
    return newest() - before if newest() > before else 0


def run(tools, rounds):
    n = min(rounds, 3)
    cases = [(t, b) for b in ("few", "many") for t in tools]
    # one by one a peer needs minutes for 3,000
    slow = {t for t in tools if t.is_peer and whole(t, "many") is None}
    cases = [c for c in cases if not (c[1] == "many" and c[0] in slow)]
    on = rounds_of(n, cases, lambda c: whole(*c))
    off = rounds_of(n, cases, lambda c: detach(*c))
    cell = lambda got, t, b: median(got[t, b], 0) if (t, b) in got and got[t, b] else f"over {LIMIT}000"
    rows = [[t.name] + [cell(g, t, b) for b in ("few", "many") for g in (on, off)] for t in tools]
    table("user functions with one wildcard: attach, first tick, detach; and detach alone (SIGINT to the end); wall ms",
          ["tool", "300", "300 detach", "3,000", "3,000 detach"], rows)
    print(f"  kill -9 of {tools[0].name} with 3,000 attached: {kill(tools[0])} programs left")
