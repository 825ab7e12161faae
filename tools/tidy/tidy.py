#!/usr/bin/env python3
"""Checks what the compiler cannot: layers, confinement of libraries, banned words, sizes, names, links in documents.

usage: tidy.py [--root DIR] [--shrink] [--duplicates]
  --shrink      rewrites ratchet.txt with today's smaller numbers (never with larger ones)
  --duplicates  only reports repeated blocks of code; always exits 0

Prints `file:line: message` and exits 1 when anything is wrong. A line that must break a rule says why:
`// tidy: allow RULE: reason` on it or on the line above, RULE being the word in the table below.
"""
import collections
import os
import re
import subprocess
import sys

MAX_FILE, MAX_FUNCTION, MAX_ROOM_README, MAX_ARCHITECTURE = 800, 70, 40, 300

# maru_dep::NAME of CMake -> how its includes start. src/layers.txt speaks in such starts.
LIBRARIES = {
    "boost": "boost/", "openssl": "openssl/", "curl": "curl/", "nghttp2": "nghttp2/", "zlib": "zlib", "zstd": "zstd",
    "sqlite3": "sqlite3", "pq": "libpq-fe", "mariadb": "mysql.h", "rdkafka": "librdkafka", "nats": "nats", "duckdb": "duckdb", "onnxruntime": "onnxruntime", "onnx_proto": "onnx-ml.pb",
    "protobuf": "google/protobuf/", "lightgbm": "LightGBM/", "xgboost": "xgboost/", "liblinear": "linear.h", "eigen": "Eigen/",
    "simdjson": "simdjson", "spdlog": "spdlog/", "fmt": "fmt/", "yaml": "yaml-cpp/", "date": "date/", "expected": "tl/expected",
    "xxhash": "xxhash", "cli11": "CLI/", "rpc_proto": "rpc/", "doctest": "doctest/",
}
SYSTEM_FOLDERS = ("sys/", "netinet/", "arpa/", "linux/", "net/", "bits/", "maru/")
# rule, pattern on code without comments and strings, what to use instead, where it does not apply
BANNED = [
    ("co_await", r"\bco_(await|return|yield)\b", "g++ 12 miscompiles coroutines; use a plain function on a named pool", None),
    ("regex", r"\bstd::(w?regex|s?regex_\w+)\b", "std::regex is slow and recursive; use maru/base/text.h or a small parser", None),
    ("clock", r"\bsystem_clock::now\b", "take a maru::base::Clock", r"^src/foundation/base/src/|^bench/"),
    ("rand", r"\bstd::rand\b|\bs?rand\(|\brandom_device\b", "take a maru::base::Rng", r"^src/foundation/base/src/"),
    ("new", r"\bnew\s+(\(|[A-Za-z_:])", "use std::make_unique or a container", None),
    ("sleep", r"\bsleep_for\b|\busleep\(|\bsleep_until\b", "wait for a condition, not for time",
     r"^src/(?!.*/tests/)"),
    ("detach", r"\.detach\(\)", "join the thread; a detached one outlives what it uses", None),
    ("iostream", r"\bstd::cout\b|\bstd::cerr\b", "use maru/base/log.h, or the app's terminal output",
     r"^src/product/app/|/tests/|^bench/|^tests/"),
    ("using", r"^\s*using\s+namespace\s+std\b", "name what you use", None),
]
HEADER_BANNED = ("regex", "filesystem", "ranges", "iostream")
BAD_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|manager|misc)(_|\.|$)")
CODE = re.compile(r"""
    //[^\n]* | /\*.*?\*/ | R"(?P<tag>[^()\s\\]{0,16})\(.*?\)(?P=tag)" | "(?:\\.|[^"\\\n])*" | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'
    """, re.S | re.X)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)
ALLOW = re.compile(r"//\s*tidy: allow (\w+): \S")


class Findings:
    def __init__(self):
        self.lines = []

    def add(self, path, line, message):
        self.lines.append((path, line, message))


