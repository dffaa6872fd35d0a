import math
from collections import Counter, defaultdict
from typing import Dict, List, Optional


class Shelf:
    """Books by author.

    >>> Shelf().titles("Woolf")
    []
    """

    def __init__(self, limit: int = 10):
        self.limit = limit
        self.by_author: Dict[str, List[str]] = defaultdict(list)

    def add(self, author: str, title: str) -> None:
        """Put a book on the shelf."""
        if sum(len(titles) for titles in self.by_author.values()) >= self.limit:
            raise ValueError(f"no room for {title!r}")
        self.by_author[author].append(title)

    def titles(self, author: str) -> List[str]:
        """The books of an author."""
        return sorted(self.by_author.get(author, []), key=sort_key)


def letters(words: List[str], least: Optional[int] = None) -> Dict[str, float]:
    """The share of each letter, in logarithms."""
    counts = Counter(letter for word in words for letter in word.lower())
    total = sum(counts.values())
    result: Dict[str, float] = {}
    assert total > 0, words
    for letter, count in counts.most_common():
        if least is not None and count < least:
            break
        # A comment, as programs have them.
        result[letter] = math.log2(count / total)
    average = functools.reduce(operator.add, result.values(), 0.0) / max(1, len(result))
    return {letter: share - average for letter, share in result.items()}


def table(shelf: Shelf, authors: List[str]) -> str:
    rows = []
    for number, author in enumerate(sorted(authors, key=sort_key), start=1):
        try:
            first, *others = shelf.titles(author)
        except ValueError:
            continue
        with_more = f" and {len(others)} more" if others else ""
        rows.append((number, author, first + with_more))
    widths = [max(len(str(row[column])) for row in rows) for column in range(3)]
    lines = [" ".join(str(cell).ljust(w) for cell, w in zip(row, widths)) for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    shelf = Shelf(limit=3)
    shelf.add("Woolf", "Orlando")
    print(table(shelf, ["Woolf"]), letters(["Orlando"]), sep="\n")
