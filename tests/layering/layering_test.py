#!/usr/bin/env python3
"""The build refuses each way to break the layers: faults planted in a copy of the tree, one at a time, and seen refused.

usage: layering_test.py [BUILD-FOLDER]     (a temporary one without; the compiler must be the repository's own)
"""
import os
import shutil
import subprocess
import sys
import tempfile

REPO = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
COPIED = ("CMakeLists.txt", "CMakePresets.json", "cmake", "src", "tools", "tests/main.cpp")
OBJECT = "src/{floor}/{room}/CMakeFiles/maru_{room}.dir/src/planted.cpp.o"
HEADER = ("src/{floor}/{room}/CMakeFiles/maru_{room}_verify_interface_header_sets.dir/"
          "maru_{room}_verify_interface_header_sets/maru/{room}/planted.h.cxx.o")


class Tree:
    """A copy of the repository in which one file is planted at a time."""

    def __init__(self, folder):
        self.root, self.build, self.saved = os.path.join(folder, "maru"), os.path.join(folder, "build"), {}
        for name in COPIED:
            source, target = os.path.join(REPO, name), os.path.join(self.root, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isdir(source):
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)

    def plant(self, path, text, instead_of=None):
        full = os.path.join(self.root, path)
        old = None
        if os.path.exists(full):
            with open(full, encoding="utf-8") as file:
                old = file.read()
        self.saved[path] = old
        if instead_of is not None:
            if instead_of not in old:
                raise SystemExit(f"{path} has no {instead_of!r} to replace")
            text = old.replace(instead_of, text, 1)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def restore(self):
        for path, old in self.saved.items():
            full = os.path.join(self.root, path)
            if old is None:
                os.remove(full)
            else:
                with open(full, "w", encoding="utf-8") as file:
                    file.write(old)
        self.saved = {}

    def configure(self):
        return run(["cmake", "--preset", "dev", "-B", self.build], self.root)

    def compile(self, target):
        code, out = self.configure()
        return (code, out) if code else run(["ninja", "-C", self.build, target], self.root)

    def tidy(self):
        return run([sys.executable, os.path.join(self.root, "tools/tidy/tidy.py"), "--root", self.root], self.root)


def run(command, folder):
    result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return result.returncode, result.stdout.decode(errors="replace")


def forbidden_include(tree, bad):
    include = "#include \"maru/train/train.h\"\n" if bad else "#include \"maru/base/result.h\"\n"
    tree.plant("src/operation/pipeline/src/planted.cpp", include)
    return tree.compile(OBJECT.format(floor="operation", room="pipeline")), "maru/train/train.h: No such file"


def forbidden_include_is_named(tree, bad):
    tree.plant("src/operation/pipeline/src/planted.cpp", "#include \"maru/train/train.h\"\n" if bad else "\n")
    return tree.tidy(), "src/operation/pipeline/src/planted.cpp:1: pipeline may not include train (layers.txt:"


def forbidden_link(tree, bad):
    if bad:
        tree.plant("src/operation/pipeline/CMakeLists.txt", "maru_room(pipeline PRIVATE train ", "maru_room(pipeline ")
    return tree.configure(), "pipeline may not use train"


def cycle(tree, bad):
    for room in ("base", "http"):
        tree.plant(f"src/foundation/{room}/src/planted.cpp", "\n")
    if bad:  # granted in the table, so that CMake itself has to see it
        tree.plant("src/layers.txt", "base          foundation  http ", "base          foundation  - ")
        tree.plant("src/foundation/base/CMakeLists.txt", "maru_room(base PRIVATE http ", "maru_room(base ")
    return tree.configure(), "cyclic"


def cycle_is_named(tree, bad):
    if bad:
        tree.plant("src/layers.txt", "base          foundation  http ", "base          foundation  - ")
    return tree.tidy(), "cycle: base -> http -> base"


def header_that_does_not_stand_alone(tree, bad):
    include = "" if bad else "#include <string>\n\n"
    tree.plant("src/foundation/base/include/maru/base/planted.h",
               f"#pragma once\n\n{include}namespace maru::base {{\nstd::string planted();\n}}\n")
    return tree.compile(HEADER.format(floor="foundation", room="base")), "string"


def misplaced_library(tree, bad):
    tree.plant("src/learning/stats/src/planted.cpp", "#include <sqlite3.h>\n" if bad else "#include <vector>\n")
    return tree.tidy(), "stats/src/planted.cpp:1: stats may not include <sqlite3.h>, which lives in store"


def misplaced_library_link(tree, bad):
    if bad:
        tree.plant("src/learning/stats/CMakeLists.txt", "maru_room(stats PRIVATE_LIBS maru_dep::sqlite3 ", "maru_room(stats ")
    return tree.configure(), "stats may not link sqlite3"


def library_in_a_public_header(tree, bad):
    include = "#include <sqlite3.h>\n" if bad else ""
    tree.plant("src/foundation/store/include/maru/store/planted.h", f"#pragma once\n{include}")
    return tree.tidy(), "a public header may not name sqlite3"


FAULTS = [forbidden_include, forbidden_include_is_named, forbidden_link, cycle, cycle_is_named, header_that_does_not_stand_alone,
          misplaced_library, misplaced_library_link, library_in_a_public_header]


def main():
    failed = 0
    with tempfile.TemporaryDirectory(prefix="maru-layering-") as folder:
        tree = Tree(folder)
        for fault in FAULTS:
            for bad in (False, True):
                (code, out), reason = fault(tree, bad)
                tree.restore()
                refused = code != 0 and reason in out
                if refused != bad or (not bad and reason in out):
                    failed += 1
                    print(f"{fault.__name__}: {'not refused' if bad else 'refused without the fault'}\n{out[-3000:]}")
    print(f"layering: {len(FAULTS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