def blank(match):
    """Comments and strings become spaces, lines stay where they are."""
    text = match.group(0)
    if "\n" in text:
        return re.sub(r"[^\n]", " ", text)
    return " " * len(text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def read_layers(root):
    """room -> (line number, floor, allowed rooms, starts of allowed third-party includes)"""
    layers = {}
    path = os.path.join(root, "src/layers.txt")
    if not os.path.exists(path):
        return layers
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = re.match(r"([a-z_]+) +([a-z]+) +([^|]*)\|(.*)$", line.split("#")[0].rstrip())
            if match:
                room, floor, rooms, starts = match.groups()
                allowed = set(re.findall(r"[a-z_0-9]+", rooms)) | ({"base"} - {room})
                layers[room] = (number, floor, allowed, [s for s in starts.split() if s != "-"])
    return layers


def tracked(root):
    """What git tracks or would track; without git (a copied tree), every file outside build folders."""
    try:
        out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True)
        names = out.stdout.decode().split("\0")
    except (subprocess.CalledProcessError, OSError):
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if f not in ("build", "node_modules", "dist", ".git")]
            names += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(n for n in names if n and os.path.isfile(os.path.join(root, n)))


def library_of(include, layers):
    for name, start in LIBRARIES.items():
        if include.startswith(start):
            return name
    for _, _, _, starts in layers.values():
        for start in starts:
            if include.startswith(start):
                return start
    return None


def owners_of(include, layers):
    return ", ".join(sorted(r for r, row in layers.items() if include.startswith(tuple(row[3])))) or "no room"


def room_of(path):
    """(room, part) of src/<floor>/<room>/<part>/..., else (None, None)"""
    parts = path.split("/")
    return (parts[2], parts[3]) if parts[0] == "src" and len(parts) > 4 else (None, None)


def check_includes(path, text, layers, found):
    room, part = room_of(path)
    if room is None:
        return
    if room not in layers:
        found.add(path, 1, f"room {room} is not in src/layers.txt")
        return
    number, _, rooms, starts = layers[room]
    where = f"(layers.txt:{number})"
    for match in INCLUDE.finditer(text):
        bracket, include = match.groups()
        line = line_of(text, match.start())
        if ".." in include.split("/"):
            found.add(path, line, f'"{include}" climbs out of its folder; include maru/<room>/<header>.h')
        if include.startswith("maru/"):
            other = include.split("/")[1]
            if other != room and other not in rooms:
                found.add(path, line, f"{room} may not include {other} {where}")
            continue
        library = library_of(include, layers)
        if library is None:
            if bracket == "<" and "/" in include and not include.startswith(SYSTEM_FOLDERS):
                found.add(path, line, f"<{include}> belongs to no library that tools/tidy knows; add it to LIBRARIES")
        elif library == "doctest":
            if part != "tests":
                found.add(path, line, "doctest belongs in tests/")
        elif not include.startswith(tuple(starts)):
            found.add(path, line, f"{room} may not include <{include}>, which lives in {owners_of(include, layers)} {where}")
        elif part == "include" and library != "expected":
            found.add(path, line, f"a public header may not name {library}; hide it behind a pimpl")
        if part == "include" and include in HEADER_BANNED:
            found.add(path, line, f"a public header may not include <{include}>: it is slow to compile; move it to src/")


def check_links(root, layers, found):
    """The rooms and libraries of every maru_room(...) call are in the room's row."""
    for room, (number, floor, rooms, starts) in layers.items():
        path = f"src/{floor}/{room}/CMakeLists.txt"
        if not os.path.exists(os.path.join(root, path)):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = re.sub(r"#.*", "", file.read())
        for call in re.finditer(r"maru_room\(([^)]*)\)", text):
            words = call.group(1).split()
            line = line_of(text, call.start())
            if not words or words[0] != room:
                found.add(path, line, f"maru_room() must name {room}, the folder it is in")
            for word in words[1:]:
                if word.startswith("maru_dep::"):
                    own = LIBRARIES.get(word[10:], word)
                    if not any(start.startswith(own.rstrip("/")) or own.startswith(start) for start in starts):
                        found.add(path, line, f"{room} may not link {word[10:]} (layers.txt:{number})")
                elif word.islower() and word not in rooms:
                    found.add(path, line, f"{room} may not use {word} (layers.txt:{number})")
        for call in re.finditer(r"target_link_libraries\(\s*maru_\w+([^)]*)\)", text):
            found.add(path, line_of(text, call.start()), "link through maru_room(...), so that the layers are checked")


