//! How fast candle runs a Llama from a GGUF file: `candle-speed MODEL.gguf REPEATS STEPS CONTEXT
//! PROMPT` prints the best tokens per second of each work as JSON. Threads: `RAYON_NUM_THREADS`.

use std::fs::File;
use std::time::{Duration, Instant};

use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Result, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;

const BATCHES: [usize; 2] = [1, 8];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, numbers @ ..] = args.as_slice() else {
        panic!("MODEL.gguf REPEATS STEPS CONTEXT PROMPT");
    };
    let numbers: Vec<usize> =
        numbers.iter().map(|number| number.parse().expect("a number")).collect();
    let [repeats, steps, context, prompt] = numbers[..] else {
        panic!("four numbers after the file");
    };
    let mut file = File::open(path)?;
    let content = Content::read(&mut file)?;
    let mut model = ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?;

    let mut figures = serde_json::Map::new();
    for batch in BATCHES {
        let best = best_of(repeats, || decode(&mut model, batch, context, steps))?;
        let speed = (batch * steps) as f64 / best.as_secs_f64();
        figures.insert(format!("decode at batch {batch}"), speed.into());
    }
    let best = best_of(repeats, || prefill(&mut model, prompt))?;
    figures.insert(format!("prefill of {prompt}"), (prompt as f64 / best.as_secs_f64()).into());
    println!("{}", serde_json::Value::Object(figures));
    Ok(())
}

fn best_of(repeats: usize, mut run: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    let mut best = run()?;
    for _ in 1..repeats {
        best = best.min(run()?);
    }
    Ok(best)
}

/// The time of some steps, each of one token for every sequence; one step warms up.
fn decode(
    model: &mut ModelWeights,
    batch: usize,
    context: usize,
    steps: usize,
) -> Result<Duration> {
    model.clear_kv_cache();
    // One token at a time: with quantised weights, it fails for several texts of more.
    let texts = texts(batch, context)?;
    let mut logits = model.forward(&texts.narrow(1, 0, 1)?, 0)?;
    for position in 1..context {
        logits = model.forward(&texts.narrow(1, position, 1)?, position)?;
    }
    let mut last = most_probable(&logits)?;
    let mut start = Instant::now();
    for step in 0..=steps {
        if step == 1 {
            start = Instant::now();
        }
        last = most_probable(&model.forward(&last, context + step)?)?;
    }
    Ok(start.elapsed())
}

fn prefill(model: &mut ModelWeights, len: usize) -> Result<Duration> {
    model.clear_kv_cache();
    let text = texts(1, len)?;
    let start = Instant::now();
    most_probable(&model.forward(&text, 0)?)?;
    Ok(start.elapsed())
}

/// Ids [batch, len] like those that `../compare.py` gives to llama.cpp.
fn texts(batch: usize, len: usize) -> Result<Tensor> {
    let ids = (0..batch).flat_map(|seq| (0..len).map(move |i| (1000 + 7 * i + seq) as u32));
    Tensor::from_iter(ids, &Device::Cpu)?.reshape((batch, len))
}

/// Logits [batch, vocab] to ids [batch, 1], brought to be read.
fn most_probable(logits: &Tensor) -> Result<Tensor> {
    logits.argmax(candle_core::D::Minus1)?.to_dtype(DType::U32)?.unsqueeze(1)
}
