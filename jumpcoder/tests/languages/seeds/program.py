import math
from collections import Counter
from typing import Dict, List, Optional
import os.path as paths


def root(x: float) -> float:
    """The root.

    >>> root(4)
    """
    return math.sqrt(x)


def shares(words: List[str], least: Optional[int] = None) -> Dict[str, float]:
    counts = Counter(letter for word in words for letter in word)
    total = sum(counts.values())
    return {letter: root(count / total) for letter, count in counts.items() if count > 1}


@staticmethod
async def read(path):
    global num_read
    num_read = 1
    async with open(paths.join("a", path)) as file:
        text = await file.read()
    try:
        first, *others = text.split("\n")
    except (ValueError, OSError) as error:
        raise RuntimeError(f"{error!r:>{num_read}} {{}}") from error
    finally:
        del text
    return first if (n := len(others)) else n


class Shelf(dict):
    limit: int = 10

    def add(self, title: "Title", **more) -> None:
        # A comment.
        self[title] = lambda key, *rest: shares([key, *rest], least=self.limit)
        for number, (name, _) in enumerate(sorted(more.items())):
            while number:
                number -= 1
            else:
                print(name, end="")

    def count(self):
        def inner():
            nonlocal total
            total += 1
            return total

        total = len(self)
        return inner()


class Title(str):
    pass


match Shelf().count():
    case [a, *b] | {"k": a, **b} if a:
        print(a, b)
    case Title(real=c) as d:
        print(c, d)
    case _:
        pass