def check_acyclic(layers, found):
    done, trail = set(), []

    def visit(room):
        if room in trail:
            cycle = " -> ".join(trail[trail.index(room):] + [room])
            found.add("src/layers.txt", layers[room][0], f"cycle: {cycle}")
            return
        if room in done or room not in layers:
            return
        trail.append(room)
        for other in sorted(layers[room][2]):
            visit(other)
        trail.pop()
        done.add(room)

    for room in layers:
        visit(room)


def check_banned(path, code, lines, found):
    for rule, pattern, advice, exempt in BANNED:
        if exempt and re.search(exempt, path):
            continue
        for match in re.finditer(pattern, code, re.M):
            line = line_of(code, match.start())
            near = lines[max(0, line - 2):line]
            if any(m and m.group(1) == rule for m in map(ALLOW.search, near)):
                continue
            found.add(path, line, f"{match.group(0).strip()}: {advice}")


def functions(code):
    """(name, first line, lines) of each function body, by counting braces; lambdas belong to the function around them."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.M)
    stack, start, inside = [], 0, 0
    for match in re.finditer(r"[{};]", code):
        at, char = match.start(), match.group(0)
        if char == "{":
            head = code[start:at].strip()
            body = not inside and ")" in head and not re.match(r"(?:export\s+)?(namespace|enum)\b", head) and not head.endswith("=")
            if re.match(r"(template\s*<.*>\s*)?(class|struct|union)\b[^()]*$", head, re.S):
                body = False
            stack.append((body, head, start + len(code[start:at]) - len(code[start:at].lstrip())))
            inside += body
        elif char == "}" and stack:
            body, head, begin = stack.pop()
            inside -= body
            if body:
                name = re.search(r"([~\w:]+|operator\s*\S+)\s*\(", head)
                first = line_of(code, begin)
                yield (name.group(1) if name else "?", first, line_of(code, at) - first + 1)
        start = at + 1 if not inside or char != ";" else start
        if inside:
            start = at + 1


def read_ratchet(root):
    """'file PATH LINES' or 'function PATH NAME LINES': offenders that may stay as long as they do not grow."""
    entries = {}
    path = os.path.join(root, "tools/tidy/ratchet.txt")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                words = line.split("#")[0].split()
                if words:
                    entries[tuple(words[:-1])] = int(words[-1])
    return entries


def check_size(key, size, limit, path, line, ratchet, seen, found):
    if size <= limit:
        return
    seen[key] = max(size, seen.get(key, 0))
    allowed = ratchet.get(key)
    if allowed is None:
        found.add(path, line, f"{' '.join(key[:1] + key[2:])} has {size} lines; the limit is {limit}")
    elif size > allowed:
        found.add(path, line, f"{' '.join(key[:1] + key[2:])} grew from {allowed} to {size} lines; tools/tidy/ratchet.txt may only shrink")


def check_names(path, found):
    name = os.path.basename(path)
    if path.startswith(("src/", "bench/", "tests/", "tools/")) and BAD_NAMES.search(name):
        found.add(path, 1, f"{name} says nothing; name the file after what it holds")
    if path.startswith("src/") and path.endswith((".h", ".cpp")) and not re.fullmatch(r"[a-z0-9_]+\.(h|cpp)", name):
        found.add(path, 1, "file names are snake_case")


def anchor(heading):
    text = re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def headings(text):
    outside, fence = [], False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith(("```", "~~~")):
            fence = not fence
        elif not fence:
            outside.append((number, line))
    return outside


def check_markdown(root, path, text, found):
    outside = headings(text)
    tops = [number for number, line in outside if re.match(r"# \S", line)]
    if len(tops) != 1:
        found.add(path, tops[1] if tops else 1, f"a page has one H1; this one has {len(tops)}")
    if re.fullmatch(r"src/\w+/\w+/README\.md", path) and text.count("\n") > MAX_ROOM_README:
        found.add(path, MAX_ROOM_README, f"a room's README has at most {MAX_ROOM_README} lines")
    if path == "ARCHITECTURE.md" and text.count("\n") > MAX_ARCHITECTURE:
        found.add(path, MAX_ARCHITECTURE, f"ARCHITECTURE.md has at most {MAX_ARCHITECTURE} lines")
    for number, line in outside:
        for match in re.finditer(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)", re.sub(r"`[^`]*`", "", line)):
            target, _, mark = match.group(1).partition("#")
            if re.match(r"[a-z]+:", match.group(1)):
                continue
            full = os.path.normpath(os.path.join(root, os.path.dirname(path), target)) if target else os.path.join(root, path)
            if not os.path.exists(full):
                found.add(path, number, f"dead link: {target}")
            elif mark and full.endswith(".md"):
                with open(full, encoding="utf-8") as file:
                    marks = {anchor(l.lstrip("#")) for _, l in headings(file.read()) if l.startswith("#")}
                if mark not in marks:
                    found.add(path, number, f"dead link: no heading #{mark} in {target or path}")


def check_source(path, text, layers, ratchet, seen, found):
    lines = text.split("\n")
    code = CODE.sub(blank, text)
    check_includes(path, text, layers, found)
    check_banned(path, code, lines, found)
    if path.endswith(".h") and "#pragma once" not in text:
        found.add(path, 1, "a header starts with #pragma once")
    check_size(("file", path), len(lines) - 1, MAX_FILE, path, MAX_FILE, ratchet, seen, found)
    if "/tests/" not in path and not path.startswith("tests/"):
        for name, line, size in functions(code):
            check_size(("function", path, name), size, MAX_FUNCTION, path, line, ratchet, seen, found)


def shrink(root, ratchet, seen):
    path = os.path.join(root, "tools/tidy/ratchet.txt")
    with open(path, encoding="utf-8") as file:
        head = [line for line in file if line.startswith("#")]
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(head)
        for key in sorted(ratchet):
            if key in seen:
                file.write(" ".join(key) + f" {min(ratchet[key], seen[key])}\n")


def duplicates(root, names, block=12):
    """Blocks of 12 equal code lines (white space and comments aside) in two places."""
    places = collections.defaultdict(list)
    for path in names:
        if not re.match(r"src/.*\.(cpp|h)$", path) or "/tests/" in path:
            continue
        with open(os.path.join(root, path), encoding="utf-8") as file:
            code = CODE.sub(lambda m: m.group(0) if m.group(0)[0] in "\"'R" else blank(m), file.read())
        lines = [(n, l.strip()) for n, l in enumerate(code.split("\n"), 1)]
        lines = [(n, l) for n, l in lines if l and not l.startswith(("#", "}")) and l != "{"]
        for i in range(len(lines) - block + 1):
            places[tuple(l for _, l in lines[i:i + block])].append((path, lines[i][0], i))
    reported, count = {}, 0
    for spots in places.values():
        if len(spots) < 2:
            continue
        (a, line_a, i), (b, line_b, j) = spots[:2]
        if reported.get((a, b), -block) + block > i:
            continue
        reported[(a, b)] = i
        count += 1
        print(f"{a}:{line_a}: the same {block} lines as {b}:{line_b}")
    print(f"tidy: {count} repeated blocks")


def main():
    args = sys.argv[1:]
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    if "--root" in args:
        root = args[args.index("--root") + 1]
    root = os.path.realpath(root)
    names = tracked(root)
    if "--duplicates" in args:
        return duplicates(root, names)
    found, seen = Findings(), {}
    layers, ratchet = read_layers(root), read_ratchet(root)
    check_acyclic(layers, found)
    check_links(root, layers, found)
    for path in names:
        check_names(path, found)
        if path.endswith((".cpp", ".h")) and path.startswith(("src/", "tests/", "bench/")):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                check_source(path, file.read(), layers, ratchet, seen, found)
        elif path.endswith(".md"):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                check_markdown(root, path, file.read(), found)
    for key in ratchet:
        if key not in seen and "--shrink" not in args:
            found.add("tools/tidy/ratchet.txt", 1, f"{' '.join(key)} is within the limit now; run tools/tidy/tidy.py --shrink")
    if "--shrink" in args:
        shrink(root, ratchet, seen)
    for path, line, message in sorted(set(found.lines)):
        print(f"{path}:{line}: {message}")
    print(f"tidy: {len(names)} files, {len(set(found.lines))} findings")
    sys.exit(1 if found.lines else 0)


main()
