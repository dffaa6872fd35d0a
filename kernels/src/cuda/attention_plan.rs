//! Which rows attend to which keys in which launch: a pure function of a pass's layout.
//!
//! A row's result is a merge of its spans' results, and a span's of its leaves'. An item computes
//! one span for some rows, which are stacked as rows of a matrix tile and read its keys once. Whose
//! rows these are is free: those of one sequence, or of several whose block tables agree in the
//! span. Where they part inside a span, they share its first leaves, and each goes on alone: the
//! rest's leaves are partial results of their own, which are merged in the same order.
//!
//! Long prefills fill the device without cutting the keys; then an item takes all spans of its
//! rows, and there is nothing to merge.

use std::ops::Range;

use super::attention::{
    AttentionItem, AttentionMerge, AttentionQuery, FEW_ROWS, LEAF_LEN, MANY_ROWS, SPAN_LEN,
};
use crate::layout::{BLOCK_LEN, BlockId, Layout, Segment};

/// What an item's cut depends on besides the layout.
#[derive(Clone, Copy, Debug)]
pub struct PlanShape {
    /// Query heads.
    pub num_heads: u32,
    /// Key heads.
    pub num_kv_heads: u32,
    /// Positions that a row sees at most, its own included.
    pub window: Option<u32>,
    /// Processors of the device.
    pub num_processors: u32,
    /// Whether items may have several spans; see [`takes_spans`](super::attention::takes_spans).
    pub takes_spans: bool,
    /// Which sequences are stacked.
    pub grouping: Grouping,
}

impl PlanShape {
    /// Query heads that share a key head: stacked rows of one row.
    fn group_len(&self) -> u32 {
        self.num_heads / self.num_kv_heads
    }

    /// Rows that an item of `attention_few` takes.
    fn rows_per_few(&self) -> u32 {
        FEW_ROWS / self.group_len()
    }

    /// Rows that an item of `attention_many` takes.
    fn rows_per_many(&self) -> u32 {
        MANY_ROWS / self.group_len()
    }

    /// The first position that a row at `position` sees.
    fn first_key(&self, position: u32) -> u32 {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }
}

/// Which sequences that share blocks are stacked. It changes no bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// None.
    Off,
    /// Those that share enough.
    #[default]
    WherePays,
    /// All that share a leaf.
    Always,
}

impl Grouping {
    /// Whether sequences that share so many tokens are stacked.
    fn takes(self, num_shared_tokens: u32) -> bool {
        match self {
            Self::Off => false,
            Self::WherePays => grouping_pays(num_shared_tokens),
            Self::Always => true,
        }
    }
}

/// Whether stacking the rows of sequences that share so many tokens pays: their keys are read once,
/// but the partial results are more. `jumpcoder bench kernels` measures where it turns; published
/// measurements of such cascades have it between 128 and 512 tokens.
pub fn grouping_pays(num_shared_tokens: u32) -> bool {
    const MIN_SHARED_TOKENS: u32 = 256;
    num_shared_tokens >= MIN_SHARED_TOKENS
}

/// Whether items of all spans are enough to fill the device: one for each processor at least.
fn fills_device(num_items: u32, shape: &PlanShape) -> bool {
    num_items * shape.num_kv_heads >= shape.num_processors
}

/// Items that a row is in at most: one a span, and one more where a span is cut.
fn max_items_of_row(context_len: u32) -> u32 {
    context_len.div_ceil(SPAN_LEN) + 1
}

/// Queries of a plan at most; there are no more items than that.
pub fn max_queries(max_rows: u32, context_len: u32) -> u32 {
    max_rows * max_items_of_row(context_len)
}

/// Partial results of a plan at most: one a span, and of one span that is cut all leaves but the
/// first.
pub fn max_partials(max_rows: u32, context_len: u32) -> u32 {
    max_rows * (context_len.div_ceil(SPAN_LEN) + SPAN_LEN / LEAF_LEN - 1)
}

/// The plan of a pass, the same for all layers. Its memory is kept from pass to pass.
#[derive(Debug, Default)]
pub struct AttentionPlan {
    /// The items of `attention_few`.
    pub few: Vec<AttentionItem>,
    /// The items of `attention_many`.
    pub many: Vec<AttentionItem>,
    /// The queries of both. Block tables are those of the layout.
    pub queries: Vec<AttentionQuery>,
    /// The rows with several partial results.
    pub merges: Vec<AttentionMerge>,
    /// Partial results of all rows.
    pub num_partials: u32,
    /// Segments, so that those that share blocks follow each other.
    order: Vec<usize>,
    /// Leaves that a segment of `order` shares with the next one; 0 if they aren't stacked.
    num_shared: Vec<u32>,
    /// The position of each row.
    positions: Vec<u32>,
    /// Of each row, its parts so far; then its first partial, or `u32::MAX` if it's in one part.
    parts: Vec<u32>,
}

