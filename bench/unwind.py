"""User stacks without frame pointers: ns a frame and an event; what tables cost; a profile of the whole system."""
import os, re, signal, statistics, subprocess, time

from cost import CPU, PROBE, newest
from measure import HERE, TMP, rounds_of, sh, stop, table

DEPTHS = (5, 25, 50, 100)
BATCHES, CALLS = 200, 500
PROGRAMS = [("python3", ["/usr/bin/python3", "-c", "while True: pass"]), ("perl", ["perl", "-e", "while (1) {}"]),
            ("node", ["node", "-e", "for (;;) {}"])]


def per_event(tool, depth):
    """ns an event, with the stack's function that the tool has; the command is the tool's, so that nothing is missed"""
    script = f"{PROBE} {{ @[{'dw_ustack' if tool.is_peer else 'ustack'}(127)] = count(); }}"
    config = ["-e", "config = { unstable_dw_ustack = enable } " + script] if tool.is_peer else ["-e", script]
    cmd = f"{TMP}/meter-bare {min(CPU, os.cpu_count() - 1)} {BATCHES} {CALLS} {newest()} {depth}"
    try:
        r = subprocess.run(tool.argv + config + ["-c", cmd], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    found = re.findall(r"^\d+ ([\d.]+)$", r.stdout, re.M)
    return float(found[0]) if found else None


def frames(tools, rounds):
    sh("sysctl -w kernel.bpf_stats_enabled=1")
    cases = {(t.name, d): (t, d) for t in tools for d in DEPTHS}
    got = rounds_of(rounds, cases, lambda k: per_event(*cases[k]))
    sh("sysctl -w kernel.bpf_stats_enabled=0")
    value = {k: statistics.median(v) if v else None for k, v in got.items()}
    rows = [[f"{d} calls deep"] + [f"{value[t.name, d]:.0f}" if value[t.name, d] else "failed" for t in tools] for d in DEPTHS]
    low, high = DEPTHS[0], DEPTHS[-1]
    slope = {t.name: (value[t.name, high] - value[t.name, low]) / (high - low) if value[t.name, high] and value[t.name, low] else None
             for t in tools}
    rows.append(["a frame"] + [f"{slope[t.name]:.1f}" if slope[t.name] else "failed" for t in tools])
    table(f"@[user stack] without frame pointers, ns an event (spile: ustack, others: dw_ustack); median of {rounds}",
          ["stack"] + [t.name for t in tools], rows)


def reading(spile, name, argv):
    """(files, ms, MB) of tables that one running program takes"""
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        r = subprocess.run(["timeout", "-s", "INT", "2"] + spile.argv + ["-v", "-e", f"profile:hz:99 /pid == {p.pid}/ {{ @[ustack] = count(); }}", "-p", str(p.pid)],
                           capture_output=True, text=True)
    except FileNotFoundError:
        return None
    finally:
        p.kill()
        p.wait()
    m = re.search(r"tables of (\d+) files made in ([\d.]+) ms, ([\d.]+) MB", r.stderr)
    return m and (int(m.group(1)), float(m.group(2)), float(m.group(3)))


def tables(spile, rounds):
    rows = []
    for name, argv in PROGRAMS:
        if subprocess.run(["sh", "-c", f"command -v {argv[0]}"], stdout=subprocess.DEVNULL).returncode:
            continue
        got = [g for g in (reading(spile, name, argv) for _ in range(rounds)) if g]
        rows.append([name] + ([f"{got[0][0]}", f"{min(g[1] for g in got):.1f}", f"{got[0][2]:.2f}"] if got else ["failed"] * 3))
    table("unwind tables of a running program: made when it is first met", ["program", "files", "ms", "MB"], rows)


def cpu_ns(pid):
    """of all threads, to the nanosecond"""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        total += int(open(f"/proc/{pid}/task/{tid}/schedstat").read().split()[0])
    return total


def programs(pid):
    """(ns, runs) of the BPF programs that a process holds"""
    ns = runs = 0
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            d = dict(line.split(":", 1) for line in open(f"/proc/{pid}/fdinfo/{fd}") if ":" in line)
        except OSError:
            continue
        ns, runs = ns + int(d.get("run_time_ns", 0)), runs + int(d.get("run_cnt", 0))
    return ns, runs


def forks():
    return next(int(line.split()[1]) for line in open("/proc/stat") if line.startswith("processes"))


def whole_system(spile, seconds=5):
    """CPU that a profile of everything takes, with every processor busy"""
    busy = [subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _, argv in PROGRAMS[:2] * ((os.cpu_count() + 1) // 2)]
    sh("sysctl -w kernel.bpf_stats_enabled=1")
    p = subprocess.Popen(spile.argv + ["-e", "profile:hz:99 { @[ustack, kstack] = count(); }"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        time.sleep(2)
        before = cpu_ns(p.pid), programs(p.pid), forks()
        time.sleep(seconds)
        after = cpu_ns(p.pid), programs(p.pid), forks()
    finally:
        stop(p)
        for b in busy:
            b.kill()
            b.wait()
        sh("sysctl -w kernel.bpf_stats_enabled=0")
    own, kernel, runs = after[0] - before[0], after[1][0] - before[1][0], after[1][1] - before[1][1]
    table(f"a profile of the whole system at 99 Hz, {os.cpu_count()} processors busy, {(after[2] - before[2]) / seconds:.0f} new tasks a second, {seconds} s",
          ["", "CPU ms", "% of one processor"],
          [["spile itself", f"{own / 1e6:.1f}", f"{own / seconds / 1e7:.2f}"],
           [f"its programs in the kernel, {runs} runs", f"{kernel / 1e6:.1f}", f"{kernel / seconds / 1e7:.2f}"]])


LIBRARIES, EACH = 300, 20
LIBRARY = r"""
typedef void (*step)(void *, int);
int getppid(void);
__attribute__((noinline)) void pass_on(void **way, int left) { left ? ((step)way[0])(way + 1, left - 1) : (void)getppid(); __asm__ volatile("" ::: "memory"); }
"""


def crowd(spile, n):
    """a row: what n processes cost that are all met within a second"""
    p = subprocess.Popen([f"{TMP}/crowd", str(n), TMP, str(LIBRARIES), str(EACH)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    p.stdout.readline()
    s = subprocess.Popen(spile.argv + ["-v", "-e", "tracepoint:syscalls:sys_enter_getppid /comm == \"crowd\"/ { @[pid] = count(); @s[ustack] = count(); }"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        time.sleep(6)
        used = cpu_ns(s.pid)
        rss = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{s.pid}/status").read()).group(1)) / 1024
        time.sleep(4)
        later = cpu_ns(s.pid) - used
        s.send_signal(signal.SIGINT)
        out, err = s.communicate(timeout=60)
    finally:
        p.stdin.close()
        p.wait()
    m = re.search(r"user stacks: (\d+); tables of (\d+) files made in ([\d.]+) ms, ([\d.]+) MB", err)
    whole = sum(float(v) for v in re.findall(r"([\d.]+)%\s+\d+ complete", err))
    return [str(n), str(len(re.findall(r"^@\[", out, re.M))), m.group(1), f"{whole:.2f}", m.group(2), m.group(3), f"{used / 1e6:.0f}", f"{later / 4e7:.2f}", m.group(4), f"{rss:.0f}"]


def crowds(spile):
    open(f"{TMP}/pass.c", "w").write(LIBRARY)
    sh(f"gcc -O2 -fPIC -fno-optimize-sibling-calls -c -o {TMP}/pass.o {TMP}/pass.c && gcc -O2 -o {TMP}/crowd {HERE}/crowd.c -ldl")
    for i in range(LIBRARIES):
        sh(f"ld -shared --eh-frame-hdr --build-id=0x{i + 1:040x} -o {TMP}/lib{i}.so {TMP}/pass.o")
    table(f"many processes, each with {EACH} of {LIBRARIES} libraries, that call a system call five times a second",
          ["processes", "met", "stacks", "% whole", "files", "tables ms", "CPU ms of 6 s", "then %", "tables MB", "RSS MB"], [crowd(spile, n) for n in (100, 300, 500)])


def names(rounds, frames=100_000):
    """how long names take: of files with debug information where this machine has it"""
    sh(f"ninja -C {HERE}/../build bench-symbols")
    rows = []
    for path in ("/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/python3", "/usr/bin/node"):
        path = os.path.realpath(path)
        got = [list(map(float, sh(f"{HERE}/../build/bench-symbols {path} {frames}").stdout.split())) for _ in range(rounds) if os.path.exists(path)]
        if got and all(got):
            named, lines, inlined = (f"{v:.0f}" for v in got[0][1:4])
            rows.append([os.path.basename(path), named, lines, inlined] + [f"{min(g[k] for g in got):.0f}" for k in (4, 5)])
    table(f"names of {frames} distinct frames, ms of CPU; best of {rounds}", ["file", "named", "with a line", "inlined", "first", "again"], rows)


def run(tools, rounds):
    frames(tools, rounds)
    names(min(rounds, 3))
    spile = tools[0]
    tables(spile, min(rounds, 3))
    whole_system(spile)
    crowds(spile)
