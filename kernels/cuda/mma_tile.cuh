// A tile of w . x^T on the tensor cores: the loop of every kernel that multiplies by weights.
//
//     sums[o][r] = sum over c of w[first_output + o][c] * x[rows(first_row + r)][c]
//
// Weights are the A operand (16 outputs a fragment), rows of x the B operand (8 rows a fragment):
// so a few rows waste little. Both are copied in stages of DEPTH inputs to a ring in shared memory
// by cp.async; lines of DEPTH elements are swizzled in words of 16 bytes, so that the eight lines
// that ldmatrix reads together lie in different banks.
//
// Invariant: an output is one f32 sum over fragments of 16 inputs, in ascending order, and inputs
// beyond C are zeros. So no size of tile changes a bit of it, nor does any other row.
#pragma once

#include <ptx.cuh>

constexpr u32 FRAGMENT_OUTPUTS = 16;
constexpr u32 FRAGMENT_ROWS = 8;
constexpr u32 FRAGMENT_DEPTH = 16;
// Elements that one cp.async copies.
constexpr u32 WORD_LEN = 8;

// The sizes of a tile. Each warp multiplies WARP_OUTPUTS x WARP_ROWS of it; STAGES - 1 stages of
// DEPTH inputs are under way while one is multiplied. Copies are started by COPY_WARPS further
// warps, or by all if that is 0: of a narrow tile the few warps that multiply have no time for it.
template <u32 OUTPUTS_, u32 ROWS_, u32 WARP_OUTPUTS_, u32 WARP_ROWS_, u32 DEPTH_, u32 STAGES_,
          u32 COPY_WARPS = 0>
struct Tile {
    static constexpr u32 OUTPUTS = OUTPUTS_;
    static constexpr u32 ROWS = ROWS_;
    static constexpr u32 WARP_OUTPUTS = WARP_OUTPUTS_;
    static constexpr u32 WARP_ROWS = WARP_ROWS_;
    static constexpr u32 DEPTH = DEPTH_;
    static constexpr u32 STAGES = STAGES_;

    static constexpr u32 MMA_THREADS = 32 * (OUTPUTS / WARP_OUTPUTS) * (ROWS / WARP_ROWS);
    static constexpr u32 NUM_THREADS = MMA_THREADS + 32 * COPY_WARPS;
    static constexpr u32 NUM_COPIERS = COPY_WARPS == 0 ? NUM_THREADS : 32 * COPY_WARPS;
    static constexpr u32 LINE_WORDS = DEPTH / WORD_LEN;
    static constexpr u32 LINE_BYTES = 2 * DEPTH;
    static constexpr u32 W_BYTES = OUTPUTS * LINE_BYTES;
    static constexpr u32 STAGE_BYTES = W_BYTES + ROWS * LINE_BYTES;
    static constexpr u32 SHARED_BYTES = STAGES * STAGE_BYTES;

    static_assert(OUTPUTS % WARP_OUTPUTS == 0 && ROWS % WARP_ROWS == 0,
                  "warps share a tile evenly");
    static_assert(WARP_OUTPUTS % FRAGMENT_OUTPUTS == 0, "a warp has whole fragments of outputs");
    static_assert(WARP_ROWS == FRAGMENT_ROWS || WARP_ROWS % (2 * FRAGMENT_ROWS) == 0,
                  "rows are loaded one or two fragments at a time");
    static_assert(DEPTH % 64 == 0, "a line has eight words or more, for eight lines in turn");
    static_assert(NUM_COPIERS % LINE_WORDS == 0, "a thread copies the same word of its lines");
    static_assert(STAGES >= 2, "one stage is copied while another is multiplied");

    // Has this warp a part of the tile?
    static DEVICE bool multiplies() { return COPY_WARPS == 0 || threadIdx.x < MMA_THREADS; }
    static DEVICE bool copies() { return COPY_WARPS == 0 || threadIdx.x >= MMA_THREADS; }
    // Of the threads that copy.
    static DEVICE u32 copier_idx() { return threadIdx.x - (COPY_WARPS == 0 ? 0 : MMA_THREADS); }
    // Where this warp's part of the tile begins; of the warps that multiply.
    static DEVICE u32 warp_output() {
        return threadIdx.x / 32 % (OUTPUTS / WARP_OUTPUTS) * WARP_OUTPUTS;
    }
    static DEVICE u32 warp_row() { return threadIdx.x / 32 / (OUTPUTS / WARP_OUTPUTS) * WARP_ROWS; }
};

// A warp's sums: d[m][n] is the fragment of its outputs 16m.. and its rows 8n.., see mma_m16n8k16.
template <class T>
struct Sums {
    float d[T::WARP_OUTPUTS / FRAGMENT_OUTPUTS][T::WARP_ROWS / FRAGMENT_ROWS][4];
};

// Lines 0 to `num`, as they are: all rows of x, or all outputs of w.
struct AllLines {
    u32 num;
    // The line's index in its matrix; NONE is a line of zeros.
    DEVICE u32 operator()(u32 line) const { return line < num ? line : NONE; }
};

// What a CTA multiplies.
template <class Rows>
struct Operands {
    const bf16* w;  // [num_outputs][num_inputs]
    const bf16* x;  // [..][num_inputs]
    Rows rows;      // maps a row of the product to one of x, or to NONE
    u32 num_outputs;
    u32 num_inputs;    // a multiple of 8
    u32 first_output;  // of the tile
    u32 first_row;     // of the tile
};

// Where a word of a line lies in its part of a stage.
template <class T>
DEVICE u32 swizzled(u32 line, u32 word) {
    return line * T::LINE_BYTES + (word ^ line % 8) * 16;
}

