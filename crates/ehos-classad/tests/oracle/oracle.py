#!/usr/bin/env python3
"""Asks HTCondor's own ClassAd library, classad2 of PyPI's htcondor, what expressions mean.

oracle.py answer               reads expressions, one a line, and prints a line of tab-separated fields for each:
                               the expression; how it is printed; its value with MY and TARGET, with MY alone, and
                               with neither ("=" where it is that of the field before). One field and a "!" where it
                               does not parse.
oracle.py generate SEED COUNT  prints random expressions.
oracle.py ads                  prints the two ads in the old syntax.
oracle.py references           reads expressions, and prints for each the attributes it looks at in MY and elsewhere.
"""

import os
import random
import re
import sys
from pathlib import Path

os.environ["CONDOR_CONFIG"] = "ONLY_ENV"
os.environ["TZ"] = "UTC"

import htcondor2  # noqa: E402, F401  registers HTCondor's own functions
import classad2  # noqa: E402

CORPUS = Path(__file__).parent.parent / "corpus"
NOW = "1700000000"


def ad(name):
    return classad2.parseOne((CORPUS / name).read_text(), classad2.ParserType.Old)


MY = ad("my.ad")
TARGET = ad("target.ad")


def value(expr, my, target):
    try:
        return repr(expr.simplify(my, target))
    except classad2.ClassAdException:
        # Where HTCondor gives up on the whole expression.
        return "error"


def answer(text):
    try:
        expr = classad2.ExprTree(text)
    except classad2.ClassAdException:
        return [text, "!"]
    # The time stands still here.
    fixed = re.sub(r"\btime\s*\(\s*\)", NOW, text)
    with_time = classad2.ExprTree(re.sub(r"\bCurrentTime\b", NOW, fixed))
    without = classad2.ExprTree(fixed)
    fields = [text, repr(expr)]
    last = None
    for my, target in ((MY, TARGET), (MY, None), (None, None)):
        found = value(with_time if my else without, my, target)
        fields.append("=" if found == last else found)
        last = found
    indented = str(expr)
    if indented != repr(expr):
        fields.append(indented.replace("\\", "\\\\").replace("\n", "\\n"))
    return fields


# What is not asked about: the clock; times of more than 32 bits; bytes that are no characters; whether two lists were
# made alike; and what evalInEachContext does to the rest of an expression. All but the clock is documented.
DOCUMENTED = re.compile(
    r"(absTime|relTime|formatTime|splitTime|interval|getYear)\((?!(absTime\()?-?\d{1,10}[,)])"
    r"|é.*(regexp|replace|substr)|(regexp|replace|substr).*é|(split|argsTo|evalIn).*(=[?!]=|is)"
)
CONTEXTS = re.compile(r"evalInEachContext|countMatches")
ONE_CALL = re.compile(r"\w+\([^()]*\)")


