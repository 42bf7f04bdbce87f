"""What an event costs: run_time_ns / run_cnt of handlers on getpgid(2), less the same of an empty program."""
import os, signal, statistics, subprocess, time

from measure import TMP, Tool, rounds_of, sh, stop, table

HANDLERS = [("@ = count()", "count"), ("@++", "increment"), ("@[pid] = count()", "count_pid"), ("@[comm] = count()", "count_comm"),
            ("@ = hist(args->pid)", "hist"), ("@ = lhist(args->pid, 0, 1000, 100)", "lhist"), ("@ = stats(args->pid)", "stats"),
            ("@[kstack] = count()", "kstack"), ("@[ustack] = count()", "ustack")]
PROBE = "tracepoint:syscalls:sys_enter_getpgid"
CPU, BATCHES, CALLS = 1, 400, 1000


def newest():
    return int(sh(f"{TMP}/meter").stdout)


def settled(before):
    """Waits until programs have come and no more come."""
    last, since = before, time.monotonic()
    for _ in range(400):
        time.sleep(0.02)
        now = newest()
        if now != last:
            last, since = now, time.monotonic()
        if last != before and time.monotonic() - since > 0.5:
            return True
    return False


def per_event(argv):
    """ns an event of the one program of `argv` that getpgid(2) runs"""
    before = newest()
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        if not settled(before):
            return None
        lines = sh(f"{TMP}/meter {CPU} {BATCHES} {CALLS} {before}").stdout.split()
        return float(lines[1]) if len(lines) >= 2 else None
    finally:
        stop(p)


def c_program(name):
    return [f"{TMP}/attach", f"{TMP}/cost.bpf.o", name]


def cell(value, empty, of):
    if value is None:
        return "failed"
    ns = value - empty
    return f"{ns:.0f}" if of is None else f"{ns:.0f} ({ns / of:.2f})" if of > 0 else f"{ns:.0f} (-)"


def run(tools, rounds):
    cpus = os.cpu_count()
    global CPU
    CPU = min(CPU, cpus - 1)
    sh("sysctl -w kernel.bpf_stats_enabled=1")
    rows, empties = [], []
    for script, c in HANDLERS:
        cases = {"empty": c_program("empty"), "C": c_program(c)}
        cases.update({t.name: t.run(f"{PROBE} {{ {script}; }}") for t in tools})
        got = rounds_of(rounds, cases, lambda k: per_event(cases[k]))
        value = {k: statistics.median(v) if v else None for k, v in got.items()}
        empty = value["empty"] or 0
        empties.append(empty)
        base = value["C"] - empty if value["C"] else None
        rows.append([script, cell(value["C"], empty, None)] + [cell(value[t.name], empty, base) for t in tools])
    sh("sysctl -w kernel.bpf_stats_enabled=0")
    table(f"ns an event, less an empty program's {statistics.median(empties):.0f} (as a multiple of C by clang -O2); median of {rounds}",
          ["handler", "clang -O2"] + [t.name for t in tools], rows)
