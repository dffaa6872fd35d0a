//! The KV blocks of an engine: who holds which.
//!
//! A block's life: [`BlockPool::acquire`] takes it from the free list for one holder;
//! [`BlockPool::share`] adds a holder (a fork); [`BlockPool::release`] takes one away, and the last
//! one returns the block to the free list. A block with several holders is never written: its
//! writer takes a copy first.
//!
//! **Invariant:** every block is either free or has at least one holder, so free + live = total. A
//! pool that is dropped asserts that all blocks came back.

use jump_kernels::BlockId;

/// The free list and the holders of every block.
#[derive(Debug)]
pub struct BlockPool {
    /// Used as a stack: a block that was just freed is still in the processor's cache.
    free: Vec<BlockId>,
    num_holders: Vec<u32>,
    /// The sum of `num_holders`.
    num_held: usize,
}

impl BlockPool {
    /// A pool of `num_blocks` free blocks.
    pub fn new(num_blocks: usize) -> Self {
        let last = u32::try_from(num_blocks).expect("block ids are 32 bits");
        let free = (0..last).rev().map(BlockId).collect();
        Self { free, num_holders: vec![0; num_blocks], num_held: 0 }
    }

    /// All blocks.
    pub fn num_blocks(&self) -> usize {
        self.num_holders.len()
    }

    /// Blocks that nobody holds.
    pub fn num_free(&self) -> usize {
        self.free.len()
    }

    /// Blocks that somebody holds.
    pub fn num_live(&self) -> usize {
        self.num_blocks() - self.num_free()
    }

    /// Live blocks, each counted once for every holder.
    pub fn num_held(&self) -> usize {
        self.num_held
    }

    /// A free block, now with one holder; `None` if there is none.
    pub fn acquire(&mut self) -> Option<BlockId> {
        let block = self.free.pop()?;
        let num_holders = &mut self.num_holders[block.0 as usize];
        assert_eq!(*num_holders, 0, "{block:?} was free and held");
        *num_holders = 1;
        self.num_held += 1;
        Some(block)
    }

    /// Adds a holder to a live block.
    pub fn share(&mut self, block: BlockId) {
        let num_holders = &mut self.num_holders[block.0 as usize];
        assert!(*num_holders > 0, "{block:?} is free and can't be shared");
        *num_holders += 1;
        self.num_held += 1;
    }

    /// Takes one holder away from a live block.
    pub fn release(&mut self, block: BlockId) {
        let num_holders = &mut self.num_holders[block.0 as usize];
        assert!(*num_holders > 0, "{block:?} was released more often than held");
        *num_holders -= 1;
        self.num_held -= 1;
        if *num_holders == 0 {
            self.free.push(block);
        }
    }

    /// Has the block more than one holder?
    pub fn is_shared(&self, block: BlockId) -> bool {
        self.num_holders[block.0 as usize] > 1
    }
}

impl Drop for BlockPool {
    fn drop(&mut self) {
        // While unwinding, sequences may be lost on the way; a second panic would hide the first.
        if !std::thread::panicking() {
            assert_eq!(self.num_free(), self.num_blocks(), "a sequence was not released");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the obvious model: a list of all holdings.
        #[test]
        fn free_and_live_are_all(ops in prop::collection::vec((0..3_u8, any::<usize>()), 0..300)) {
            const NUM_BLOCKS: usize = 7;
            let mut pool = BlockPool::new(NUM_BLOCKS);
            let mut holdings: Vec<BlockId> = Vec::new();
            for (op, pick) in ops {
                match op {
                    0 => {
                        let live: std::collections::BTreeSet<_> = holdings.iter().collect();
                        let block = pool.acquire();
                        prop_assert_eq!(block.is_some(), live.len() < NUM_BLOCKS);
                        prop_assert!(block.is_none_or(|block| !live.contains(&block)));
                        holdings.extend(block);
                    }
                    1 if !holdings.is_empty() => {
                        let block = holdings[pick % holdings.len()];
                        pool.share(block);
                        holdings.push(block);
                    }
                    2 if !holdings.is_empty() => {
                        pool.release(holdings.swap_remove(pick % holdings.len()));
                    }
                    _ => {}
                }
                let live: std::collections::BTreeSet<_> = holdings.iter().collect();
                prop_assert_eq!((pool.num_live(), pool.num_held()), (live.len(), holdings.len()));
                for block in live {
                    let num_holders = holdings.iter().filter(|held| *held == block).count();
                    prop_assert_eq!(pool.is_shared(*block), num_holders > 1);
                }
            }
            for block in holdings {
                pool.release(block);
            }
        }
    }
}
