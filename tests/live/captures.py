"""captures.py N SCRIPT WANT: a script with N random regular expressions, and what Python's re says that their groups match."""
import random, re, sys


def atom(r, depth):
    k = r.randrange(6 if depth else 4)
    if k < 3:
        return r.choice("abc")
    if k == 3:
        return r.choice(["[ab]", "[^a]", "."])
    return "(" + alternatives(r, depth - 1) + ")"


def factor(r, depth):
    x = atom(r, depth)
    k = r.randrange(7)
    if k < 3 and not re.fullmatch(x, ""):  # what may be empty is not repeated
        return x + ["*", "+", "{1,3}"][k]
    return x + "?" if k == 3 else x


def alternatives(r, depth):
    branches = ["".join(factor(r, depth) for _ in range(r.randint(1, 3))) for _ in range(r.choice([1, 1, 1, 2]))]
    return "|".join(branches)


def main():
    n, script, want = int(sys.argv[1]), open(sys.argv[2], "w"), open(sys.argv[3], "w")
    r = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 7)
    script.write("function show(n) { for (i = 0; i < n; i++) printf(\"<%s>\", matched(i)) println(\"\") }\n")
    for i in range(n):
        pattern = r.choice(["", "", "^"]) + "(" + alternatives(r, 2) + ")" + r.choice(["", "", "$"])
        text = "".join(r.choice("abcd") for _ in range(r.randint(0, 12)))
        if pattern.count("(") > 15 or pattern.count("{") > 1:
            continue
        m = re.search(pattern.replace("$", r"\Z"), text)
        # one probe each: a handler of all of them would be a large one
        script.write(f'probe begin({i}) {{ if ("{text}" =~ "{pattern}") show(ngroups()) else println("-") }}\n')
        want.write("".join(f"<{g or ''}>" for g in (m.group(0), *m.groups())) + "\n" if m else "-\n")
    script.write("probe begin(1000000) { exit() }\n")


main()
