"""Scripts of 10 to 10,000 map assignments: the whole process, with the verifier."""
from measure import TMP, median, rounds_of, table, timed

HEAD = {"bt": "BEGIN { exit(); }\ntracepoint:raw_syscalls:sys_enter /pid == 1/ {\n%s\n}\n",
        "stp": 'global m[20000]\nprobe begin { exit() }\nprobe kernel.trace("raw_syscalls:sys_enter") { if (pid() == 1) {\n%s\n} }\n'}
LINE = {"bt": "@m[%d] = %d;", "stp": "m[%d] = %d"}


def run(tools, rounds):
    def one(case):
        tool, lang, n = case
        if tool.is_peer and n > 1000:
            return None  # takes minutes
        path = f"{TMP}/statements{n}.{lang}"
        open(path, "w").write(HEAD[lang] % "\n".join(LINE[lang] % (i, i) for i in range(n)))
        return timed(tool.argv + [path], 60)

    sizes = (10, 100, 1000, 10000)
    columns = [(tools[0], "bt"), (tools[0], "stp")] + [(t, "bt") for t in tools if t.is_peer]
    got = rounds_of(min(rounds, 3), [(t, lang, n) for n in sizes for t, lang in columns], one)
    rows = [[str(n)] + [median([g[0] for g in got[t, lang, n]]) if got[t, lang, n] else "-" for t, lang in columns] for n in sizes]
    table("scripts of N map assignments, whole process with the verifier, CPU ms",
          ["statements"] + [f"{t.name} {lang}" for t, lang in columns], rows)
