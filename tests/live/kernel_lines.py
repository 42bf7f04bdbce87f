#!/usr/bin/env python3
"""Holds a kernel stack with lines against addr2line.

usage: kernel_lines.py VMLINUX < what print(kstack) and print(kstack(raw)) printed, one after the other
"""
import re, subprocess, sys


def stext(text):
    return next(int(line.split()[0], 16) for line in text.splitlines() if line.split()[-1] == "_stext")


def short(path):
    """Without "./" and "x/../", as a path is read."""
    path = path.replace("/./", "/")
    while re.search(r"[^/.]+/\.\./", path):
        path = re.sub(r"[^/.]+/\.\./", "", path, count=1)
    return path


def truth(vmlinux, address):
    out = subprocess.run(["addr2line", "-f", "-i", "-e", vmlinux, hex(address)], capture_output=True, text=True).stdout.split("\n")
    return [(out[i], short(out[i + 1].split(" (")[0])) for i in range(0, len(out) - 1, 2)]


vmlinux, got, raw = sys.argv[1], [], []
for line in sys.stdin.read().splitlines():
    named = re.match(r"        (\[inlined\] )?([^+@]+)(?:\+\d+)?@(\S+)$", line)
    if named:
        got.append((named[2], named[3]))
    elif re.match(r"[0-9a-f]{16}$", line):
        raw.append(int(line, 16))
bias = stext(open("/proc/kallsyms").read()) - stext(subprocess.run(["nm", vmlinux], capture_output=True, text=True).stdout)
want = [site for i, ip in enumerate(raw) for site in truth(vmlinux, ip - bias - (i > 0))]
if [w[1] for w in want] != [g[1] for g in got] or any(w[0] not in (g[0], "??") for w, g in zip(want, got)):
    print("addr2line:", *want, "printed:", *got, sep="\n  ")
    sys.exit(1)
print(f"same: {len(raw)} addresses, {len(want) - len(raw)} inlined")
