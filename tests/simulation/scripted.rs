//! A language model without arithmetic: sequences, blocks, forks and copies are the engine's own,
//! but what a block holds are [`Reading`]s, each made of the one before it *in the cache*. So a
//! block that is shared, copied or given out wrongly changes what is read from it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use jump_engine::{
    EngineError, EngineSize, LanguageModel, NextOutcome, Outcome, SequenceId, Sequences, Work,
};
use jump_kernels::{BLOCK_LEN, BlockId, TokenId};

use super::script::{Reading, Script};

/// What a test sees and steers of a model that it has given away.
#[derive(Default)]
pub struct Probe {
    /// The next step fails.
    pub fails_next: Cell<bool>,
    /// Steps that failed.
    pub num_failures: Cell<usize>,
    /// Drafts of which a token was right, and of which one was wrong.
    pub num_accepted: Cell<usize>,
    pub num_rejected: Cell<usize>,
    /// The sequences that there are.
    pub live: RefCell<HashSet<SequenceId>>,
    /// Blocks that no sequence holds.
    pub num_free_blocks: Cell<usize>,
    /// Blocks in use at most.
    pub peak_blocks: Cell<usize>,
}

impl Probe {
    /// Have all sequences and all of `num_blocks` been given back?
    pub fn is_at_rest(&self, num_blocks: usize) -> bool {
        self.live.borrow().is_empty() && self.num_free_blocks.get() == num_blocks
    }
}

/// The model.
pub struct Scripted {
    script: Rc<Script>,
    beginning: Reading,
    sequences: Sequences,
    /// By block and place in it.
    cache: Vec<[Reading; BLOCK_LEN]>,
    copies: Vec<(BlockId, BlockId)>,
    probe: Rc<Probe>,
    /// Is the whole cache looked at in every step?
    is_strict: bool,
}

impl Scripted {
    /// A model that writes as `script` does, with a `salt` of its own.
    pub fn new(script: Rc<Script>, salt: u64, size: EngineSize, is_strict: bool) -> Self {
        let probe = Probe::default();
        probe.num_free_blocks.set(size.num_blocks);
        Self {
            script,
            beginning: Reading::new(salt),
            sequences: Sequences::new(size),
            cache: vec![[Reading::default(); BLOCK_LEN]; size.num_blocks],
            copies: Vec::new(),
            probe: Rc::new(probe),
            is_strict,
        }
    }

    /// What a test keeps of it.
    pub fn probe(&self) -> Rc<Probe> {
        Rc::clone(&self.probe)
    }

    /// Appends all works' tokens, then copies blocks, then writes: as the engine does.
    fn run(&mut self, work: &[Work]) -> Vec<Vec<Reading>> {
        self.copies.clear();
        for work in work {
            self.sequences.append(work, &mut self.copies);
        }
        for (from, to) in &self.copies {
            self.cache[to.0 as usize] = self.cache[from.0 as usize];
        }
        work.iter().map(|work| self.write(work)).collect()
    }

    /// Reads the work's tokens after what the cache holds; gives what is known after each.
    fn write(&mut self, work: &Work) -> Vec<Reading> {
        let sequence = self.sequences.get(work.sequence);
        let first = sequence.tokens().len() - work.tokens.len();
        let place = |position: usize| {
            (sequence.blocks()[position / BLOCK_LEN].0 as usize, position % BLOCK_LEN)
        };
        let mut reading = first.checked_sub(1).map_or(self.beginning, |before| {
            let (block, slot) = place(before);
            self.cache[block][slot]
        });
        let mut readings = Vec::with_capacity(work.tokens.len());
        for (row, token) in work.tokens.iter().enumerate() {
            reading = reading.read(*token, &self.script.vocabulary);
            let (block, slot) = place(first + row);
            self.cache[block][slot] = reading;
            readings.push(reading);
        }
        readings
    }

    fn outcome(&self, work: &Work, readings: &[Reading]) -> Outcome {
        let score = |target: &jump_engine::ScoreTarget| {
            readings[target.after].score(target.token, work.score)
        };
        let scores = work.targets.iter().map(score).collect();
        let next = work.next.as_ref().map(|next| {
            assert!(next.banned.is_empty(), "nothing is banned so far");
            let drafted = &work.tokens[work.tokens.len() - next.draft_len..];
            let (mut accepted, mut place) = (Vec::new(), 0);
            loop {
                let reading = &readings[work.tokens.len() - 1 - next.draft_len + place];
                let forced = next.forced.get(place).copied();
                let chosen = self.script.chosen(reading, forced, next.sampling, work.score);
                if drafted.get(place) != Some(&chosen.token) {
                    return NextOutcome { accepted, chosen };
                }
                accepted.push(chosen);
                place += 1;
            }
        });
        self.count(work, next.as_ref());
        Outcome { scores, next }
    }

