import { readFileSync } from "fs";
import * as path from "path";

type Counts = Record<string, number>;

interface Book<T = string> {
  readonly title: T;
  pages?: number;
}

enum Color { Red, Green = "green" }

export function count(words: string[], least?: number): Counts {
  const counts: Counts = {};
  for (const word of words) {
    counts[word] = (counts[word] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).filter(([, n]) => n >= (least ?? 1)));
}

abstract class Shelf<T extends Book> {
  private books: T[] = [];
  constructor(protected limit: number = 3) {}
  abstract name(): string;
  add(book: T): this {
    // A comment.
    if (this.books.length >= this.limit) {
      throw new Error(`no room for ${book.title as string}`);
    }
    this.books.push(book);
    return this;
  }
}

class Wall extends Shelf<Book> {
  name(): string {
    return path.join("wall", Color.Green, readFileSync("name").toString());
  }
}

const total = (shelf: Wall): number => count([shelf.name()])["a"]!;
console.log(total(new Wall().add({ title: "Orlando" })));
