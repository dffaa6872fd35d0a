//! A sequence: token ids whose keys and values are in the cache, and the blocks that hold them.
//!
//! [`Sequence::fork_at`] shares blocks instead of copying them. Only a block that is written while
//! shared is copied, and only the last, partly filled one can be.

use jump_kernels::{BLOCK_LEN, BlockId, TokenId};

use crate::block_pool::BlockPool;

/// Token ids and their block table: `blocks` are just as many as `tokens` need.
#[derive(Debug, Default)]
pub struct Sequence {
    tokens: Vec<TokenId>,
    blocks: Vec<BlockId>,
}

impl Sequence {
    /// The tokens.
    pub fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    /// The block table.
    pub fn blocks(&self) -> &[BlockId] {
        &self.blocks
    }

    /// A sequence of the first `len` tokens, sharing their blocks.
    #[must_use]
    pub fn fork_at(&self, len: usize, pool: &mut BlockPool) -> Self {
        assert!(len <= self.tokens.len(), "fork at {len} of {} tokens", self.tokens.len());
        let blocks = self.blocks[..len.div_ceil(BLOCK_LEN)].to_vec();
        for block in &blocks {
            pool.share(*block);
        }
        Self { tokens: self.tokens[..len].to_vec(), blocks }
    }

    /// Forgets all tokens from `len` on.
    pub fn truncate(&mut self, len: usize, pool: &mut BlockPool) {
        assert!(len <= self.tokens.len(), "truncate to {len} of {} tokens", self.tokens.len());
        self.tokens.truncate(len);
        for block in self.blocks.drain(len.div_ceil(BLOCK_LEN)..) {
            pool.release(block);
        }
    }

    /// Gives all blocks back.
    pub fn release(mut self, pool: &mut BlockPool) {
        self.truncate(0, pool);
    }

    /// Blocks that [`Sequence::append`] of `num_tokens` takes from the pool at most.
    pub fn num_blocks_to_append(&self, num_tokens: usize, pool: &BlockPool) -> usize {
        let num_needed = (self.tokens.len() + num_tokens).div_ceil(BLOCK_LEN);
        num_needed - self.blocks.len() + usize::from(self.shared_partial_block(pool).is_some())
    }

    /// Appends `tokens`, whose keys and values are about to be written. Pushes to `copies` the
    /// block that has to be copied before, as `(from, to)`.
    ///
    /// The pool must have [`Sequence::num_blocks_to_append`] free blocks.
    pub fn append(
        &mut self,
        tokens: &[TokenId],
        pool: &mut BlockPool,
        copies: &mut Vec<(BlockId, BlockId)>,
    ) {
        let mut acquire = || pool.acquire().expect("the caller made sure of free blocks");
        let num_needed = (self.tokens.len() + tokens.len()).div_ceil(BLOCK_LEN);
        let fresh: Vec<_> = (self.blocks.len()..num_needed).map(|_| acquire()).collect();
        if let Some(shared) = self.shared_partial_block(pool) {
            let copy = pool.acquire().expect("the caller made sure of free blocks");
            copies.push((shared, copy));
            pool.release(shared);
            *self.blocks.last_mut().expect("it has a partial block") = copy;
        }
        self.blocks.extend(fresh);
        self.tokens.extend_from_slice(tokens);
    }

    /// The last block, if it has room left and other holders.
    fn shared_partial_block(&self, pool: &BlockPool) -> Option<BlockId> {
        let last = *self.blocks.last()?;
        let is_partial = !self.tokens.len().is_multiple_of(BLOCK_LEN);
        (is_partial && pool.is_shared(last)).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// What lies in the cache, by block and offset: what a device would hold.
    #[derive(Default)]
    struct Memory(HashMap<(BlockId, usize), TokenId>);

    impl Memory {
        fn run(&mut self, sequence: &Sequence, start: usize, copies: &[(BlockId, BlockId)]) {
            for (from, to) in copies {
                for offset in 0..BLOCK_LEN {
                    if let Some(token) = self.0.get(&(*from, offset)).copied() {
                        self.0.insert((*to, offset), token);
                    }
                }
            }
            for (position, token) in sequence.tokens().iter().enumerate().skip(start) {
                let block = sequence.blocks()[position / BLOCK_LEN];
                self.0.insert((block, position % BLOCK_LEN), *token);
            }
        }

        fn holds(&self, sequence: &Sequence) -> bool {
            sequence.tokens().iter().enumerate().all(|(position, token)| {
                let block = sequence.blocks()[position / BLOCK_LEN];
                self.0.get(&(block, position % BLOCK_LEN)) == Some(token)
            })
        }
    }

    proptest! {
        /// Whatever is forked, cut and appended: every sequence finds its own tokens in the cache.
        #[test]
        fn forks_never_see_each_other(
            ops in prop::collection::vec((0..4_u8, any::<usize>(), 0..40_usize), 1..200),
        ) {
            let mut pool = BlockPool::new(4096);
            let mut memory = Memory::default();
            let mut sequences = vec![Sequence::default()];
            let mut next_token = 0;
            for (op, pick, len) in ops {
                let picked = pick % sequences.len();
                let num_tokens = sequences[picked].tokens().len();
                match op {
                    0 => {
                        let fork = sequences[picked].fork_at(len.min(num_tokens), &mut pool);
                        sequences.push(fork);
                    }
                    1 => sequences[picked].truncate(len.min(num_tokens), &mut pool),
                    2 if sequences.len() > 1 => sequences.swap_remove(picked).release(&mut pool),
                    _ => {
                        let ids = next_token..next_token + len as u32;
                        let tokens: Vec<_> = ids.map(TokenId).collect();
                        next_token += len as u32;
                        let sequence = &mut sequences[picked];
                        let most = sequence.num_blocks_to_append(len, &pool);
                        let before = pool.num_free();
                        let mut copies = Vec::new();
                        if len > 0 {
                            sequence.append(&tokens, &mut pool, &mut copies);
                            prop_assert!(before <= pool.num_free() + most);
                        }
                        memory.run(sequence, num_tokens, &copies);
                    }
                }
                prop_assert!(sequences.iter().all(|sequence| memory.holds(sequence)));
            }
            for sequence in sequences {
                sequence.release(&mut pool);
            }
        }
    }
}
