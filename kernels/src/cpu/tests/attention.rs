//! Attention: sequences run in chunks, beside each other, in blocks that held other things before.

use std::num::NonZeroUsize;

use super::{assert_close, bits, every_level, random, rows_of, same_everywhere};
use crate::backend::{AttentionShape, Backend, RopeTable};
use crate::cpu::{Cache, Cpu};
use crate::layout::{BlockId, Layout, TokenId};
use crate::reference;

const NUM_POSITIONS: usize = 160;

/// Heads, KV heads, elements of a head, rotated pairs.
const SHAPES: [(usize, usize, usize, usize); 6] =
    [(4, 2, 64, 32), (2, 2, 16, 8), (8, 1, 32, 16), (6, 2, 48, 8), (5, 1, 80, 40), (1, 1, 128, 0)];

fn shape_of(
    (num_heads, num_kv_heads, head_dim, _): (usize, usize, usize, usize),
) -> AttentionShape {
    AttentionShape { num_heads, num_kv_heads, head_dim, window: None }
}

/// The shapes, without a window and with several: shorter than a block, than a chunk, than a text.
fn windowed_shapes() -> impl Iterator<Item = (AttentionShape, RopeTable)> {
    SHAPES.into_iter().zip([None, Some(5), Some(16), Some(37), Some(1), None]).flat_map(
        |(case, window)| {
            let window = window.and_then(NonZeroUsize::new);
            [None, window]
                .map(|window| (AttentionShape { window, ..shape_of(case) }, rope_of(case.3)))
        },
    )
}

fn rope_of(half_dim: usize) -> RopeTable {
    let angle =
        |i: usize| (i / half_dim.max(1)) as f32 / 1.1_f32.powi((i % half_dim.max(1)) as i32);
    let angles = (0..NUM_POSITIONS * half_dim).map(angle);
    let cos = angles.clone().map(f32::cos).collect();
    RopeTable { half_dim, cos, sin: angles.map(f32::sin).collect() }
}

/// A sequence: its rows before rotation, its blocks, and the output rows that came so far.
#[derive(Clone)]
struct Sequence {
    qkv: Vec<Vec<f32>>,
    blocks: Vec<BlockId>,
    outs: Vec<Vec<f32>>,
}

impl Sequence {
    fn random(seed: u64, len: usize, shape: AttentionShape, first_block: u32) -> Self {
        let width = shape.qkv_width();
        let row = |i| random(seed * 1000 + i, width).iter().map(|x| 3.0 * x).collect();
        let blocks = (0..len.div_ceil(16) as u32).rev().map(|i| BlockId(first_block + i));
        Self { qkv: (0..len as u64).map(row).collect(), blocks: blocks.collect(), outs: vec![] }
    }

    fn bits(&self) -> Vec<u32> {
        self.outs.iter().flat_map(|out| bits(out)).collect()
    }
}

/// Runs all sequences to their ends, up to `chunks[i]` rows of the i-th in each pass.
fn run(
    cpu: &Cpu,
    shape: AttentionShape,
    rope: &RopeTable,
    cache: &mut Cache,
    sequences: &mut [Sequence],
    chunks: &[usize],
) {
    while sequences.iter().any(|sequence| sequence.outs.len() < sequence.qkv.len()) {
        let mut layout = Layout::default();
        let mut values = Vec::new();
        let mut owners = Vec::new();
        for (i, (sequence, chunk)) in sequences.iter().zip(chunks).enumerate() {
            let done = sequence.outs.len();
            let end = sequence.qkv.len().min(done + chunk);
            if done < end {
                layout.push(&vec![TokenId(0); end - done], done, &sequence.blocks);
                values.extend(sequence.qkv[done..end].concat());
                owners.extend(vec![i; end - done]);
            }
        }
        let mut qkv = rows_of(cpu, shape.qkv_width(), &values);
        let mut out = cpu.rows(owners.len(), shape.q_width());
        cpu.rotate_and_store(&mut qkv, None, &layout, rope, cache);
        cpu.attention(&qkv, &layout, cache, &mut out);
        for (row, owner) in owners.iter().enumerate() {
            sequences[*owner].outs.push(out.row(row).to_vec());
        }
    }
}

/// A cache all of whose slots hold NaN: nothing may be read that was not written.
fn poisoned(cpu: &Cpu, num_blocks: usize, shape: AttentionShape) -> Cache {
    let mut cache = cpu.cache(num_blocks, shape);
    let nans = vec![f32::NAN; shape.kv_width()];
    for block in 0..num_blocks as u32 {
        (0..16).for_each(|slot| cache.store(BlockId(block), slot, &nans, &nans));
    }
    cache
}

