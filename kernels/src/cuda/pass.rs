//! One pass on the device: where its metadata lies, and the lengths of its launches.
//!
//! Small passes, as decoding has them, are padded to a few sizes, so that their launches can be
//! recorded and replayed. Padding computes nothing that is read: padded rows have no slot, no item
//! of attention and no choice.

use std::cell::{Cell, RefCell};

use bytemuck::Zeroable;

use super::attention::{AttentionItem, AttentionMerge, AttentionQuery};
use super::attention_plan::{AttentionPlan, PlanShape};
use super::graphs::PassShape;
use super::head::{HeadChoice, NONE};
use super::memory::{Inputs, ROW_PADDING, Table};
use super::read_out::Asked;
use super::sample::Draw;
use super::staging::Staging;
use crate::layout::{BLOCK_LEN, Layout};
use crate::pass::{Part, PassInput};
use crate::runtime::{DeviceError, DevicePtr};

/// Passes of so many rows are padded and recorded. More rows take longer than their launches.
const MAX_RECORDED_ROWS: usize = 64;

const NO_CHOICE: HeadChoice =
    HeadChoice { row: NONE, forced: NONE, ban_list: NONE, logits_row: NONE, is_logprob: 0 };

const NO_MERGE: AttentionMerge = AttentionMerge { row: NONE, first_partial: 0, num_partials: 0 };

/// Blocks that are copied before anything else.
#[derive(Clone, Copy, Debug)]
pub struct StagedCopies {
    pub from: DevicePtr,
    pub to: DevicePtr,
    pub num_copies: u32,
}

/// The attention of some rows; see `attention_plan`.
#[derive(Clone, Copy, Debug)]
pub struct StagedAttention {
    pub few: DevicePtr,
    pub num_few: u32,
    pub many: DevicePtr,
    pub num_many: u32,
    pub queries: DevicePtr,
    pub blocks: DevicePtr,
    pub merges: DevicePtr,
    pub num_merges: u32,
}

/// All rows, or those that are read.
#[derive(Clone, Copy, Debug)]
pub struct StagedRows {
    pub num_rows: u32,
    pub positions: DevicePtr,
    pub attention: StagedAttention,
}

/// A chunk of what is wanted.
#[derive(Clone, Copy, Debug)]
pub struct StagedAsked {
    pub choices: DevicePtr,
    pub num_choices: u32,
    pub draws: DevicePtr,
    pub num_draws: u32,
    pub banned: DevicePtr,
    pub target_rows: DevicePtr,
    pub target_tokens: DevicePtr,
    pub num_targets: u32,
}

/// The pass that is running.
pub struct Pass {
    pub copies: StagedCopies,
    pub tokens: DevicePtr,
    pub slots: DevicePtr,
    pub read_rows: DevicePtr,
    pub asked: StagedAsked,
    all: StagedRows,
    /// `None` if all rows are read.
    read: Option<StagedRows>,
    /// The first failure of an operation: those after it do nothing.
    failure: RefCell<Option<DeviceError>>,
    /// Where the head finds its rows and weights, once it was told.
    pub head: Cell<Option<HeadSource>>,
}

/// What [`Backend::read_out`](crate::Backend::read_out) is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSource {
    pub hidden: DevicePtr,
    pub weights: DevicePtr,
    pub num_inputs: u32,
    pub vocab_len: u32,
}

impl HeadSource {
    /// The logits `hidden · headᵀ`.
    pub fn new(hidden: &Inputs, head: &Table) -> Self {
        assert_eq!(hidden.width, head.num_inputs as usize, "the head takes hidden rows");
        Self {
            hidden: hidden.first(0),
            weights: head.ptr(),
            num_inputs: head.num_inputs,
            vocab_len: head.num_outputs,
        }
    }
}

impl Pass {
    /// The rows of a part.
    pub fn rows(&self, part: Part) -> &StagedRows {
        match part {
            Part::All => &self.all,
            Part::Read => self.read.as_ref().expect("all rows are read"),
        }
    }

    /// Does `launch`, unless an operation failed before.
    pub fn run(&self, launch: impl FnOnce() -> Result<(), DeviceError>) {
        let mut failure = self.failure.borrow_mut();
        if failure.is_none() {
            *failure = launch().err();
        }
    }

    /// How an operation failed, if one did.
    pub fn failure(&self) -> Result<(), DeviceError> {
        self.failure.borrow().clone().map_or(Ok(()), Err)
    }
}

/// Lays passes out in the staging memory.
pub struct Stager {
    staging: Staging,
    attention: AttentionPlan,
    plan_shape: PlanShape,
    /// How long the sections of the last pass were.
    shape: PassShape,
    is_recorded: bool,
}

impl Stager {
    /// With room in `staging`; attention is planned for `plan_shape`.
    pub fn new(staging: Staging, plan_shape: PlanShape) -> Self {
        let (attention, shape) = (AttentionPlan::default(), PassShape::new());
        Self { staging, attention, plan_shape, shape, is_recorded: false }
    }

