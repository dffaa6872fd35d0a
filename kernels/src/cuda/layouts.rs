//! The structs of `params.h` and their twins have the same fields at the same offsets: the C++
//! compiler's word against Rust's.

use std::collections::BTreeSet;
use std::mem::{offset_of, size_of};

use super::{
    attention, ceiling, copy_blocks, embed, gather, gemm, head, head_merge, norm, primitives,
    rope_store, sample, target_logits,
};
use crate::runtime;

/// A struct: its name, its size, and the offsets of its fields.
struct Twin {
    name: &'static str,
    num_bytes: usize,
    fields: Vec<(&'static str, usize)>,
}

macro_rules! twin {
    ($module:ident :: $name:ident { $($field:ident),* }) => {
        Twin {
            name: stringify!($name),
            num_bytes: size_of::<$module::$name>(),
            fields: vec![$((stringify!($field), offset_of!($module::$name, $field))),*],
        }
    };
}

/// All of them; what fills a struct up has no twin.
fn twins() -> impl Iterator<Item = Twin> {
    [row_twins(), attention_twins(), head_twins()].into_iter().flatten()
}

fn row_twins() -> Vec<Twin> {
    vec![
        twin!(embed::EmbedParams { table, tokens, places, positions, out, width, scale }),
        twin!(norm::NormParams { x, weight, bias, out, width, eps, weight_offset }),
        twin!(gather::GatherParams { x, row_idx, out, row_bytes }),
        twin!(gemm::GemmParams { x, w, bias, out, num_rows, num_outputs, num_inputs, epilogue }),
        twin!(rope_store::RopeStoreParams {
            qkv,
            query_norm,
            key_norm,
            cos,
            sin,
            positions,
            slots,
            keys,
            values,
            num_heads,
            num_kv_heads,
            head_dim,
            half_dim,
            interleaved,
            norm_eps
        }),
        twin!(ceiling::CeilingParams { x, y, out, num_steps }),
        twin!(copy_blocks::CopyBlocksParams { cache, from, to, plane_bytes, block_bytes }),
        twin!(primitives::PrimitiveParams { x, y, out, num_rows, num_steps, first_col, first_row }),
    ]
}

fn attention_twins() -> Vec<Twin> {
    vec![
        twin!(attention::AttentionItem {
            first_query,
            num_queries,
            first_block,
            begin,
            end,
            is_rest
        }),
        twin!(attention::AttentionQuery { row, partial }),
        twin!(attention::AttentionState { max, sum, is_rest, padding }),
        twin!(attention::AttentionParams {
            qkv,
            positions,
            items,
            queries,
            blocks,
            keys,
            values,
            partial_sums,
            partial_states,
            out,
            num_heads,
            num_kv_heads,
            window,
            scale
        }),
        twin!(attention::AttentionMerge { row, first_partial, num_partials }),
        twin!(attention::AttentionMergeParams {
            merges,
            partial_sums,
            partial_states,
            out,
            num_heads
        }),
    ]
}

fn head_twins() -> Vec<Twin> {
    vec![
        twin!(head::HeadChoice { row, forced, ban_list, logits_row, is_logprob }),
        twin!(head::HeadPartial { best_logit, best_token, max_logit, sum_exp }),
        twin!(head::HeadParams {
            x,
            w,
            choices,
            banned,
            partials,
            forced_logits,
            logits,
            num_choices,
            vocab_len,
            num_inputs
        }),
        twin!(head::Chosen { token, score }),
        twin!(head_merge::HeadMergeParams {
            choices,
            partials,
            forced_logits,
            chosen,
            logsums,
            num_tiles
        }),
        twin!(sample::Draw { choice, top_k, temperature, top_p, uniform }),
        twin!(sample::SampleParams { draws, choices, banned, logits, logsums, chosen, vocab_len }),
        twin!(target_logits::TargetLogitsParams {
            x,
            w,
            rows,
            tokens,
            out,
            num_targets,
            num_inputs
        }),
    ]
}

#[test]
fn twins_have_the_same_layout() {
    for Twin { name, num_bytes, fields } in twins() {
        assert_eq!(runtime::offset(name), Some(num_bytes), "the size of {name}");
        for (field, offset) in fields {
            let name = format!("{name}.{field}");
            assert_eq!(runtime::offset(&name), Some(offset), "the offset of {name}");
        }
    }
}

#[test]
fn every_struct_has_a_twin() {
    let params = include_str!("../../cuda/params.h").lines();
    let name = |line: &'static str| line.strip_prefix("struct ")?.strip_suffix(" {");
    let structs: BTreeSet<&str> = params.filter_map(name).collect();
    assert_eq!(structs, twins().map(|twin| twin.name).collect());
}
