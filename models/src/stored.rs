//! What the bytes of a tensor are.

use std::fmt;

use jump_kernels::Quantisation;
use safetensors::Dtype;

/// A type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// One by one.
    Float(Dtype),
    /// In packets, of which each row has whole ones.
    Quantised(Quantisation),
}

impl Stored {
    /// Bytes of `len` values; `None` if no memory has as many.
    pub fn checked_bytes(self, len: usize) -> Option<usize> {
        match self {
            Self::Float(dtype) => len.checked_mul(dtype.bitsize() / 8),
            Self::Quantised(kind) => (len / kind.packet_len()).checked_mul(kind.packet_bytes()),
        }
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(dtype) => write!(f, "{dtype:?}"),
            Self::Quantised(kind) => write!(f, "{kind:?}"),
        }
    }
}

/// What makes a tensor of a file the one that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Rotated pairs of a head's rows lie together: of `head_dim` rows the first, the middle one,
    /// the second, and so on. GGUF files store the queries and keys of Llamas that way.
    Pairs {
        /// Rows of a head.
        head_dim: usize,
    },
    /// Its values, in single precision, are larger by one: the norms of Gemma.
    MinusOne,
}

impl Change {
    /// The `num_rows` rows of `bytes` as they are used.
    pub fn apply(self, bytes: &[u8], num_rows: usize) -> Vec<u8> {
        match self {
            Self::None => bytes.to_vec(),
            Self::Pairs { head_dim } => {
                let row_bytes = bytes.len() / num_rows;
                let row = |row| &bytes[stored_row(row, head_dim) * row_bytes..][..row_bytes];
                (0..num_rows).flat_map(row).copied().collect()
            }
            Self::MinusOne => {
                let values = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
                values.flat_map(|value| (value - 1.0).to_le_bytes()).collect()
            }
        }
    }
}

/// Where the row `row` is stored, if rows lie in pairs.
pub fn stored_row(row: usize, head_dim: usize) -> usize {
    let (head, in_head) = (row / head_dim, row % head_dim);
    let (half, pair) = (in_head / (head_dim / 2), in_head % (head_dim / 2));
    head * head_dim + 2 * pair + half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_put_apart() {
        let pairs = Change::Pairs { head_dim: 6 };
        // Rows of two bytes, of two heads.
        let stored = [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11].map(|row| [row, 100 + row]);
        let expected: Vec<u8> = (0..12).flat_map(|row| [row, 100 + row]).collect();
        assert_eq!(pairs.apply(stored.as_flattened(), 12), expected);
        assert_eq!(Change::None.apply(&expected, 12), expected);
        let norm = [1.5_f32, 0.25].map(f32::to_le_bytes);
        let expected = [0.5_f32, -0.75].map(f32::to_le_bytes);
        assert_eq!(Change::MinusOne.apply(norm.as_flattened(), 1), expected.as_flattened());
    }
}
