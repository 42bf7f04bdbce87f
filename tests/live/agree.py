#!/usr/bin/env python3
"""Random SystemTap handlers, run three times: by the kernel, by spile's interpreter in user space, and by a model in here.

usage: tests/live/agree.py SPILE VICTIMS [ROUNDS [SEED]]

A program is a body of statements over numbers, strings, arrays and statistics that ends by printing all of them.  It stands in a probe on
a user function (kernel) and in `begin` (user space), each with globals of its own.  Prints "agreed on N programs", or the first
program whose three outputs are not the same.
"""
import random, subprocess, sys

MASK, STR_MAX = (1 << 64) - 1, 511
EDGES = [0, 1, -1, 2, 3, 7, 63, 64, 65, 255, 1000, -1000, 1 << 31, -(1 << 31), (1 << 32) + 5, (1 << 63) - 1, -(1 << 63), 1 << 62]
WORDS = ["", "a", "b", "ab", "hello world", "x" * 40, "0x1f", "-12", "%d", "a,b;c", "tab\\there"]


class DivisionByZero(Exception):
    pass


def wrap(n):
    n &= MASK
    return n - (1 << 64) if n >> 63 else n


def divide(x, y):
    if not y:
        raise DivisionByZero()
    q = abs(x) // abs(y)
    return wrap(-q if (x < 0) != (y < 0) else q)


def remainder(x, y):
    if not y:
        raise DivisionByZero()
    return wrap(abs(x) % abs(y) * (-1 if x < 0 else 1))


BINARY = {
    "+": lambda x, y: wrap(x + y), "-": lambda x, y: wrap(x - y), "*": lambda x, y: wrap(x * y),
    "/": divide, "%": remainder, "&": lambda x, y: x & y, "|": lambda x, y: x | y, "^": lambda x, y: x ^ y,
    "<<": lambda x, y: wrap(x << (y & 63)), ">>": lambda x, y: x >> (y & 63), ">>>": lambda x, y: wrap((x & MASK) >> (y & 63)),
}
COMPARE = {"==": lambda x, y: x == y, "!=": lambda x, y: x != y, "<": lambda x, y: x < y, "<=": lambda x, y: x <= y,
           ">": lambda x, y: x > y, ">=": lambda x, y: x >= y}


def literal(n):
    return "(-9223372036854775807 - 1)" if n == -(1 << 63) else str(n) if n >= 0 else f"({n})"


def c_text(s):
    return s.replace("\\t", "\t")


