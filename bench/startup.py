"""Start-up: CPU, wall and memory of whole runs; time from the start of the process to the first event."""
from shlex import quote

from measure import TMP, median, rounds_of, sh, table, timed

TYPES = "tracepoint:syscalls:sys_enter_getpgid { @[((struct task_struct *)curtask)->real_parent->pid] = count(); }"
SCRIPTS = [("BEGIN { exit() }", "BEGIN { exit() }"), ("types by BTF, first tick, exit", TYPES + " interval:ms:1 { exit(); }")]


def whole(tools, rounds):
    rows = []
    for what, script in SCRIPTS:
        got = rounds_of(rounds, tools, lambda t: timed(t.run(script)))
        for t in tools:
            rows.append([what, t.name] + [median([g[i] for g in got[t]]) for i in range(3)])
            what = ""
    table(f"start-up, whole process (median of {rounds})", ["script", "tool", "CPU ms", "wall ms", "peak MiB"], rows)


def first_event(tools, rounds):
    def live(argv):
        us = int(sh(" ".join(map(quote, [f"{TMP}/live"] + argv))).stdout or -1)
        return us / 1000 if us >= 0 else None

    sh("sysctl -w kernel.bpf_stats_enabled=1")
    got = rounds_of(rounds, tools, lambda t: live(t.run(TYPES)))
    sh("sysctl -w kernel.bpf_stats_enabled=0")
    table("start of the process to its first event, script with types by BTF", ["tool", "median ms", "least ms"],
          [[t.name, median(got[t]), f"{min(got[t]):.1f}" if got[t] else "failed"] for t in tools])


def run(tools, rounds):
    whole(tools, rounds)
    first_event(tools, rounds)