impl AttentionPlan {
    /// Plans a pass.
    pub fn make(&mut self, layout: &Layout, shape: &PlanShape) {
        assert!(shape.num_heads.is_multiple_of(shape.num_kv_heads), "heads share evenly");
        assert!(shape.group_len() <= MANY_ROWS, "a row's heads are in one tile");
        assert!(shape.window != Some(0), "a row sees itself");
        self.clear(layout);
        self.sort(layout, shape);
        self.plan_wholes(layout, shape);
        let context_len = self.positions.iter().max().map_or(0, |position| position + 1);
        for span in 0..context_len.div_ceil(SPAN_LEN) {
            self.plan_span(layout, shape, span);
        }
        self.number_partials();
        let num_rows = layout.num_rows() as u32;
        assert!(self.num_partials <= max_partials(num_rows, context_len), "partials");
        assert!(self.queries.len() as u32 <= max_queries(num_rows, context_len), "queries");
    }

    fn clear(&mut self, layout: &Layout) {
        self.few.clear();
        self.many.clear();
        self.queries.clear();
        self.merges.clear();
        self.num_partials = 0;
        self.positions.clear();
        for segment in &layout.segments {
            assert_eq!(segment.rows.start, self.positions.len(), "segments follow each other");
            let positions = segment.first_position..segment.end_position();
            self.positions.extend(positions.map(|position| position as u32));
        }
        self.parts.clear();
        self.parts.resize(self.positions.len(), 0);
    }

    /// Brings segments together that share blocks.
    fn sort(&mut self, layout: &Layout, shape: &PlanShape) {
        self.order.clear();
        self.order.extend(0..layout.segments.len());
        self.order.sort_unstable_by_key(|i| (table(layout, *i), *i));
        self.num_shared.clear();
        self.num_shared.extend(self.order.windows(2).map(|pair| {
            let num_tokens = num_shared_tokens(layout, pair[0], pair[1]);
            if shape.grouping.takes(num_tokens) { num_tokens / LEAF_LEN } else { 0 }
        }));
        self.num_shared.push(0);
    }

