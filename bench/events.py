"""A million printf: what is printed, what is missing, and how much of that the tool says."""
import os, re, subprocess, time

from measure import TMP, sh, stop, table

N, RATE = 1000000, 650000
SCRIPT = 'tracepoint:syscalls:sys_enter_getppid /comm == "load"/ { printf("%d %s %d\\n", pid, comm, cpu); }'


def one(tool):
    path, err = f"{TMP}/lines", open(f"{TMP}/err", "w+")
    p = subprocess.Popen(tool.run(SCRIPT), stdout=open(path, "w"), stderr=err, start_new_session=True)
    time.sleep(2.5)
    load = sh(f"{TMP}/load {N} {RATE}").stdout.split()
    time.sleep(1.5)
    stop(p, 60)
    err.seek(0)
    said = re.findall(r"[Ll]ost (\d+)|lost event count: (\d+)", err.read())
    got = sum(1 for line in open(path) if re.match(r"\d+ load \d+$", line))
    # bpftrace 0.17 says each loss as it happens, others the total
    total = [int(b) for a, b in said if b] or [sum(int(a) for a, b in said if a)]
    return [tool.name, f"{N / float(load[3]):.0f}", got, N - got, total[-1]]


def run(tools, rounds):
    rows = []
    for _ in range(min(rounds, 2)):
        rows += [one(t) for t in tools]
    table(f'{N:,} printf("%d %s %d\\n", ...), wanted at {RATE:,} a second', ["tool", "events/s", "printed", "missing", "said lost"], rows)