class Maker:
    """Expressions are (text, function of the environment); statements too, the function changes the environment."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.loops = 0
        self.names = 0

    # --- expressions
    def number(self, depth=3):
        r = self.r
        kind = r.randrange(14) if depth else r.randrange(4)
        if kind == 0:
            n = r.choice(EDGES) if r.random() < .5 else r.randrange(-100, 100)
            return literal(n), lambda e: n
        if kind in (1, 2, 3):
            v = r.choice(["x0", "x1", "x2", "x3", "G@"])
            return v, lambda e: e[v]
        if kind in (4, 5, 6):
            op = r.choice(list(BINARY))
            # counts of shifts are variables: constants follow other rules
            (a, f), (b, g) = self.number(depth - 1), self.number(0 if op[0] in "<>" else depth - 1)
            while op[0] in "<>" and not b[0].isalpha():
                b, g = self.number(0)
            return f"({a} {op} {b})", lambda e: BINARY[op](f(e), g(e))
        if kind == 7:
            op = r.choice(list(COMPARE))
            (a, f), (b, g) = self.number(depth - 1), self.number(depth - 1)
            return f"({a} {op} {b})", lambda e: int(COMPARE[op](f(e), g(e)))
        if kind == 8:
            op = r.choice(list(COMPARE))
            (a, f), (b, g) = self.string(depth - 1), self.string(depth - 1)
            return f"({a} {op} {b})", lambda e: int(COMPARE[op](f(e).encode(), g(e).encode()))
        if kind == 9:
            op = r.choice(["&&", "||"])
            (a, f), (b, g) = self.number(depth - 1), self.number(depth - 1)
            both = lambda e: int(bool(f(e)) and bool(g(e)))
            either = lambda e: int(bool(f(e)) or bool(g(e)))
            return f"({a} {op} {b})", both if op == "&&" else either
        if kind == 10:
            op = r.choice("-!~")
            a, f = self.number(depth - 1)
            return f"({op}{a})", lambda e: wrap(-f(e)) if op == "-" else int(not f(e)) if op == "!" else ~f(e)
        if kind == 11:
            (c, h), (a, f), (b, g) = self.number(depth - 1), self.number(depth - 1), self.number(depth - 1)
            return f"({c} ? {a} : {b})", lambda e: f(e) if h(e) else g(e)
        if kind == 12:
            a, f = self.string(depth - 1)
            return f"strlen({a})", lambda e: len(f(e))
        k, f = self.key()
        if r.random() < .5:
            return f"A@[{k}]", lambda e: e["A@"].get(f(e), 0)
        return f"({k} in A@)", lambda e: int(f(e) in e["A@"])

    def key(self):
        v = self.r.choice(["x0", "x1", "x2"])
        return f"({v} & 7)", lambda e: e[v] & 7

    def string(self, depth=2):
        r = self.r
        kind = r.randrange(8) if depth else r.randrange(3)
        if kind == 0:
            w = r.choice(WORDS)
            return f'"{w}"', lambda e: c_text(w)
        if kind in (1, 2):
            v = r.choice(["s0", "s1", "S@"])
            return v, lambda e: e[v]
        if kind in (3, 4):
            (a, f), (b, g) = self.string(depth - 1), self.string(depth - 1)
            return f"({a} . {b})", lambda e: (f(e) + g(e))[:STR_MAX]
        if kind == 5:
            (a, f), (b, g) = self.number(depth - 1), self.number(depth - 1)
            t = r.choice(["%d-%d", "<%5d|%-4d>", "%x.%d", "%u:%05d", "%d%%%X", "%+d% d", "%#x|%p"])
            return f'sprintf("{t}", {a}, {b})', lambda e: self.format(t, f(e), g(e))
        if kind == 6:
            (a, f), i, n = self.string(depth - 1), r.randrange(0, 9), r.randrange(0, 12)
            return f"substr({a}, {i}, {n})", lambda e: f(e)[i:i + n]
        (c, h), (a, f), (b, g) = self.number(depth - 1), self.string(depth - 1), self.string(depth - 1)
        return f"({c} ? {a} : {b})", lambda e: f(e) if h(e) else g(e)

    @staticmethod
    def format(t, *args):
        out, args, i = "", list(args), 0
        while i < len(t):
            if t[i] != "%" or t[i + 1] == "%":
                out += t[i]
                i += 1 + (t[i] == "%")
                continue
            j = i + 1
            while t[j] in "0+- #123456789":
                j += 1
            n = args.pop(0)
            out += ("%" + t[i + 1:j] + t[j].replace("u", "d")) % (n if t[j] == "d" else n & MASK) if t[j] != "p" and "#" not in t[i + 1:j] \
                else ("0x%x" % (n & MASK) if n or t[j] == "p" else "0x0")
            i = j + 1
        return out[:STR_MAX]

    # --- statements
    def statement(self, depth=3):
        r = self.r
        kind = r.randrange(15) if depth else r.randrange(7)
        if kind in (0, 1):
            v, (a, f) = r.choice(["x0", "x1", "x2", "x3", "G@"]), self.number()
            return f"{v} = {a}", lambda e: e.__setitem__(v, f(e))
        if kind == 2:
            v, (a, f) = r.choice(["s0", "s1", "S@"]), self.string()
            return f"{v} = {a}", lambda e: e.__setitem__(v, f(e))
        if kind == 3:
            v, op, (a, f) = r.choice(["x0", "x1", "G@"]), r.choice(["+", "-", "*", "&", "|", "^", "/", "%"]), self.number(2)
            return f"{v} {op}= {a}", lambda e: e.__setitem__(v, BINARY[op](*reversed((f(e), e[v]))))
        if kind == 4:
            (k, h), op, (a, f) = self.key(), r.choice(["=", "+=", "-=", "++"]), self.number(2)
            if op == "++":
                return f"A@[{k}]++", lambda e: e["A@"].__setitem__(h(e), wrap(e["A@"].get(h(e), 0) + 1))
            return f"A@[{k}] {op} {a}", lambda e: self.store(e, h, op, f)
        if kind == 5:
            a, f = self.number(2)
            return f"T@ <<< {a}", lambda e: e["T@"].append(f(e))
        if kind == 6:
            k, h = self.key()
            return f"delete A@[{k}]", lambda e: e["A@"].pop(h(e), None)
        if kind in (7, 8, 9):
            (c, h), (a, f), (b, g) = self.number(2), self.block(depth - 1), self.block(depth - 1)
            return f"if ({c}) {a} else {b}", lambda e: f(e) if h(e) else g(e)
        if kind in (10, 11):
            self.names += 1
            v, n, (a, f) = f"i{self.names}", r.randrange(1, 6), self.block(depth - 1)

            def loop(e):
                for i in range(n):
                    f(e)
            return f"for ({v} = 0; {v} < {n}; {v}++) {a}", loop
        if kind in (12, 13):
            (a, f), (b, g) = self.block(depth - 1), self.block(depth - 1)

            def guarded(e):
                try:
                    f(e)
                except DivisionByZero:
                    g(e)
            return f"try {a} catch {b}", guarded
        v, w = "x3", "x2"
        return (f"foreach (k in A@) {v} += A@[k] * (k + 1)",
                lambda e: e.__setitem__(v, wrap(e[v] + sum(x * (k + 1) for k, x in e["A@"].items()))))

    def store(self, e, h, op, f):
        n = f(e)
        k, old = h(e), e["A@"].get(h(e), 0)
        e["A@"][k] = n if op == "=" else wrap(old + n) if op == "+=" else wrap(old - n)

    def block(self, depth):
        parts = [self.statement(depth) for _ in range(self.r.randrange(1, 4))]

        def run(e):
            for _, f in parts:
                f(e)
        return "{ " + "; ".join(t for t, _ in parts) + " }", run

    def program(self):
        return self.block(3) if self.r.random() < .2 else self.joined([self.block(2) for _ in range(3)])

    def joined(self, blocks):
        def run(e):
            for _, f in blocks:
                f(e)
        return "\n".join(t for t, _ in blocks), run


PRINT = """printf("%s %d %d %d %d %d [%s] [%s] [%s]", "T", x0, x1, x2, x3, G@, s0, s1, S@)
for (k = 0; k < 8; k++) printf(" %d:%d", k in A@, A@[k])
if (@count(T@)) printf(" %d %d %d %d %d\\n", @count(T@), @sum(T@), @min(T@), @max(T@), @avg(T@)) else println("")"""
START = "x0 = 5; x1 = -3; x2 = 1000000007; x3 = 0; s0 = \"first\"; s1 = \"\"; G@ = 42; S@ = \"glob\"; T@ <<< 1"


def expected(run):
    e = {"x0": 5, "x1": -3, "x2": 1000000007, "x3": 0, "s0": "first", "s1": "", "G@": 42, "S@": "glob", "A@": {}, "T@": [1]}
    try:
        run(e)
    except DivisionByZero:
        return None
    a, t = e["A@"], e["T@"]
    total = wrap(sum(t))
    return f"{e['x0']} {e['x1']} {e['x2']} {e['x3']} {e['G@']} [{e['s0']}] [{e['s1']}] [{e['S@']}]" + \
        "".join(f" {int(k in a)}:{a.get(k, 0)}" for k in range(8)) + \
        f" {len(t)} {total} {min(t)} {max(t)} {divide(total, len(t))}"


def for_side(body, side):
    """The body with globals of its own; the operators of statistics keep their @."""
    for op in ("count", "sum", "min", "max", "avg"):
        body = body.replace(f"@{op}(", f"\0{op}(")
    return body.replace("@", side).replace('"T"', f'"{side}"').replace("\0", "@")


def main():
    spile, victims = sys.argv[1:3]
    rounds, seed = int(sys.argv[3]) if len(sys.argv) > 3 else 20, int(sys.argv[4]) if len(sys.argv) > 4 else 1
    done = 0
    while done < rounds:
        text, run = Maker(seed).program()
        seed += 1
        want = expected(run)
        if want is None:
            continue
        body = f"{START}\n{text}\n{PRINT}\n"
        both = [for_side(body, side) for side in "KU"]
        script = "global GK, SK, AK, TK, GU, SU, AU, TU\n" + \
            f'probe process("{victims}/calls").function("work").call {{ {both[0]} }}\nprobe begin {{ {both[1]} }}\n'
        p = subprocess.run([spile, "--lang", "stap", "-w", "-e", script, "-c", f"{victims}/calls 1 > /dev/null"], capture_output=True, text=True)
        lines = p.stdout.split("\n")
        got = {side: next((l[2:] for l in lines if l.startswith(side + " ")), None) for side in "KU"}
        if got["K"] != want or got["U"] != want:
            print(f"seed {seed - 1}\n{script}\nmodel  {want}\nkernel {got['K']}\nuser   {got['U']}\n{p.stderr}")
            sys.exit(1)
        done += 1
    print(f"agreed on {done} programs")


main()
