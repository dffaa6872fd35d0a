//! How alike two lines are: the ratio of Ratcliff and Obershelp ("Pattern Matching: the Gestalt
//! Approach", Dr. Dobb's Journal, July 1988), with the tie-breaking of Python's `difflib`.

use std::collections::HashMap;

/// From this length on, `difflib` ignores characters that are more than a hundredth of the text.
const POPULAR_MIN_LEN: usize = 200;

/// Twice the characters in matching blocks over all characters: 1 for equal texts, 0 for texts that
/// share nothing. The longest common block is taken first, then those to its left and right.
///
/// `ignore_popular` is a rule of `difflib` that was made for files of lines: it lets frequent
/// characters of a long `b` not begin a match.
pub fn similarity(a: &str, b: &str, ignore_popular: bool) -> f64 {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let places = places(&b, ignore_popular);
    let mut num_matching = 0;
    let mut open = vec![(0, a.len(), 0, b.len())];
    while let Some((a_start, a_end, b_start, b_end)) = open.pop() {
        let block = longest_block(&a, &b, &places, (a_start, a_end, b_start, b_end));
        if block.len > 0 {
            num_matching += block.len;
            open.push((a_start, block.a, b_start, block.b));
            open.push((block.a + block.len, a_end, block.b + block.len, b_end));
        }
    }
    2.0 * num_matching as f64 / (a.len() + b.len()) as f64
}

/// Where each character of `b` is, ascending.
fn places(b: &[char], ignore_popular: bool) -> HashMap<char, Vec<usize>> {
    let mut places: HashMap<char, Vec<usize>> = HashMap::new();
    for (idx, c) in b.iter().enumerate() {
        places.entry(*c).or_default().push(idx);
    }
    if ignore_popular && b.len() >= POPULAR_MIN_LEN {
        let most = b.len() / 100 + 1;
        places.retain(|_, found| found.len() <= most);
    }
    places
}

struct Block {
    a: usize,
    b: usize,
    len: usize,
}

/// The longest block that both ranges share; the first in `a`, then in `b`, among equals.
fn longest_block(
    a: &[char],
    b: &[char],
    places: &HashMap<char, Vec<usize>>,
    (a_start, a_end, b_start, b_end): (usize, usize, usize, usize),
) -> Block {
    let mut best = Block { a: a_start, b: b_start, len: 0 };
    // For the row before and this row of `a`: by each end in `b` the length of the block that ends
    // there, with the row that wrote it, so that nothing needs to be cleared between rows.
    let mut before: Vec<(usize, usize)> = vec![(usize::MAX, 0); b.len()];
    let mut here = before.clone();
    for (a_idx, c) in a.iter().enumerate().take(a_end).skip(a_start) {
        let found = places.get(c).map_or(&[][..], Vec::as_slice);
        for &b_idx in found.iter().filter(|b_idx| (b_start..b_end).contains(*b_idx)) {
            let continued = b_idx.checked_sub(1).map(|left| before[left]);
            let len = match continued {
                Some((row, len)) if a_idx > a_start && row == a_idx - 1 => len + 1,
                _ => 1,
            };
            here[b_idx] = (a_idx, len);
            if len > best.len {
                best = Block { a: a_idx + 1 - len, b: b_idx + 1 - len, len };
            }
        }
        std::mem::swap(&mut before, &mut here);
    }
    // Ignored characters may not begin a block, but they may continue one.
    while best.a > a_start && best.b > b_start && a[best.a - 1] == b[best.b - 1] {
        best = Block { a: best.a - 1, b: best.b - 1, len: best.len + 1 };
    }
    while best.a + best.len < a_end
        && best.b + best.len < b_end
        && a[best.a + best.len] == b[best.b + best.len]
    {
        best.len += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_difflib() {
        // Expected values: difflib.SequenceMatcher(None, a, b).ratio() of CPython 3.11.
        let long_a = "x = [1, 2, 3]; ".repeat(20);
        let long_b = "y = [1, 2, 4]; ".repeat(20);
        let cases = [
            ("", "", true, 1.0),
            ("abc", "", true, 0.0),
            ("abcd", "bcde", true, 0.75),
            ("    total = 0\n", "    total += n\n", true, 0.896_551_724_137_931),
            ("import re\n", "import os\n", true, 0.8),
            ("tide", "diet", true, 0.25),
            ("diet", "tide", true, 0.5),
            (&long_a, &long_b, true, 0.0),
            (&long_a, &long_a, true, 1.0),
        ];
        for (a, b, ignore_popular, expected) in cases {
            let found = similarity(a, b, ignore_popular);
            assert!((found - expected).abs() < 1e-12, "{a:?} {b:?}: {found}, not {expected}");
        }
        assert!(similarity(&long_a, &long_b, false) > 0.8);
    }
}