#[test]
fn attention_agrees_with_the_reference() {
    for cpu in every_level() {
        for (shape, rope) in windowed_shapes() {
            let mut sequences = [(1, 0), (16, 1), (35, 2), (70, 5)]
                .map(|(len, block)| Sequence::random(len as u64, len, shape, block));
            let mut cache = poisoned(&cpu, 10, shape);
            run(&cpu, shape, &rope, &mut cache, &mut sequences, &[1, 16, 5, 64]);
            for sequence in &sequences {
                for position in [0, 1, 15, 16, 34, 63, 64, 69] {
                    let Some(out) = sequence.outs.get(position) else { continue };
                    let want = reference::attention(&sequence.qkv[..=position], shape, &rope);
                    assert_close(out, &want, 1e-5, &format!("{shape:?} at {position}"));
                }
            }
        }
    }
}

#[test]
fn chunks_and_neighbours_change_no_bit() {
    for (shape, rope) in windowed_shapes() {
        let fresh = [(100, 0), (30, 7), (17, 9)]
            .map(|(len, block)| Sequence::random(len as u64, len, shape, block));
        let run_with = |cpu: &Cpu, chunks: &[usize]| {
            let mut sequences = fresh.clone();
            run(cpu, shape, &rope, &mut poisoned(cpu, 11, shape), &mut sequences, chunks);
            sequences.map(|sequence| sequence.bits())
        };
        let whole = same_everywhere(|cpu| run_with(cpu, &[100, 30, 17]));
        for cpu in every_level() {
            for chunks in [[1, 1, 1], [3, 1, 7], [7, 64, 3], [64, 3, 1]] {
                assert!(run_with(&cpu, &chunks) == whole, "{shape:?} in chunks of {chunks:?}");
            }
            for (i, sequence) in fresh.iter().enumerate() {
                let mut alone = [sequence.clone()];
                run(&cpu, shape, &rope, &mut poisoned(&cpu, 11, shape), &mut alone, &[33]);
                assert!(alone[0].bits() == whole[i], "{shape:?}, sequence {i} alone");
            }
        }
    }
}

#[test]
fn copied_blocks_are_the_same_blocks() {
    let cpu = Cpu::new();
    let (shape, rope) = (shape_of(SHAPES[0]), rope_of(32));
    let mut cache = poisoned(&cpu, 8, shape);
    let mut sequences = [Sequence::random(1, 40, shape, 0)];
    let mut prefix = sequences.clone();
    prefix[0].qkv.truncate(20);
    run(&cpu, shape, &rope, &mut cache, &mut prefix, &[20]);
    let fork = vec![BlockId(7), BlockId(5), BlockId(6)];
    let copies = [(prefix[0].blocks[0], fork[0]), (prefix[0].blocks[1], fork[1])];
    cache.copy(&copies);

    let outs = prefix[0].outs.clone();
    let mut forked = [Sequence { blocks: fork, outs, ..sequences[0].clone() }];
    run(&cpu, shape, &rope, &mut cache, &mut forked, &[7]);
    run(&cpu, shape, &rope, &mut cache, &mut sequences, &[40]);
    assert!(forked[0].bits() == sequences[0].bits());
}

#[test]
fn forks_beside_each_other_change_no_bit() {
    for cpu in every_level() {
        for (shape, rope) in windowed_shapes() {
            let mut cache = poisoned(&cpu, 8, shape);
            let mut stem = [Sequence::random(1, 40, shape, 0)];
            run(&cpu, shape, &rope, &mut cache, &mut stem, &[40]);
            let mut forks = [3, 4, 5, 6].map(|block| {
                let mut fork = stem[0].clone();
                fork.blocks[2] = BlockId(block);
                cache.copy(&[(stem[0].blocks[2], fork.blocks[2])]);
                fork.qkv.extend(Sequence::random(u64::from(block), 5, shape, 0).qkv);
                fork
            });
            let alone = forks.clone();
            run(&cpu, shape, &rope, &mut cache, &mut forks, &[1, 2, 1, 5]);
            for (fork, alone) in forks.iter().zip(alone) {
                let mut alone = [alone];
                run(&cpu, shape, &rope, &mut cache, &mut alone, &[1]);
                assert!(alone[0].bits() == fork.bits(), "{shape:?}");
            }
        }
    }
}

#[test]
fn a_block_takes_what_is_said() {
    let shape = shape_of(SHAPES[0]);
    let cpu = Cpu::new();
    assert_eq!(cpu.cache_block_bytes(shape), 2 * 16 * 128 * 4);
}
