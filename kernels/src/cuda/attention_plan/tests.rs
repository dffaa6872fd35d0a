//! Plans: each key once for each row that sees it, in order, whatever is stacked.

use proptest::prelude::*;

use super::*;
use crate::layout::TokenId;

const SHAPE: PlanShape = PlanShape {
    num_heads: 4,
    num_kv_heads: 1,
    window: None,
    num_processors: u32::MAX,
    takes_spans: true,
    grouping: Grouping::Always,
};

/// Adds a sequence of new blocks behind the first `num_shared` of `from`.
fn push(
    layout: &mut Layout,
    from: &[BlockId],
    num_shared: usize,
    first_position: usize,
    num_rows: usize,
) -> Vec<BlockId> {
    let mut blocks = from[..num_shared.min(from.len())].to_vec();
    let num_blocks = (first_position + num_rows).div_ceil(BLOCK_LEN);
    let first_new = layout.blocks.len() as u32 * 1000;
    blocks.extend((0..num_blocks as u32).map(|i| BlockId(first_new + i)));
    layout.push(&vec![TokenId(0); num_rows], first_position, &blocks);
    blocks
}

fn plan_of(layout: &Layout, shape: &PlanShape) -> AttentionPlan {
    let mut plan = AttentionPlan::default();
    plan.make(layout, shape);
    plan
}

/// Leaves that a row's parts have, in their order, as (partial, leaves, goes on with a span).
fn parts_of(plan: &AttentionPlan, layout: &Layout, row: u32) -> Vec<(u32, Range<u32>, bool)> {
    let mut parts = Vec::new();
    for item in plan.few.iter().chain(&plan.many) {
        let queries = item.first_query..item.first_query + item.num_queries;
        let segment = layout.segments.iter().find(|segment| segment.rows.contains(&(row as usize)));
        let table = &layout.blocks[segment.expect("a row of a segment").blocks.clone()];
        for query in &plan.queries[queries.start as usize..queries.end as usize] {
            if query.row != row {
                continue;
            }
            let seen = item.begin as usize / BLOCK_LEN..(item.end as usize).div_ceil(BLOCK_LEN);
            let from_start = &layout.blocks[item.first_block as usize..];
            assert_eq!(from_start[seen.clone()], table[seen], "the row's own blocks");
            let leaves = item.begin / LEAF_LEN..item.end.div_ceil(LEAF_LEN);
            if item.is_rest == 0 {
                parts.push((query.partial, leaves, false));
            } else {
                let partial = |leaf| query.partial.wrapping_add(leaf - leaves.start);
                parts.extend(leaves.clone().map(|leaf| (partial(leaf), leaf..leaf + 1, true)));
            }
        }
    }
    parts.sort_by_key(|(_, leaves, _)| leaves.start);
    parts
}

/// Each leaf that a row sees is in exactly one of its parts; these are in order, none but a rest
/// begins inside a span, and none but a whole result goes beyond its span.
fn check(layout: &Layout, shape: &PlanShape) {
    let plan = plan_of(layout, shape);
    let mut num_partials = 0;
    for row in 0..layout.num_rows() as u32 {
        let parts = parts_of(&plan, layout, row);
        let position = plan.positions[row as usize];
        let seen = shape.first_key(position) / LEAF_LEN..position / LEAF_LEN + 1;
        let mut next = parts[0].1.start;
        assert!(next <= seen.start, "row {row} sees its first leaf");
        let merge = plan.merges.iter().find(|merge| merge.row == row);
        assert_eq!(merge.map_or(1, |merge| merge.num_partials), parts.len() as u32);
        for (i, (partial, leaves, is_rest)) in parts.iter().enumerate() {
            let first = merge.map_or(u32::MAX, |merge| merge.first_partial + i as u32);
            assert_eq!((*partial, leaves.start), (first, next), "row {row}");
            let is_span_start = leaves.start % (SPAN_LEN / LEAF_LEN) == 0;
            assert!(is_span_start || *is_rest || i == 0, "row {row}: {parts:?}");
            let last_span = (leaves.end - 1) / (SPAN_LEN / LEAF_LEN);
            let is_one_span = leaves.start / (SPAN_LEN / LEAF_LEN) == last_span;
            assert!(is_one_span || parts.len() == 1, "row {row}: {parts:?}");
            next = leaves.end;
        }
        assert!(next >= seen.end, "row {row} sees its last leaf");
        num_partials += merge.map_or(0, |merge| merge.num_partials);
    }
    assert_eq!(plan.num_partials, num_partials);
    for (items, max_rows) in [(&plan.few, FEW_ROWS), (&plan.many, MANY_ROWS)] {
        for item in items {
            assert!(item.num_queries >= 1 && item.num_queries * shape.group_len() <= max_rows);
        }
    }
}

proptest! {
    #[test]
    fn each_row_attends_to_each_leaf_once(
        forks in prop::collection::vec(
            (0..8_usize, 0..60_usize, 0..900_usize, 1..80_usize), 1..10),
        window in prop::option::of(1..600_u32),
        fills in any::<bool>(),
        grouping in prop::sample::select(
            vec![Grouping::Off, Grouping::WherePays, Grouping::Always]),
    ) {
        let mut layout = Layout::default();
        let mut tables: Vec<Vec<BlockId>> = vec![Vec::new()];
        for (parent, num_shared, first_position, num_rows) in forks {
            let parent = tables[parent % tables.len()].clone();
            // Some segments are as short as those of decoding.
            let num_rows = if num_rows > 40 { 1 } else { num_rows };
            tables.push(push(&mut layout, &parent, num_shared, first_position, num_rows));
        }
        let num_processors = if fills { 1 } else { u32::MAX };
        check(&layout, &PlanShape { window, num_processors, grouping, ..SHAPE });
    }
}

#[test]
fn branches_read_what_they_share_once() {
    let mut layout = Layout::default();
    let stem = push(&mut layout, &[], 0, 500, 1);
    for i in 0..3 {
        push(&mut layout, &stem, 26, 440 + i, 1);
    }
    let plan = plan_of(&layout, &SHAPE);
    let keys = |items: &[AttentionItem]| -> Vec<(u32, u32, u32)> {
        items.iter().map(|item| (item.num_queries, item.begin, item.end)).collect()
    };
    // 26 blocks are 416 tokens: a span, and two leaves of the next.
    let rests = [(1, 384, 501), (1, 384, 441), (1, 384, 442), (1, 384, 443)];
    let mut expected = vec![(4, 0, 256), (4, 256, 384)];
    expected.extend(rests);
    let mut found = keys(&plan.few);
    found.sort_unstable_by_key(|(num, begin, end)| (*begin, std::cmp::Reverse(*num), *end));
    expected.sort_unstable_by_key(|(num, begin, end)| (*begin, std::cmp::Reverse(*num), *end));
    assert_eq!(found, expected);
    assert_eq!(plan.num_partials, 4 * 2 + 2 + 3);
    let alone = plan_of(&layout, &PlanShape { grouping: Grouping::Off, ..SHAPE });
    assert_eq!((alone.few.len(), alone.num_partials), (8, 8));
}

#[test]
fn long_prefills_have_nothing_to_merge() {
    let mut layout = Layout::default();
    push(&mut layout, &[], 0, 1000, 512);
    let shape = PlanShape { num_processors: 32, ..SHAPE };
    let plan = plan_of(&layout, &shape);
    assert_eq!((plan.few.len(), plan.many.len(), plan.merges.len()), (0, 32, 0));
    let shape = PlanShape { num_processors: 33, ..SHAPE };
    assert_eq!(plan_of(&layout, &shape).merges.len(), 512);
}