    fn count(&self, work: &Work, next: Option<&NextOutcome>) {
        let add = |counter: &Cell<usize>, num| counter.set(counter.get() + num);
        let draft_len = work.next.as_ref().map_or(0, |next| next.draft_len);
        let num_accepted = next.map_or(0, |next| next.accepted.len());
        add(&self.probe.num_accepted, usize::from(num_accepted > 0));
        add(&self.probe.num_rejected, usize::from(num_accepted < draft_len));
    }

    /// Does every sequence find its own tokens in the cache, and do the pool's numbers agree with
    /// the sequences' tables?
    fn look_at_everything(&self) {
        let (mut held, mut num_held) = (HashSet::<BlockId>::new(), 0);
        for id in self.probe.live.borrow().iter() {
            let sequence = self.sequences.get(*id);
            num_held += sequence.blocks().len();
            held.extend(sequence.blocks());
            let mut reading = self.beginning;
            for (position, token) in sequence.tokens().iter().enumerate() {
                reading = reading.read(*token, &self.script.vocabulary);
                let block = sequence.blocks()[position / BLOCK_LEN].0 as usize;
                let found = self.cache[block][position % BLOCK_LEN];
                assert!(found == reading, "{id:?} doesn't find token {position} in the cache");
            }
        }
        let pool = self.sequences.pool();
        assert_eq!((pool.num_live(), pool.num_held()), (held.len(), num_held), "live and held");
        assert_eq!(pool.num_free() + held.len(), pool.num_blocks(), "free and live are all");
    }

    /// After every change of a sequence.
    fn note_blocks(&self) {
        self.probe.num_free_blocks.set(self.sequences.pool().num_free());
    }
}

impl LanguageModel for Scripted {
    fn size(&self) -> EngineSize {
        self.sequences.size()
    }

    fn num_free_blocks(&self) -> usize {
        self.sequences.pool().num_free()
    }

    fn num_held_blocks(&self) -> usize {
        self.sequences.pool().num_held()
    }

    fn num_blocks_to_append(&self, id: SequenceId, num_tokens: usize) -> usize {
        self.sequences.num_blocks_to_append(id, num_tokens)
    }

    fn new_sequence(&mut self) -> SequenceId {
        let id = self.sequences.add();
        assert!(self.probe.live.borrow_mut().insert(id), "{id:?} is a new name");
        id
    }

    fn tokens(&self, id: SequenceId) -> &[TokenId] {
        self.sequences.get(id).tokens()
    }

    fn fork_at(&mut self, id: SequenceId, len: usize) -> SequenceId {
        let fork = self.sequences.fork_at(id, len);
        assert!(self.probe.live.borrow_mut().insert(fork), "{fork:?} is a new name");
        fork
    }

    fn truncate(&mut self, id: SequenceId, len: usize) {
        self.sequences.truncate(id, len);
        self.note_blocks();
    }

    fn release(&mut self, id: SequenceId) {
        self.sequences.release(id);
        assert!(self.probe.live.borrow_mut().remove(&id), "{id:?} was there");
        self.note_blocks();
    }

    fn step(&mut self, work: &[Work]) -> Result<Vec<Outcome>, EngineError> {
        self.sequences.check(work)?;
        if self.probe.fails_next.take() {
            self.probe.num_failures.set(self.probe.num_failures.get() + 1);
            return Err(EngineError::TooManyRows { rows: 0, max_rows: 0 });
        }
        let readings = self.run(work);
        self.probe.peak_blocks.set(self.probe.peak_blocks.get().max(self.num_live_blocks()));
        let outcomes: Vec<Outcome> = work
            .iter()
            .zip(&readings)
            .map(|(work, readings)| self.outcome(work, readings))
            .collect();
        if self.is_strict {
            self.look_at_everything();
        }
        for (work, outcome) in work.iter().zip(&outcomes) {
            self.sequences.drop_rejected(work, outcome);
        }
        self.note_blocks();
        Ok(outcomes)
    }
}
