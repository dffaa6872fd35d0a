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

/// In which order a tensor's rows are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOrder {
    /// As they are used.
    Plain,
    /// Rotated pairs of a head's rows lie together: of `head_dim` rows the first, the middle one,
    /// the second, and so on. GGUF files store the queries and keys of Llamas that way.
    Pairs {
        /// Rows of a head.
        head_dim: usize,
    },
}

impl RowOrder {
    /// Where the row `row` is stored.
    pub fn stored_row(self, row: usize) -> usize {
        let Self::Pairs { head_dim } = self else { return row };
        let (head, in_head) = (row / head_dim, row % head_dim);
        let (half, pair) = (in_head / (head_dim / 2), in_head % (head_dim / 2));
        head * head_dim + 2 * pair + half
    }

    /// The `num_rows` rows of `bytes` as they are used.
    pub fn restore(self, bytes: &[u8], num_rows: usize) -> Vec<u8> {
        let row_bytes = bytes.len() / num_rows;
        let row = |row| &bytes[self.stored_row(row) * row_bytes..][..row_bytes];
        (0..num_rows).flat_map(row).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_put_apart() {
        let order = RowOrder::Pairs { head_dim: 6 };
        // Rows of two bytes, of two heads.
        let stored = [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11].map(|row| [row, 100 + row]);
        let expected: Vec<u8> = (0..12).flat_map(|row| [row, 100 + row]).collect();
        assert_eq!(order.restore(stored.as_flattened(), 12), expected);
        assert_eq!(RowOrder::Plain.restore(&expected, 12), expected);
    }
}
