//! Changes to a file's bytes, drawn from a number; the same number draws the same ones.

use serde_json::{Value, json};

const MAX_CHANGES: usize = 4;

/// Draws changes.
pub struct Mutation {
    state: u64,
}

impl Mutation {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // splitmix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % end as u64) as usize
    }

    /// `file` with a few changes: of values, if it is JSON, or of bytes.
    pub fn of(&mut self, file: &[u8], is_json: bool) -> Vec<u8> {
        if is_json && self.below(4) > 0 {
            let mut value = serde_json::from_slice(file).expect("seeds are JSON");
            for _ in 0..=self.below(MAX_CHANGES) {
                self.change_value(&mut value);
            }
            return value.to_string().into_bytes();
        }
        let mut bytes = file.to_vec();
        for _ in 0..=self.below(MAX_CHANGES) {
            self.change_bytes(&mut bytes);
        }
        bytes
    }

    fn change_value(&mut self, value: &mut Value) {
        let goes_down = self.below(8) > 0;
        match value {
            Value::Object(fields) if goes_down && !fields.is_empty() => {
                let place = self.below(fields.len());
                let name = fields.keys().nth(place).expect("below their number").clone();
                match self.below(12) {
                    0 => drop(fields.remove(&name)),
                    1 => {
                        let moved = fields.remove(&name).expect("it is there");
                        fields.insert(self.text(), moved);
                    }
                    _ => self.change_value(&mut fields[&name]),
                }
            }
            Value::Array(items) if goes_down && !items.is_empty() => {
                let place = self.below(items.len());
                match self.below(8) {
                    0 => drop(items.remove(place)),
                    1 => items.push(items[place].clone()),
                    _ => self.change_value(&mut items[place]),
                }
            }
            _ => *value = self.value(),
        }
    }

    fn value(&mut self) -> Value {
        match self.below(16) {
            0 => json!(0),
            1 => json!(-1),
            2 => json!(1),
            3 => json!(u64::MAX),
            4 => json!(i64::MAX),
            5 => json!(u32::MAX),
            6 => json!(1_u64 << self.below(64)),
            7 => json!(self.below(1000)),
            8 => json!(1e300),
            9 => json!(0.5),
            10 => json!(null),
            11 => json!(self.below(2) == 0),
            12 => json!([self.below(100), self.below(100)]),
            13 => json!({}),
            // Deeper than a stack.
            14 if self.below(16) == 0 => {
                serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100)))
                    .expect("it is JSON")
            }
            _ => json!(self.text()),
        }
    }

    fn text(&mut self) -> String {
        const TEXTS: [&str; 16] = [
            "",
            "a",
            "\n",
            "\u{0}",
            "é",
            "𝛼",
            "..",
            "../config.json",
            "/dev/zero",
            "BF16",
            "I64",
            "linear",
            "ByteLevel",
            "BPE",
            "<|end|>",
            "(a+)+$",
        ];
        TEXTS[self.below(TEXTS.len())].to_owned()
    }

    fn change_bytes(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        // Headers are at the beginning.
        let end = if self.below(2) == 0 { bytes.len() } else { bytes.len().min(64) };
        let at = self.below(end);
        match self.below(8) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.below(256) as u8,
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, self.below(256) as u8),
            4 => bytes.truncate(at),
            5 => {
                let part = bytes[at..bytes.len().min(at + 1 + self.below(64))].to_vec();
                let to = self.below(bytes.len());
                bytes.splice(to..to, part);
            }
            6 => self.write_number(bytes, at / 4 * 4, 4),
            _ => self.write_number(bytes, at / 8 * 8, 8),
        }
    }

    /// A number that loaders stumble over.
    fn write_number(&mut self, bytes: &mut [u8], at: usize, num_bytes: usize) {
        let file_bytes = bytes.len() as u64;
        let number = match self.below(8) {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => i64::MAX as u64,
            4 => file_bytes,
            5 => file_bytes.wrapping_sub(self.below(64) as u64),
            6 => 1 << self.below(64),
            _ => u64::from(u32::MAX),
        };
        let end = bytes.len().min(at + num_bytes);
        let number = number.to_le_bytes();
        bytes[at..end].copy_from_slice(&number[..end - at]);
    }
}
