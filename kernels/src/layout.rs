//! Which rows a pass computes, to which sequences they belong, and where their keys and values lie.

use std::ops::Range;

/// Tokens that one KV block holds.
pub const BLOCK_LEN: usize = 16;

/// The id of a token in a model's vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct TokenId(pub u32);

/// The id of a KV block: the same place in the cache of every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct BlockId(pub u32);

/// Consecutive rows of one pass that continue one sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The rows, as indices into the batch.
    pub rows: Range<usize>,
    /// The position of the first row's token in its sequence; the others follow one by one.
    pub first_position: usize,
    /// The sequence's block table, as a range of [`Layout::blocks`]; it covers all positions up to
    /// and including the last row's.
    pub blocks: Range<usize>,
}

impl Segment {
    /// The position of `row` in its sequence.
    pub fn position(&self, row: usize) -> usize {
        debug_assert!(self.rows.contains(&row));
        self.first_position + row - self.rows.start
    }

    /// Tokens of the sequence after this pass.
    pub fn end_position(&self) -> usize {
        self.first_position + self.rows.len()
    }
}

/// The metadata of one pass: the token of every row, and the segments that the rows form.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The token of each row.
    pub tokens: Vec<TokenId>,
    /// The segments; their rows follow each other and cover `tokens`.
    pub segments: Vec<Segment>,
    /// The block tables of all segments, one after the other.
    pub blocks: Vec<BlockId>,
}

impl Layout {
    /// Appends the rows of one sequence: `tokens` at `first_position` and after it.
    pub fn push(&mut self, tokens: &[TokenId], first_position: usize, block_table: &[BlockId]) {
        assert!(!tokens.is_empty(), "a segment has at least one row");
        let num_positions = first_position + tokens.len();
        assert!(
            block_table.len() * BLOCK_LEN >= num_positions,
            "{} blocks can't hold {num_positions} positions",
            block_table.len()
        );
        let rows = self.tokens.len()..self.tokens.len() + tokens.len();
        let blocks = self.blocks.len()..self.blocks.len() + num_positions.div_ceil(BLOCK_LEN);
        self.tokens.extend_from_slice(tokens);
        self.blocks.extend_from_slice(&block_table[..blocks.len()]);
        self.segments.push(Segment { rows, first_position, blocks });
    }

    /// Rows of the pass.
    pub fn num_rows(&self) -> usize {
        self.tokens.len()
    }

    /// The layout of some of the rows, which are ascending: row i of it is row `rows[i]` of this.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let mut selected = Self { blocks: self.blocks.clone(), ..Self::default() };
        let mut segments = self.segments.iter();
        let mut segment = segments.next();
        for row in rows.iter().map(|row| *row as usize) {
            while segment.is_some_and(|segment| segment.rows.end <= row) {
                segment = segments.next();
            }
            let from = segment.expect("the segments cover all rows");
            selected.push_row(self.tokens[row], from.position(row), from.blocks.start);
        }
        selected
    }

    /// Appends one row whose sequence's blocks begin at `first_block`; it joins the last segment if
    /// it follows it.
    fn push_row(&mut self, token: TokenId, position: usize, first_block: usize) {
        let row = self.tokens.len();
        let blocks = first_block..first_block + (position + 1).div_ceil(BLOCK_LEN);
        self.tokens.push(token);
        match self.segments.last_mut() {
            Some(last) if last.end_position() == position && last.blocks.start == first_block => {
                last.rows.end += 1;
                last.blocks = blocks;
            }
            _ => {
                let rows = row..row + 1;
                self.segments.push(Segment { rows, first_position: position, blocks });
            }
        }
    }

    /// Forgets all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.segments.clear();
        self.blocks.clear();
    }

    /// The position of every row in its sequence.
    pub fn positions(&self) -> impl Iterator<Item = usize> {
        self.segments.iter().flat_map(|segment| segment.first_position..segment.end_position())
    }

    /// The block and the offset in it that hold `position` of `segment`.
    pub fn slot(&self, segment: &Segment, position: usize) -> (BlockId, usize) {
        let table = &self.blocks[segment.blocks.clone()];
        (table[position / BLOCK_LEN], position % BLOCK_LEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selected_rows_keep_their_places() {
        let mut layout = Layout::default();
        let tokens: Vec<TokenId> = (0..40).map(TokenId).collect();
        let blocks: Vec<BlockId> = (0..4).map(BlockId).collect();
        layout.push(&tokens[..20], 0, &blocks[..2]);
        layout.push(&tokens[20..], 20, &[BlockId(9), BlockId(8), BlockId(7)]);
        let rows = [0, 1, 17, 19, 20, 39];
        let selected = layout.select(&rows);
        let find = |layout: &Layout, row: usize| {
            let found = layout.segments.iter().find(|segment| segment.rows.contains(&row));
            let segment = found.expect("the segments cover all rows").clone();
            (layout.tokens[row], layout.slot(&segment, segment.position(row)))
        };
        for (row, from) in rows.iter().enumerate() {
            assert_eq!(find(&selected, row), find(&layout, *from as usize), "row {from}");
        }
        assert_eq!(selected.segments.len(), 5, "only rows 0 and 1 follow each other");
        let all: Vec<u32> = (0..40).collect();
        assert_eq!(layout.select(&all).segments, layout.segments);
    }
}
