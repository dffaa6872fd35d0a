const fs = require("fs");
const { join, sep: separator } = require("path");

/* Counts
   words. */
function count(text, least = 1, ...more) {
  const counts = new Map();
  for (const word of text.split(/\s+/g)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].filter(([, number]) => number >= least).concat(more);
}

class Shelf extends Array {
  #limit = 3;
  static of(...titles) {
    return titles.reduce((shelf, title) => shelf.add(title), new Shelf());
  }
  add(title) {
    if (this.length >= this.#limit) throw new RangeError(`no room for ${title} in ${join("a", title)}`);
    this.push({ title, [separator]: title?.length });
    return this;
  }
}

const main = async () => {
  let name;
  try {
    name = fs.readFileSync("names").toString();
  } catch {
    name = "Orlando";
  } finally {
    // A comment.
    console.log(count(name), Shelf.of("a", 'b'));
  }
  label: for (let i = 0; i < 3; i++) {
    while (true) { if (i > 1) break label; else continue label; }
  }
};

module.exports = { main, count };
