//! Activations: rows of one width, sized once.

use super::floats::Floats;

/// Up to `capacity` rows of `width` f32 elements, one after the other.
pub struct Rows {
    values: Floats,
    capacity: usize,
    width: usize,
}

impl Rows {
    /// Zeroed rows.
    pub fn new(capacity: usize, width: usize) -> Self {
        assert!(width > 0, "rows have elements");
        Self { values: Floats::zeroed(capacity * width), capacity, width }
    }

    /// Rows that fit.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.first(row + 1)[row * self.width..]
    }

    /// The first `num_rows` rows.
    pub fn first(&self, num_rows: usize) -> &[f32] {
        self.check(num_rows);
        &self.values[..num_rows * self.width]
    }

    /// The first `num_rows` rows, to write.
    pub fn first_mut(&mut self, num_rows: usize) -> &mut [f32] {
        self.check(num_rows);
        &mut self.values[..num_rows * self.width]
    }

    fn check(&self, num_rows: usize) {
        assert!(num_rows <= self.capacity, "{num_rows} rows, room for {}", self.capacity);
    }
}