class Generator:
    """Makes expressions that are mostly meaningful and sometimes not."""

    names = [
        "a", "b", "s", "t", "u", "e", "l", "ad", "ads", "c1", "n", "x", "foo", "both", "Cpus", "Memory", "RequestMemory",
        "RequestCpus", "Arch", "OpSys", "Nope", "Owner", "Name", "CondorVersion", "Features", "q", "r", "f",
    ]
    strings = [
        "", "a", "A", "abc", "ABC", "a,b,c", "a, b ,c", "1", "2.5", "-3", "1,2,3", "1.5,2", "LINUX", "linux", "X86_64",
        "slot1@node1", "24.0.1", "8.9.7", "true", "b\\n", "tab\\t", "a\\\"b", "a\\\\b", "x y", "A=1 B=2", "é",
    ]
    patterns = ["a", "^a", "[a-c]+", "b$", "(a)(b)?", "x|y", "L.*X", "\\\\d+", ".", "("]
    binary = [
        "+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "=?=", "=!=", "is", "isnt", "&&", "||", "&", "|",
        "^", "<<", ">>", ">>>",
    ]
    # name, kinds of arguments: n number, s string, l list, p pattern, o options, v version, . anything; capital: optional
    functions = [
        "isUndefined .", "isError .", "isString .", "isInteger .", "isReal .", "isList .", "isClassAd .", "isBoolean .",
        "isAbsTime .", "isRelTime .", "int .", "real .", "string .", "bool .", "floor n", "ceiling n", "round n", "ceil .",
        "pow nn", "quantize nn", "quantize nl", "sum l", "avg l", "min l", "max l", "anyCompare c l .", "allCompare c l .",
        "member . l", "identicalMember . l", "size .", "size l", "strcat ...", "strcat ss", "join sl", "join s...", "join l",
        "substr snN", "strcmp ss", "stricmp ss", "toUpper .", "toLower .", "split sS", "splitUserName s",
        "splitSlotName s", "regexp psO", "regexpMember plO", "regexps pssO", "replace pssO", "replaceAll pssO",
        "stringListSize s", "stringListSum s", "stringListAvg s", "stringListMin s", "stringListMax s",
        "stringListMember ss", "stringListIMember ss", "stringList_regexpMember ps", "stringListSubsetMatch ss",
        "stringListISubsetMatch ss", "stringListsIntersect ss", "ifThenElse ...", "eval s", "versioncmp vv", "versionGT vv",
        "versionGE vv", "versionLT vv", "versionLE vv", "versionEQ vv", "version_in_range vvv", "interval i",
        "debug .", "evalInEachContext . l", "countMatches . l", "absTime i", "relTime i", "splitTime i", "formatTime iS",
        "getYear T", "envV1ToV2 s", "mergeEnvironment ss", "listToArgs l", "argsToList s", "nope ..",
    ]

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, items):
        return self.random.choice(items)

    def quoted(self, text):
        return f'"{text}"'

    def number(self):
        return self.pick([
            lambda: str(self.random.randint(-10, 20)),
            lambda: str(self.random.randint(0, 100000)),
            lambda: repr(self.random.choice([0.0, 0.5, 1.5, -2.25, 3.0, 1e10, 1e-3, 12345.678])),
            lambda: self.pick(["a", "b", "Cpus", "Memory", "RequestMemory", "9223372036854775807", "true"]),
        ])()

    def literal(self):
        return self.pick([
            self.number,
            lambda: self.quoted(self.pick(self.strings)),
            lambda: self.pick(["true", "false", "undefined", "error", "TRUE", "Undefined"]),
        ])()

    def name(self):
        name = self.pick(self.names)
        return self.pick(["", "", "", "MY.", "TARGET.", "my.", "ad."]) + name

    def list(self, depth):
        if self.random.random() < 0.3:
            return self.pick(["l", "ads", "{}", "{1,2,3}", '{"a","b"}', "undefined", "{ad,[a=2]}"])
        return "{" + ",".join(self.expr(depth - 1) for _ in range(self.random.randint(0, 3))) + "}"

    def argument(self, kind, depth):
        lower = kind.lower()
        if self.random.random() < 0.08:
            return self.expr(depth - 1)
        if lower == "n":
            return self.number()
        if lower == "i":
            return str(self.random.randint(-100000, 2000000000))
        if lower == "s":
            return self.pick([self.quoted(self.pick(self.strings)), "s", "Owner", "Features", "Name"])
        if lower == "l":
            return self.list(depth)
        if lower == "p":
            return self.quoted(self.pick(self.patterns))
        if lower == "o":
            return self.quoted(self.pick(["", "i", "f", "fi", "m"]))
        if lower == "c":
            return self.quoted(self.pick(["<", "<=", "==", "!=", ">=", ">", "is", "isnt", "~"]))
        if lower == "v":
            return self.quoted(self.pick(["1.2", "1.10", "9", "10", "8.9.7", "24.0.1", "007", "7", "a1", "", "1.2.3rc1"]))
        if lower == "t":
            return f"absTime({self.random.randint(0, 2000000000)})"
        return self.expr(depth - 1)

    def call(self, depth):
        name, *kinds = self.pick(self.functions).split(" ")
        kinds = "".join(kinds)
        arguments = [self.argument(kind, depth) for kind in kinds if kind in ".T" or kind.islower() or self.random.random() < 0.5]
        if self.random.random() < 0.02:
            arguments = arguments[1:]
        return f"{name}({self.pick([',', ', '])}".replace(",", "").replace(" ", "") + ", ".join(arguments) + ")"

    def expr(self, depth):
        if depth <= 0 or self.random.random() < 0.15:
            return self.literal() if self.random.random() < 0.6 else self.name()
        return self.pick([
            lambda: f"{self.expr(depth - 1)} {self.pick(self.binary)} {self.expr(depth - 1)}",
            lambda: f"{self.expr(depth - 1)} {self.pick(self.binary)} {self.expr(depth - 1)}",
            lambda: f"{self.expr(depth - 1)} {self.pick(['&&', '||'])} {self.expr(depth - 1)}",
            lambda: f"({self.expr(depth - 1)})",
            lambda: f"{self.pick(['!', '-', '+', '~'])}({self.expr(depth - 1)})",
            lambda: f"({self.expr(depth - 1)}) ? {self.expr(depth - 1)} : {self.expr(depth - 1)}",
            lambda: f"{self.name()} ?: {self.expr(depth - 1)}",
            lambda: f"{self.list(depth)}[{self.random.randint(-1, 3)}]",
            lambda: self.list(depth),
            lambda: f"[a = {self.expr(depth - 1)}; y = {self.expr(depth - 1)}].{self.pick(['a', 'y', 'zz', 'b'])}",
            lambda: self.call(depth),
            lambda: self.call(depth),
            lambda: self.call(depth),
            lambda: self.call(depth),
        ])()


def main():
    command = sys.argv[1]
    if command == "generate":
        generator = Generator(int(sys.argv[2]))
        for _ in range(int(sys.argv[3])):
            text = generator.expr(generator.random.randint(1, 3))
            if not DOCUMENTED.search(text) and (not CONTEXTS.search(text) or ONE_CALL.fullmatch(text)):
                print(text)
        return
    if command == "ads":
        print(MY.printOld() + "\n" + TARGET.printOld(), end="")
        return
    for line in sys.stdin:
        text = line.rstrip("\n")
        if not text or text.startswith("//"):
            continue
        if command == "answer":
            print("\t".join(answer(text)))
        else:
            expr = classad2.ExprTree(text)
            print("\t".join([text, ",".join(MY.internalRefs(expr)), ",".join(MY.externalRefs(expr))]))


main()
