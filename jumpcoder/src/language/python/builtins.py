"""Writes builtins.txt: the names that every Python module sees without defining them.

Reads the `builtins` module of the CPython that runs it; the committed table is that of CPython
3.13.0 started as usual, so that `exit`, `help` and the like, which `site` adds, are in it.

    python3.13 builtins.py > builtins.txt
"""

import builtins

# In any module but an interactive session, `_` is nobody's name.
print("\n".join(sorted(name for name in dir(builtins) if name != "_")))