    /// Gives the long segments that share nothing items of all their spans, if these are enough.
    fn plan_wholes(&mut self, layout: &Layout, shape: &PlanShape) {
        let is_whole = |plan: &Self, at: usize| {
            let segment = &layout.segments[plan.order[at]];
            let is_alone = plan.num_shared[at] == 0 && (at == 0 || plan.num_shared[at - 1] == 0);
            is_alone && !is_short(segment, shape)
        };
        let wholes = (0..self.order.len()).filter(|at| is_whole(self, *at));
        let num_rows = wholes.map(|at| layout.segments[self.order[at]].rows.len() as u32);
        let num_items = num_rows.map(|num_rows| num_rows.div_ceil(shape.rows_per_many())).sum();
        if !shape.takes_spans || !fills_device(num_items, shape) {
            return;
        }
        let mut at = 0;
        while at < self.order.len() {
            if is_whole(self, at) {
                let end = layout.segments[self.order[at]].end_position() as u32;
                self.push_items(layout, shape, at..at + 1, 0..end, false);
                self.order.remove(at);
                self.num_shared.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Plans the items of a span.
    fn plan_span(&mut self, layout: &Layout, shape: &PlanShape, span: u32) {
        let keys = span * SPAN_LEN..(span + 1) * SPAN_LEN;
        let mut at = 0;
        while at < self.order.len() {
            let mut end = at + 1;
            while self.num_shared[end - 1] * LEAF_LEN >= keys.end {
                end += 1;
            }
            if end - at == 1 {
                end = self.plan_parting(layout, shape, at, keys.clone());
            } else {
                self.push_items(layout, shape, at..end, keys.clone(), false);
            }
            at = end;
        }
    }

    /// Plans a span for the segment `at` and those behind it that share only its first leaves, and
    /// tells where they end. Long segments have rows enough of their own.
    fn plan_parting(
        &mut self,
        layout: &Layout,
        shape: &PlanShape,
        at: usize,
        keys: Range<u32>,
    ) -> usize {
        let num_shared = |plan: &Self, i: usize| plan.num_shared[i] * LEAF_LEN;
        let is_short = |plan: &Self, i: usize| is_short(&layout.segments[plan.order[i]], shape);
        let mut end = at + 1;
        let mut parting = keys.end;
        while num_shared(self, end - 1) > keys.start
            && num_shared(self, end) < keys.end
            && is_short(self, end - 1)
            && is_short(self, end)
        {
            parting = parting.min(num_shared(self, end - 1));
            end += 1;
        }
        self.push_items(layout, shape, at..end, keys.start..parting, false);
        if parting < keys.end {
            for i in at..end {
                self.push_items(layout, shape, i..i + 1, parting..keys.end, true);
            }
        }
        end
    }

    /// Cuts the rows of segments that see any of `keys`, and share these, into items.
    fn push_items(
        &mut self,
        layout: &Layout,
        shape: &PlanShape,
        members: Range<usize>,
        keys: Range<u32>,
        is_rest: bool,
    ) {
        let first_block = layout.segments[self.order[members.start]].blocks.start as u32;
        let mut first = self.queries.len();
        for i in &self.order[members] {
            let rows = rows_that_see(&layout.segments[*i], &keys, shape);
            self.queries.extend(rows.map(|row| AttentionQuery { row, partial: 0 }));
        }
        while first < self.queries.len() {
            let num_left = (self.queries.len() - first) as u32;
            let is_few = num_left <= shape.rows_per_few() && keys.end - keys.start <= SPAN_LEN;
            let num = if is_few { num_left } else { num_left.min(shape.rows_per_many()) };
            assert!(is_few || !is_rest, "only few rows go on with a span");
            let item = self.item(first, num, first_block, &keys, is_rest, shape);
            if is_few { &mut self.few } else { &mut self.many }.push(item);
            first += num as usize;
        }
    }

    /// The item of some queries, which get their places among their rows' parts.
    fn item(
        &mut self,
        first: usize,
        num: u32,
        first_block: u32,
        keys: &Range<u32>,
        is_rest: bool,
        shape: &PlanShape,
    ) -> AttentionItem {
        let queries = &mut self.queries[first..first + num as usize];
        let positions = queries.iter().map(|query| self.positions[query.row as usize]);
        let last_key = positions.clone().max().expect("an item has rows");
        let first_key = positions.map(|position| shape.first_key(position)).min();
        let first_leaf = first_key.expect("an item has rows") / LEAF_LEN * LEAF_LEN;
        let (begin, end) = (keys.start.max(first_leaf), keys.end.min(last_key + 1));
        for query in queries {
            let part = &mut self.parts[query.row as usize];
            query.partial = *part;
            *part += if is_rest { (end - begin).div_ceil(LEAF_LEN) } else { 1 };
        }
        let (first_query, is_rest) = (first as u32, u32::from(is_rest));
        AttentionItem { first_query, num_queries: num, first_block, begin, end, is_rest }
    }

    /// Numbers the partial results, those of a row one after the other.
    fn number_partials(&mut self) {
        for (row, parts) in self.parts.iter_mut().enumerate() {
            let (row, num_partials) = (row as u32, *parts);
            assert!(num_partials > 0, "row {row} attends to nothing");
            *parts = u32::MAX;
            if num_partials > 1 {
                *parts = self.num_partials;
                let first_partial = self.num_partials;
                self.merges.push(AttentionMerge { row, first_partial, num_partials });
                self.num_partials += num_partials;
            }
        }
        for query in &mut self.queries {
            let first = self.parts[query.row as usize];
            query.partial = if first == u32::MAX { u32::MAX } else { first + query.partial };
        }
    }
}

/// The blocks of a segment's sequence.
fn table(layout: &Layout, segment: usize) -> &[BlockId] {
    &layout.blocks[layout.segments[segment].blocks.clone()]
}

/// The tokens in the blocks with which both sequences begin.
fn num_shared_tokens(layout: &Layout, a: usize, b: usize) -> u32 {
    let pairs = table(layout, a).iter().zip(table(layout, b));
    (pairs.take_while(|(a, b)| a == b).count() * BLOCK_LEN) as u32
}

/// Whether all rows of a segment fit in one item of `attention_few`.
fn is_short(segment: &Segment, shape: &PlanShape) -> bool {
    segment.rows.len() as u32 <= shape.rows_per_few()
}

/// The rows of a segment that see any of `keys`.
fn rows_that_see(segment: &Segment, keys: &Range<u32>, shape: &PlanShape) -> Range<u32> {
    let first_position = segment.first_position as u32;
    let begin = first_position.max(keys.start);
    let beyond = shape.window.map_or(u32::MAX, |window| keys.end.saturating_add(window - 1));
    let end = (segment.end_position() as u32).min(beyond).max(begin);
    let first_row = segment.rows.start as u32;
    first_row + begin - first_position..first_row + end - first_position
}

#[cfg(test)]
mod tests;
