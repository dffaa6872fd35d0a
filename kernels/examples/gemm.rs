//! Times the matmuls of a small model, and one pass of all of them at one row.
use half::bf16;
use jump_kernels::cpu::{Cpu, Matrix, Rows, SimdLevel};
use jump_kernels::*;
use std::time::Instant;

fn weights(n: usize) -> Vec<bf16> {
    (0..n).map(|i| bf16::from_f32(((i * 7919) % 1000) as f32 / 50000.0 - 0.01)).collect()
}
fn best(mut f: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    let t = Instant::now();
    while t.elapsed().as_secs_f64() < 0.15 {
        let s = Instant::now();
        f();
        best = best.min(s.elapsed().as_secs_f64());
    }
    best
}
fn mat(cpu: &Cpu, n: usize, k: usize) -> Matrix {
    let w = weights(n * k);
    cpu.matrix(&[MatrixView { values: WeightSlice::Bf16(&w), num_rows: n, num_cols: k }])
}
fn gated(cpu: &Cpu, n: usize, k: usize) -> Matrix {
    let w = weights(n * k);
    let v = MatrixView { values: WeightSlice::Bf16(&w), num_rows: n, num_cols: k };
    cpu.gated_matrix(v, v)
}
fn fill(r: &mut Rows, n: usize) {
    for i in 0..n {
        for (j, v) in r.row_mut(i).iter_mut().enumerate() {
            *v = (j as f32 * 0.37 + i as f32).sin();
        }
    }
}
fn main() {
    let level = match std::env::args().nth(1).as_deref() {
        Some("avx2") => SimdLevel::Avx2,
        _ => SimdLevel::Avx512,
    };
    let cpu = Cpu::with_simd(level);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            for (name, k, n) in [("qkv", 256, 512), ("o", 256, 256), ("gate_up", 256, 704), ("down", 704, 256), ("head", 256, 4096)] {
                let g = name == "gate_up";
                let w = if g { gated(&cpu, n, k) } else { mat(&cpu, n, k) };
                print!("{threads}t {name:8}");
                for rows in [1, 2, 4, 6, 8, 16, 64, 256] {
                    let mut x = cpu.rows(rows, k); fill(&mut x, rows);
                    let mut out = cpu.rows(rows, n);
                    let t = best(|| if g { cpu.matmul_gated(&x, rows, &w, &mut out) } else { cpu.matmul(&x, rows, &w, &mut out) });
                    let macs = (rows * k * n * if g { 2 } else { 1 }) as f64;
                    print!(" | {rows:3} {:6.1}us {:6.1}GF", t * 1e6, macs * 2.0 / t / 1e9);
                }
                println!();
            }
            let layers: Vec<_> = (0..5).map(|_| (mat(&cpu, 512, 256), mat(&cpu, 256, 256), gated(&cpu, 704, 256), mat(&cpu, 256, 704))).collect();
            let head = mat(&cpu, 4096, 256);
            let norm = cpu.vector(WeightSlice::F32(&[1.0; 256]));
            for rows in [1, 2, 4, 6, 8, 64, 256] {
                let mut x = cpu.rows(rows, 256); let mut h = cpu.rows(rows, 256); let mut qkv = cpu.rows(rows, 512); let mut att = cpu.rows(rows, 256); let mut mid = cpu.rows(rows, 704);
                fill(&mut x, rows);
                let choices: Vec<_> = (0..rows as u32).map(|row| Choice { row, banned: [].into(), sampling: None, score: ScoreKind::Logit }).collect();
                let t = best(|| {
                    for (wqkv, wo, wgu, wd) in &layers {
                        cpu.rms_norm(&x, rows, &norm, 1e-5, &mut h);
                        cpu.matmul(&h, rows, wqkv, &mut qkv);
                        cpu.matmul_add(&att, rows, wo, &mut x);
                        cpu.rms_norm(&x, rows, &norm, 1e-5, &mut h);
                        cpu.matmul_gated(&h, rows, wgu, &mut mid);
                        cpu.matmul_add(&mid, rows, wd, &mut x);
                    }
                    cpu.rms_norm(&x, rows, &norm, 1e-5, &mut h);
                    att.row_mut(0)[0] = cpu.choose(&h, &head, &choices)[0].score * 1e-3;
                });
                fill(&mut x, rows);
                let shape = AttentionShape { num_heads: 4, num_kv_heads: 2, head_dim: 64 };
                let ctx = 400;
                let mut layout = Layout::default();
                let per = rows.min(64);
                let mut next = 0;
                for _ in 0..rows / per {
                    let nb = (ctx + per).div_ceil(16);
                    let table: Vec<_> = (next..next + nb as u32).map(BlockId).collect();
                    next += nb as u32;
                    layout.push(&vec![TokenId(0); per], ctx, &table);
                }
                let mut cache = cpu.cache(next as usize, shape);
                let rope = RopeTable { half_dim: 32, cos: vec![0.9; 32 * 1024], sin: vec![0.1; 32 * 1024] };
                fill(&mut qkv, rows);
                let tr = best(|| cpu.rotate_and_store(&mut qkv, &layout, shape, &rope, &mut cache));
                let ta = best(|| cpu.attention(&qkv, &layout, shape, &cache, &mut att));
                println!("{threads}t pass of {rows} rows: matmuls {:.1} us; attention at {ctx}: {:.1} us, rope {:.1} us (x5)", t * 1e6, ta * 1e6, tr * 1e6);
            }
        });
    }
}