    /// Stages a pass, and uploads it.
    pub fn stage(&mut self, input: &PassInput<'_>, asked: &Asked) -> Result<Pass, DeviceError> {
        self.staging.clear();
        self.shape.clear();
        self.is_recorded = input.layout.num_rows() <= MAX_RECORDED_ROWS;
        let copies = self.stage_copies(input);
        let all = self.stage_rows(input.layout);
        let tokens: Vec<u32> = input.layout.tokens.iter().map(|token| token.0).collect();
        // Padding looks the first token up: it has a row in every table.
        let tokens = self.staging.push(&tokens, all.num_rows as usize, 0);
        let slots = slots(input.layout);
        let slots = self.staging.push(&slots, all.num_rows as usize, NONE);
        let read = match input.read_part() {
            Part::All => None,
            Part::Read => Some(self.stage_rows(&input.layout.select(input.read_rows))),
        };
        let num_read = read.map_or(0, |read| read.num_rows as usize);
        let listed = if read.is_some() { input.read_rows } else { &[] };
        let read_rows = self.staging.push(listed, num_read, NONE);
        let asked = self.stage_asked(asked);
        self.staging.upload()?;
        let (failure, head) = (RefCell::new(None), Cell::new(None));
        Ok(Pass { copies, tokens, slots, read_rows, asked, all, read, failure, head })
    }

    /// Stages a further chunk of what is wanted, over everything else, and uploads it.
    pub fn restage(&mut self, asked: &Asked) -> Result<StagedAsked, DeviceError> {
        self.staging.clear();
        let asked = self.stage_asked(asked);
        self.staging.upload()?;
        Ok(asked)
    }

    /// What the launches of the last pass depend on, if it may be recorded.
    pub fn shape(&self) -> Option<&PassShape> {
        self.is_recorded.then_some(&self.shape)
    }

    /// The length that a section of `len` is padded to.
    fn padded(&mut self, len: usize) -> usize {
        let padded = match len {
            0 => 0,
            len if self.is_recorded => len.next_power_of_two().max(4),
            len => len,
        };
        self.shape.push(padded as u32);
        padded
    }

    fn stage_copies(&mut self, input: &PassInput<'_>) -> StagedCopies {
        let len = self.padded(input.copies.len());
        let (from, to): (Vec<u32>, Vec<u32>) =
            input.copies.iter().map(|(from, to)| (from.0, to.0)).unzip();
        StagedCopies {
            from: self.staging.push(&from, len, NONE),
            to: self.staging.push(&to, len, NONE),
            num_copies: len as u32,
        }
    }

    fn stage_rows(&mut self, layout: &Layout) -> StagedRows {
        let num_rows = self.padded_rows(layout.num_rows());
        let positions = self.staging.push(&positions(layout), num_rows, 0);
        StagedRows { num_rows: num_rows as u32, positions, attention: self.stage_attention(layout) }
    }

    /// Rows are padded to whole fragments of the matrix products.
    fn padded_rows(&mut self, num_rows: usize) -> usize {
        let padded = match num_rows {
            3..=8 if self.is_recorded => num_rows.next_power_of_two(),
            9.. if self.is_recorded => num_rows.next_multiple_of(ROW_PADDING),
            _ => num_rows,
        };
        self.shape.push(padded as u32);
        padded
    }

    fn stage_attention(&mut self, layout: &Layout) -> StagedAttention {
        let mut plan = std::mem::take(&mut self.attention);
        plan.make(layout, &self.plan_shape);
        let blocks: Vec<u32> = layout.blocks.iter().map(|block| block.0).collect();
        let num_few = self.padded(plan.few.len());
        let num_many = self.padded(plan.many.len());
        let num_queries = self.padded(plan.queries.len());
        let num_blocks = self.padded(blocks.len());
        let num_merges = self.padded(plan.merges.len());
        let staging = &mut self.staging;
        let staged = StagedAttention {
            few: staging.push(&plan.few, num_few, AttentionItem::zeroed()),
            num_few: num_few as u32,
            many: staging.push(&plan.many, num_many, AttentionItem::zeroed()),
            num_many: num_many as u32,
            queries: staging.push(&plan.queries, num_queries, AttentionQuery::zeroed()),
            blocks: staging.push(&blocks, num_blocks, 0),
            merges: staging.push(&plan.merges, num_merges, NO_MERGE),
            num_merges: num_merges as u32,
        };
        self.attention = plan;
        staged
    }

    fn stage_asked(&mut self, asked: &Asked) -> StagedAsked {
        let num_choices = self.padded(asked.choices.len());
        let num_draws = self.padded(asked.draws.len());
        let num_banned = self.padded(asked.banned.len());
        let num_targets = self.padded(asked.target_rows.len());
        let no_draw = Draw { choice: NONE, ..Draw::zeroed() };
        let staging = &mut self.staging;
        StagedAsked {
            choices: staging.push(&asked.choices, num_choices, NO_CHOICE),
            num_choices: num_choices as u32,
            draws: staging.push(&asked.draws, num_draws, no_draw),
            num_draws: num_draws as u32,
            banned: staging.push(&asked.banned, num_banned, 0),
            target_rows: staging.push(&asked.target_rows, num_targets, NONE),
            target_tokens: staging.push(&asked.target_tokens, num_targets, 0),
            num_targets: num_targets as u32,
        }
    }
}

/// The position of every row.
fn positions(layout: &Layout) -> Vec<u32> {
    let rows = layout.segments.iter();
    rows.flat_map(|segment| segment.first_position as u32..segment.end_position() as u32).collect()
}

/// Where every row's key and value go: the block's first slot and the offset in it.
fn slots(layout: &Layout) -> Vec<u32> {
    let rows = layout.segments.iter().flat_map(|segment| {
        (segment.first_position..segment.end_position()).map(|position| {
            let (block, offset) = layout.slot(segment, position);
            block.0 * BLOCK_LEN as u32 + offset as u32
        })
    });
    rows.collect()
}
