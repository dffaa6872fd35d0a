//! Which queries go together: those that see the same keys and values.
//!
//! A *unit* is some rows with the heads of one KV head. Rows of one segment share all blocks; rows
//! of forks share the blocks that begin both tables. What a query's result is does not depend on
//! its unit.

use std::ops::Range;

use crate::backend::AttentionShape;
use crate::layout::{BLOCK_LEN, BlockId, Layout};

/// Queries of the greatest unit.
pub const MAX_QUERIES: usize = 8;

/// Block ids that are compared at once.
const RUN_LEN: usize = 8;

/// A row of a unit.
#[derive(Clone, Copy, Default)]
pub struct UnitRow {
    /// The row of the pass.
    pub row: usize,
    /// The first position that it sees.
    pub first_visible: usize,
    /// The end of those that it sees.
    pub end_visible: usize,
    /// Where its segment's block table begins in the layout's.
    first_block: usize,
    /// Blocks of that table: those that it sees, and maybe more.
    num_blocks: usize,
}

/// Rows and heads whose queries share keys and values.
#[derive(Clone)]
pub struct Unit {
    rows: [UnitRow; MAX_QUERIES],
    num_rows: usize,
    /// Blocks at the beginning of all rows' tables that are the same.
    pub num_shared_blocks: usize,
    /// The head of keys and values.
    pub kv_head: usize,
    /// Its query heads.
    pub heads: Range<usize>,
}

impl Unit {
    /// The rows.
    pub fn rows(&self) -> &[UnitRow] {
        &self.rows[..self.num_rows]
    }

    /// Each row with each head.
    pub fn num_queries(&self) -> usize {
        self.num_rows * self.heads.len()
    }

    /// From the first position that a row sees to the end of those that one sees.
    pub fn visible(&self) -> Range<usize> {
        let first = self.rows().iter().map(|row| row.first_visible).min();
        let end = self.rows().iter().map(|row| row.end_visible).max();
        first.expect("a unit has a row")..end.expect("a unit has a row")
    }

    /// What the unit's time is proportional to, about.
    pub fn cost(&self) -> usize {
        self.num_queries() * self.visible().len()
    }
}

impl UnitRow {
    /// Its segment's blocks.
    pub fn table<'a>(&self, layout: &'a Layout) -> &'a [BlockId] {
        &layout.blocks[self.first_block..][..self.num_blocks]
    }

    /// The blocks that it sees.
    pub fn visible_blocks(&self) -> Range<usize> {
        self.first_visible / BLOCK_LEN..self.end_visible.div_ceil(BLOCK_LEN)
    }
}

/// All units of up to `max_queries`, in an order that depends on the layout alone: head by head, so
/// that threads that take parts of it see few heads each.
pub fn units(
    layout: &Layout,
    shape: AttentionShape,
    max_queries: usize,
) -> impl Iterator<Item = Unit> {
    assert!((1..=MAX_QUERIES).contains(&max_queries), "units of {max_queries} queries");
    let group = shape.num_heads / shape.num_kv_heads;
    let unit_heads = group.min(max_queries);
    (0..shape.num_kv_heads).flat_map(move |kv_head| {
        let end = (kv_head + 1) * group;
        (kv_head * group..end).step_by(unit_heads).flat_map(move |head| {
            let heads = head..(head + unit_heads).min(end);
            let mut rows = unit_rows(layout, shape).peekable();
            std::iter::from_fn(move || {
                let first = rows.next()?;
                let mut unit = Unit {
                    rows: [first; MAX_QUERIES],
                    num_rows: 1,
                    num_shared_blocks: first.num_blocks,
                    kv_head,
                    heads: heads.clone(),
                };
                while unit.num_rows < max_queries / unit_heads {
                    let Some(row) = rows.next_if(|row| unit.joins(row, layout)) else { break };
                    unit.push(row, layout);
                }
                Some(unit)
            })
        })
    })
}

/// All rows of the pass.
fn unit_rows(layout: &Layout, shape: AttentionShape) -> impl Iterator<Item = UnitRow> {
    layout.segments.iter().flat_map(move |segment| {
        segment.rows.clone().map(move |row| UnitRow {
            row,
            first_visible: shape.first_visible(segment.position(row)),
            end_visible: segment.position(row) + 1,
            first_block: segment.blocks.start,
            num_blocks: segment.blocks.len(),
        })
    })
}

impl Unit {
    /// Whether `row` shares half of what it sees.
    fn joins(&self, row: &UnitRow, layout: &Layout) -> bool {
        2 * self.num_shared_with(row, layout) >= row.visible_blocks().end
    }

    fn push(&mut self, row: UnitRow, layout: &Layout) {
        self.num_shared_blocks = self.num_shared_with(&row, layout);
        self.rows[self.num_rows] = row;
        self.num_rows += 1;
    }

    /// Blocks that all rows would share with `row`.
    fn num_shared_with(&self, row: &UnitRow, layout: &Layout) -> usize {
        let last = self.rows[self.num_rows - 1];
        if last.first_block == row.first_block {
            return self.num_shared_blocks.min(row.num_blocks);
        }
        num_equal(&last.table(layout)[..self.num_shared_blocks], row.table(layout))
    }
}

/// Elements at the beginning that are the same in both.
fn num_equal(a: &[BlockId], b: &[BlockId]) -> usize {
    let runs = a.as_chunks::<RUN_LEN>().0.iter().zip(b.as_chunks::<RUN_LEN>().0);
    let start = RUN_LEN * runs.take_while(|(a, b)| a == b).count();
    start + a[start..].iter().zip(&b[start..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::TokenId;

    const SHAPE: AttentionShape =
        AttentionShape { num_heads: 4, num_kv_heads: 2, head_dim: 16, window: None };

    fn push(layout: &mut Layout, num_rows: usize, first_position: usize, blocks: &[u32]) {
        let blocks: Vec<BlockId> = blocks.iter().map(|id| BlockId(*id)).collect();
        layout.push(&vec![TokenId(0); num_rows], first_position, &blocks);
    }

    #[test]
    fn every_query_is_in_one_unit() {
        let mut layout = Layout::default();
        push(&mut layout, 7, 20, &[0, 1, 2]);
        push(&mut layout, 1, 40, &[0, 1, 3]);
        push(&mut layout, 2, 0, &[4]);
        for max_queries in 1..=MAX_QUERIES {
            let mut seen = [[0; 4]; 10];
            for unit in units(&layout, SHAPE, max_queries) {
                assert!(unit.num_queries() <= max_queries);
                for row in unit.rows() {
                    unit.heads.clone().for_each(|head| seen[row.row][head] += 1);
                }
            }
            assert_eq!(seen, [[1; 4]; 10]);
        }
    }

    #[test]
    fn forks_share_what_begins_both_tables() {
        let mut layout = Layout::default();
        push(&mut layout, 1, 33, &[0, 1, 2]);
        push(&mut layout, 1, 34, &[0, 1, 3]);
        push(&mut layout, 1, 60, &[0, 1, 4, 5]);
        push(&mut layout, 1, 60, &[0, 6, 4, 5]);
        let units: Vec<Unit> = units(&layout, SHAPE, 8).filter(|unit| unit.kv_head == 0).collect();
        let found = units.iter().map(|unit| (unit.rows().len(), unit.num_shared_blocks));
        assert_eq!(found.collect::<Vec<_>>(), [(3, 2), (1, 4)]);
        assert_eq!(units[0].visible(), 0..61);
    }
}
