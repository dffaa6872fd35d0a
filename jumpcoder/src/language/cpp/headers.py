"""Writes headers.txt: the names that each header of the standard library brings.

A header brings what it declares and what those declare that it includes, the names in namespaces
by their whole names, and macros. Classes that are only announced don't count: little can be done
with them. Headers share most of what they bring, so the table has sets of names that the same
headers bring, and for each header its sets. The committed one is of libstdc++ 12 and glibc 2.36,
for the dialect that g++ takes unless told otherwise, without the extensions that only glibc has.

    pip install libclang
    python headers.py > headers.txt
"""

import re
import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from clang.cindex import CursorKind, Index, conf

DIALECT = ["-std=gnu++17", "-U_GNU_SOURCE", "-D_XOPEN_SOURCE=700", "-D_DEFAULT_SOURCE"]

HEADERS = """
algorithm any array atomic bitset charconv chrono codecvt complex condition_variable deque
exception execution filesystem forward_list fstream functional future initializer_list iomanip ios
iosfwd iostream istream iterator limits list locale map memory memory_resource mutex new numeric
optional ostream queue random ratio regex scoped_allocator set shared_mutex sstream stack stdexcept
streambuf string string_view strstream system_error thread tuple type_traits typeindex typeinfo
unordered_map unordered_set utility valarray variant vector

cassert cctype cerrno cfenv cfloat cinttypes climits clocale cmath csetjmp csignal cstdarg cstddef
cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype assert.h complex.h ctype.h errno.h fenv.h
float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h signal.h stdalign.h stdarg.h stdbool.h
stddef.h stdint.h stdio.h stdlib.h string.h strings.h tgmath.h time.h uchar.h wchar.h wctype.h

bits/stdc++.h ext/pb_ds/assoc_container.hpp ext/pb_ds/tree_policy.hpp memory.h sys/time.h unistd.h
""".split()

# Namespaces whose names begin with an underscore, as those of the library's own parts do.
NAMESPACES = {"__gnu_pbds"}

SPECIALIZATION = CursorKind.CLASS_TEMPLATE_PARTIAL_SPECIALIZATION
CLASSES = {CursorKind.CLASS_DECL, CursorKind.STRUCT_DECL, CursorKind.UNION_DECL,
           CursorKind.CLASS_TEMPLATE, SPECIALIZATION}
BLOCKS = {CursorKind.LINKAGE_SPEC, CursorKind.UNEXPOSED_DECL}


def of_compiler(options, text):
    """What g++ says to a text."""
    command = ["g++", *DIALECT, "-x", "c++", *options, "-"]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return run.stdout + run.stderr


def folders():
    """Where g++ looks for headers."""
    said = of_compiler(["-E", "-v"], "")
    return said.split("search starts here:")[-1].split("End of search list")[0].split()


def macros(text):
    """The macros that are defined after a text."""
    return set(re.findall(r"^#define (\w+)", of_compiler(["-E", "-dM"], text), re.M))


def is_public(name):
    """May programs use it? Placeholders such as `_1` are the exception among names like it."""
    return re.fullmatch(r"[A-Za-z]\w*|_[1-9]|_Exit", name)


def is_defined(cursor):
    """Is a class defined, or is its template?"""
    template = conf.lib.clang_getSpecializedCursorTemplate(cursor)
    return cursor.get_definition() or template and template.get_definition()


def is_announced(cursor):
    """Is it a class that is not defined, or stands for one?"""
    if cursor.kind in (CursorKind.TYPEDEF_DECL, CursorKind.TYPE_ALIAS_DECL):
        cursor = cursor.underlying_typedef_type.get_canonical().get_declaration()
    return cursor.kind in CLASSES and not is_defined(cursor)


def is_member(cursor):
    """Is it a part of a class that is defined outside of it?"""
    return cursor.semantic_parent and cursor.semantic_parent.kind in CLASSES


def has_suffixes(space):
    """Does a namespace define literals such as `10ms`?"""
    return any(cursor.spelling.startswith('operator""') or
               cursor.kind == CursorKind.NAMESPACE and has_suffixes(cursor)
               for cursor in space.get_children())


def names_in(space, qualifier):
    """The public names of a namespace, and of those in it."""
    names = set()
    for cursor in space.get_children():
        name = cursor.spelling
        if cursor.kind == CursorKind.NAMESPACE:
            if is_public(name) or name in NAMESPACES:
                inside = names_in(cursor, f"{qualifier}{name}::")
                names |= inside | ({qualifier + name} if inside or has_suffixes(cursor) else set())
            if conf.lib.clang_Cursor_isInlineNamespace(cursor):
                names |= names_in(cursor, qualifier)
        elif cursor.kind in BLOCKS:
            names |= names_in(cursor, qualifier)
        elif cursor.kind == CursorKind.ENUM_DECL and not cursor.is_scoped_enum():
            names |= {qualifier + one.spelling for one in [cursor, *cursor.get_children()]
                      if is_public(one.spelling)}
        elif is_public(name) and cursor.kind != CursorKind.USING_DIRECTIVE:
            if not is_member(cursor) and not is_announced(cursor):
                names.add(qualifier + name)
    return names


def names_of(header):
    """All names that a header brings."""
    text = f"#include <{header}>\n"
    options = ["-x", "c++", "-nostdinc", *DIALECT, *(f"-isystem{path}" for path in folders())]
    unit = Index.create().parse("program.cpp", options, [("program.cpp", text)])
    if any("file not found" in error.spelling for error in unit.diagnostics):
        raise SystemExit(f"{header}: {[error.spelling for error in unit.diagnostics]}")
    added = macros(text) - macros("")
    return names_in(unit.cursor, "") | {name for name in added if is_public(name)}


def main():
    """Writes the table."""
    with ThreadPoolExecutor(2) as pool:
        brought = dict(zip(HEADERS, pool.map(names_of, HEADERS)))
    bringing = defaultdict(set)
    for header, names in brought.items():
        for name in names:
            bringing[name].add(header)
    sets = defaultdict(list)
    for name in sorted(bringing):
        sets[tuple(sorted(bringing[name]))].append(name)
    version = of_compiler(["-dumpversion"], "").strip()
    print(f"# libstdc++ {version}, by headers.py")
    for idx, names in enumerate(sets.values()):
        print(f"@{idx}", *names)
    for header in sorted(HEADERS):
        print(header, *(f"@{idx}" for idx, among in enumerate(sets) if header in among))


if __name__ == "__main__":
    main()
