"""Comparing what happened with what a scenario expects: lines with patterns, and JSON as a subset."""
import fnmatch
import json
import re

NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
COMPARE = {">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b}


def close(actual, wanted, tolerance):
    """tolerance: '0.02' is absolute, '5%' relative, 'any' accepts all"""
    if tolerance == "any":
        return True
    bound = float(tolerance[:-1]) / 100 * abs(wanted) if tolerance.endswith("%") else float(tolerance)
    return abs(actual - wanted) <= bound + 1e-12


def to_number(text):
    return float(text.replace(",", ""))


def lines_close(expected, actual, tolerance):
    """The same words, and numbers within the tolerance; runs of blanks and rules count as one."""
    def shape(text):
        return re.sub(r"[ \-─]+", " ", NUMBER.sub("#", text)).strip()
    wanted, got = NUMBER.findall(expected), NUMBER.findall(actual)
    return shape(expected) == shape(actual) and all(close(to_number(g), to_number(w), tolerance) for w, g in zip(wanted, got))


def line_matches(expected, actual, names):
    if expected == actual:
        return True
    if expected.endswith(" (re)"):
        match = re.fullmatch(expected[:-5], actual)
        if match:
            names.update({k: v for k, v in match.groupdict().items() if v is not None})
        return match is not None
    if expected.endswith(" (glob)"):
        return fnmatch.fnmatchcase(actual, expected[:-7])
    tolerance = re.search(r" \(~(\d[\d.]*%?|any)\)$", expected)
    if tolerance:
        return lines_close(expected[:tolerance.start()], actual, tolerance.group(1))
    return False


def lines_match(expected, actual, names):
    """None when they match, else what differs; a line `...` stands for any number of lines, none included."""
    def step(i, j):
        while i < len(expected):
            if expected[i].strip() == "...":
                return any(step(i + 1, k) for k in range(j, len(actual) + 1))
            if j >= len(actual) or not line_matches(expected[i], actual[j], names):
                return False
            i, j = i + 1, j + 1
        return j == len(actual)
    if step(0, 0):
        return None
    for i, line in enumerate(expected):
        if line.strip() == "...":
            break
        if i >= len(actual):
            return f"expected: {line}\n  actual: (nothing more)"
        if not line_matches(line, actual[i], names):
            return f"expected: {line}\n  actual: {actual[i]}"
    return "the lines differ"


def text_pattern(pattern, actual, names):
    """A string of the expected JSON that is a pattern: (matched, is a pattern)"""
    if pattern == "...":
        return True, True
    if pattern.startswith("(re) "):
        match = re.fullmatch(pattern[5:], actual if isinstance(actual, str) else json.dumps(actual))
        if match:
            names.update({k: v for k, v in match.groupdict().items() if v is not None})
        return match is not None, True
    bound = re.fullmatch(r"(>=|<=|>|<) (-?[\d.]+(?:e-?\d+)?)", pattern)
    if bound and isinstance(actual, (int, float)) and not isinstance(actual, bool):
        return COMPARE[bound.group(1)](actual, float(bound.group(2))), True
    near = re.fullmatch(r"~ (-?[\d.]+(?:e-?\d+)?) ([\d.]+(?:e-?\d+)?%?)", pattern)
    if near and isinstance(actual, (int, float)):
        return close(actual, float(near.group(1)), near.group(2)), True
    return False, False


def subset(expected, actual, names, where="$"):
    """None when every expected part is in actual, else where and how it differs."""
    if isinstance(expected, str):
        matched, pattern = text_pattern(expected, actual, names)
        if matched or (not pattern and expected == actual):
            return None
    elif isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            if key not in actual:
                return f"{where}.{key} is missing; there are: {', '.join(actual) or 'no keys'}"
            difference = subset(value, actual[key], names, f"{where}.{key}")
            if difference:
                return difference
        return None
    elif isinstance(expected, list) and isinstance(actual, list):
        rest = expected and expected[-1] == "..."
        wanted = expected[:-1] if rest else expected
        if len(actual) < len(wanted) or (len(actual) > len(wanted) and not rest):
            return f"{where} has {len(actual)} elements, expected {len(wanted)}"
        for i, value in enumerate(wanted):
            difference = subset(value, actual[i], names, f"{where}[{i}]")
            if difference:
                return difference
        return None
    elif isinstance(expected, float) and isinstance(actual, (int, float)) and not isinstance(actual, bool):
        if abs(expected - actual) <= 1e-9 * max(1.0, abs(expected)):
            return None
    elif expected == actual and isinstance(expected, bool) == isinstance(actual, bool):
        return None
    return f"{where}: expected {json.dumps(expected, ensure_ascii=False)}, actual {json.dumps(actual, ensure_ascii=False)[:300]}"