// The words of one operand that this thread copies: the same of each stage.
template <class T, u32 NUM_LINES>
struct Copier {
    // Lines that the CTA copies at a time.
    static constexpr u32 STEP = T::NUM_COPIERS / T::LINE_WORDS;
    static constexpr u32 NUM = (NUM_LINES + STEP - 1) / STEP;

    const bf16* matrix;
    u32 start[NUM];  // of the lines, in elements; NONE: zeros

    template <class Lines>
    DEVICE Copier(const bf16* matrix, Lines lines, u32 first_line, u32 num_inputs)
        : matrix(matrix) {
        for (u32 i = 0; i < NUM; ++i) {
            u32 line = lines(first_line + i * STEP + T::copier_idx() / T::LINE_WORDS);
            start[i] = line == NONE ? NONE : line * num_inputs;
        }
    }

    // Starts copying inputs first_input.. to the operand's part of a stage.
    DEVICE void copy(u8* part, u32 first_input, u32 num_inputs) const {
        u32 word = T::copier_idx() % T::LINE_WORDS;
        u32 input = first_input + word * WORD_LEN;
        for (u32 i = 0; i < NUM; ++i) {
            u32 line = i * STEP + T::copier_idx() / T::LINE_WORDS;
            if (NUM_LINES % STEP != 0 && line >= NUM_LINES) break;
            bool is_there = start[i] != NONE && input < num_inputs;
            const bf16* from = matrix + (is_there ? u64(start[i] + input) : 0);
            cp_async_16(part + swizzled<T>(line, word), from, is_there ? 16 : 0);
        }
    }
};

// A warp's operands of one step of 16 inputs.
template <class T>
struct Fragments {
    static constexpr u32 NUM_M = T::WARP_OUTPUTS / FRAGMENT_OUTPUTS;
    static constexpr u32 NUM_N = T::WARP_ROWS / FRAGMENT_ROWS;

    u32 a[NUM_M][4];
    u32 b[NUM_N][2];

    // Loads the words `word` and `word + 1` of the lines.
    DEVICE void load(const u8* stage, u32 word) {
        u32 lane = threadIdx.x % 32;
        for (u32 m = 0; m < NUM_M; ++m) {
            u32 line = T::warp_output() + m * FRAGMENT_OUTPUTS + lane % 16;
            ldmatrix_x4(a[m], stage + swizzled<T>(line, word + lane / 16));
        }
        const u8* x = stage + T::W_BYTES;
        u32 line = T::warp_row() + lane % 8, x_word = word + lane / 8 % 2;
        if constexpr (NUM_N == 1) {
            ldmatrix_x2(b[0], x + swizzled<T>(line, x_word));
        } else {
            for (u32 n = 0; n < NUM_N; n += 2) {
                u32 pair[4];
                u32 pair_line = line + (n + lane / 16) * FRAGMENT_ROWS;
                ldmatrix_x4(pair, x + swizzled<T>(pair_line, x_word));
                b[n][0] = pair[0], b[n][1] = pair[1];
                b[n + 1][0] = pair[2], b[n + 1][1] = pair[3];
            }
        }
    }
};

// Adds the products of a stage. A step's operands are loaded while the one before is multiplied.
template <class T>
DEVICE void multiply_stage(Sums<T>& sums, const u8* stage) {
    constexpr u32 NUM_STEPS = T::DEPTH / FRAGMENT_DEPTH;
    Fragments<T> loaded[2];
    loaded[0].load(stage, 0);
#pragma unroll
    for (u32 step = 0; step < NUM_STEPS; ++step) {
        if (step + 1 < NUM_STEPS) loaded[(step + 1) % 2].load(stage, 2 * (step + 1));
        const Fragments<T>& f = loaded[step % 2];
        for (u32 m = 0; m < f.NUM_M; ++m) {
            for (u32 n = 0; n < f.NUM_N; ++n) mma_m16n8k16(sums.d[m][n], f.a[m], f.b[n]);
        }
    }
}

// Multiplies a tile; all threads of the CTA call it. `shared` has T::SHARED_BYTES, aligned to 128;
// a barrier has to follow before they are used for anything else.
template <class T, class Rows>
DEVICE void multiply(Sums<T>& sums, const Operands<Rows>& from, u8* shared) {
    Copier<T, T::OUTPUTS> w(from.w, AllLines{from.num_outputs}, from.first_output, from.num_inputs);
    Copier<T, T::ROWS> x(from.x, from.rows, from.first_row, from.num_inputs);
    u32 num_steps = (from.num_inputs + T::DEPTH - 1) / T::DEPTH;
    // A group a step, though an empty one at the end: so it's always the same number of groups
    // that may be under way.
    auto copy_step = [&](u32 step) {
        if (step < num_steps) {
            u8* stage = shared + step % T::STAGES * T::STAGE_BYTES;
            w.copy(stage, step * T::DEPTH, from.num_inputs);
            x.copy(stage + T::W_BYTES, step * T::DEPTH, from.num_inputs);
        }
        cp_async_commit();
    };
    for (auto& fragments : sums.d) {
        for (auto& fragment : fragments) {
            for (float& sum : fragment) sum = 0;
        }
    }
    if (T::copies()) {
        for (u32 step = 0; step < T::STAGES - 1; ++step) copy_step(step);
    }
    for (u32 step = 0; step < num_steps; ++step) {
        cp_async_wait<T::STAGES - 2>();
        // Orders all threads' copies of this step before its reads below, and the reads of the last
        // step before the copies that overwrite its stage.
        __syncthreads();
        if (T::copies()) copy_step(step + T::STAGES - 1);
        if (T::multiplies()) {
            multiply_stage(sums, shared + step % T::STAGES * T::STAGE_BYTES);
        }
    }
}
