//! Quantised weights as GGUF files hold them: small integers with scales.
//!
//! Weights of a row that follow each other make a *packet* (ggml calls it a block), of 32 or 256.
//! A packet is read as *runs* of 16 weights that share a scale and an offset: a weight is
//! `quant * scale + offset`, rounded once. That is ggml's own value to the bit, because the product
//! is exact in f32: a scale has 18 significant bits at most, a quant 6 where it has as many, and 8
//! where the scale has 11. Source of the layouts: ggml's `ggml-quants.c`.

use half::f16;

/// Weights of a run.
pub const RUN_LEN: usize = 16;

/// How the weights of a packet are stored. Named as in ggml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantisation {
    /// 4 bits and a scale.
    Q4_0,
    /// 4 bits, a scale and an offset.
    Q4_1,
    /// 5 bits and a scale.
    Q5_0,
    /// 5 bits, a scale and an offset.
    Q5_1,
    /// 8 bits and a scale.
    Q8_0,
    /// 4 bits; every 32 weights a scale and an offset, which are quantised themselves.
    Q4K,
    /// 5 bits, scaled like `Q4K`.
    Q5K,
    /// 6 bits; every 16 weights a quantised scale.
    Q6K,
}

/// Sixteen weights of a row: `quants[i] * scale + offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Run {
    /// What a step of the quants is worth.
    pub scale: f32,
    /// The weight of the quant 0.
    pub offset: f32,
    /// The weights in steps.
    pub quants: [u8; RUN_LEN],
}

impl Run {
    /// One of the weights. The matmuls repeat this arithmetic.
    pub fn weight(&self, idx: usize) -> f32 {
        f32::from(self.quants[idx]).mul_add(self.scale, self.offset)
    }
}

impl Quantisation {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// Weights of a packet.
    pub fn packet_len(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of a packet.
    pub fn packet_bytes(self) -> usize {
        match self {
            Self::Q4_0 => 2 + 16,
            Self::Q4_1 => 2 + 2 + 16,
            Self::Q5_0 => 2 + 4 + 16,
            Self::Q5_1 => 2 + 2 + 4 + 16,
            Self::Q8_0 => 2 + 32,
            Self::Q4K => 2 + 2 + 12 + 128,
            Self::Q5K => 2 + 2 + 12 + 32 + 128,
            Self::Q6K => 128 + 64 + 16 + 2,
        }
    }

    /// Bytes of `len` weights, which are whole packets.
    pub fn num_bytes(self, len: usize) -> usize {
        assert!(len.is_multiple_of(self.packet_len()), "{len} weights in packets of {self:?}");
        len / self.packet_len() * self.packet_bytes()
    }

    /// Weights in `num_bytes` bytes.
    pub fn num_weights(self, num_bytes: usize) -> usize {
        assert!(num_bytes.is_multiple_of(self.packet_bytes()), "whole packets of {self:?}");
        num_bytes / self.packet_bytes() * self.packet_len()
    }

    /// The runs of whole packets.
    pub fn runs(self, bytes: &[u8]) -> impl Iterator<Item = Run> {
        let num_runs = self.packet_len() / RUN_LEN;
        let packets = bytes.chunks_exact(self.packet_bytes());
        packets.flat_map(move |packet| (0..num_runs).map(move |idx| self.run(packet, idx)))
    }

    /// The weights of whole packets.
    pub fn expand(self, bytes: &[u8]) -> impl Iterator<Item = f32> {
        self.runs(bytes).flat_map(|run| (0..RUN_LEN).map(move |idx| run.weight(idx)))
    }

    fn run(self, packet: &[u8], idx: usize) -> Run {
        match self {
            Self::Q4_0 => centred(half_at(packet, 0), 8.0, nibbles(&packet[2..], idx == 1)),
            Self::Q4_1 => {
                let (scale, offset) = (half_at(packet, 0), half_at(packet, 2));
                Run { scale, offset, quants: nibbles(&packet[4..], idx == 1) }
            }
            Self::Q5_0 => centred(half_at(packet, 0), 16.0, five_bits(&packet[2..], idx)),
            Self::Q5_1 => {
                let (scale, offset) = (half_at(packet, 0), half_at(packet, 2));
                Run { scale, offset, quants: five_bits(&packet[4..], idx) }
            }
            Self::Q8_0 => {
                let quants = first_sixteen(&packet[2 + RUN_LEN * idx..]);
                centred(half_at(packet, 0), 128.0, quants.map(|quant| quant ^ 0x80))
            }
            Self::Q4K => {
                let (scale, offset) = scales_k(packet, idx / 2);
                Run { scale, offset, quants: nibbles_k(&packet[16..], idx) }
            }
            Self::Q5K => {
                let (scale, offset) = scales_k(packet, idx / 2);
                let (high, low) = packet[16..].split_at(32);
                let high = first_sixteen(&high[idx % 2 * RUN_LEN..]);
                let mut quants = nibbles_k(low, idx);
                let bits = quants.iter_mut().zip(high);
                bits.for_each(|(quant, bits)| *quant |= (bits >> (idx / 2) & 1) << 4);
                Run { scale, offset, quants }
            }
            Self::Q6K => six_bits(packet, idx),
        }
    }
}

/// A run whose quants are so many steps above their weights.
fn centred(scale: f32, zero: f32, quants: [u8; RUN_LEN]) -> Run {
    Run { scale, offset: -zero * scale, quants }
}

fn half_at(bytes: &[u8], start: usize) -> f32 {
    f16::from_le_bytes([bytes[start], bytes[start + 1]]).to_f32()
}

fn first_sixteen(bytes: &[u8]) -> [u8; RUN_LEN] {
    *bytes.first_chunk().expect("a packet was cut to its length")
}

/// The low or the high halves of the first sixteen bytes.
fn nibbles(bytes: &[u8], is_high: bool) -> [u8; RUN_LEN] {
    first_sixteen(bytes).map(|byte| if is_high { byte >> 4 } else { byte & 15 })
}

/// The fifth bits of all 32 weights, then nibbles.
fn five_bits(bytes: &[u8], idx: usize) -> [u8; RUN_LEN] {
    let (high, low) = bytes.split_at(4);
    let mut quants = nibbles(low, idx == 1);
    for (i, quant) in quants.iter_mut().enumerate() {
        let bit = RUN_LEN * idx + i;
        *quant |= (high[bit / 8] >> (bit % 8) & 1) << 4;
    }
    quants
}

/// 32 bytes hold the low halves of 32 weights and the high halves of the next 32.
fn nibbles_k(bytes: &[u8], idx: usize) -> [u8; RUN_LEN] {
    nibbles(&bytes[idx / 4 * 32 + idx % 2 * RUN_LEN..], idx / 2 % 2 == 1)
}

/// Scale and offset of 32 weights: six bits each, of which the last four pairs are cut in two.
fn scales_k(packet: &[u8], idx: usize) -> (f32, f32) {
    let bits = &packet[4..16];
    let (scale, offset) = if idx < 4 {
        (bits[idx] & 63, bits[idx + 4] & 63)
    } else {
        let (low, high) = (bits[idx + 4], (bits[idx - 4] >> 6, bits[idx] >> 6));
        (low & 15 | high.0 << 4, low >> 4 | high.1 << 4)
    };
    (half_at(packet, 0) * f32::from(scale), -(half_at(packet, 2) * f32::from(offset)))
}

fn six_bits(packet: &[u8], idx: usize) -> Run {
    // 128 weights are 64 bytes of low halves and 32 bytes of high pairs of bits.
    let (part, idx_in_part) = (idx / 8, idx % 8);
    let (quarter, start) = (idx_in_part / 2, idx_in_part % 2 * RUN_LEN);
    let low = &packet[64 * part + quarter % 2 * 32 + start..];
    let high = first_sixteen(&packet[128 + 32 * part + start..]);
    let mut quants = nibbles(low, quarter >= 2);
    let bits = quants.iter_mut().zip(high);
    bits.for_each(|(quant, bits)| *quant |= (bits >> (2 * quarter) & 3) << 4);
    let scale = half_at(packet, 208) * f32::from(packet[192 + idx].cast_signed());
    centred(scale, 32.0, quants)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets with any bits in them and what ggml's own Python package makes of them: a name, the
    /// packet, and the bits of its weights, all in hexadecimal. Made by `quantised/expected.py`.
    const EXPECTED: &str = include_str!("quantised/expected.txt");

    fn hex(text: &str, digits: usize) -> Vec<u32> {
        let digits = text.as_bytes().chunks_exact(digits);
        digits.map(|d| u32::from_str_radix(str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn weights_are_those_of_ggml() {
        let mut seen = Vec::new();
        for line in EXPECTED.lines() {
            let parts: Vec<&str> = line.split(' ').collect();
            let kind = Quantisation::ALL.into_iter().find(|kind| format!("{kind:?}") == parts[0]);
            let kind = kind.unwrap();
            let packet: Vec<u8> = hex(parts[1], 2).into_iter().map(|byte| byte as u8).collect();
            assert_eq!(packet.len(), kind.packet_bytes(), "{kind:?}");
            // Zero has two signs; no sum that begins with zero can tell them apart.
            let bits = |weight: f32| (weight + 0.0).to_bits();
            let found: Vec<u32> = kind.expand(&packet).map(bits).collect();
            let expected = hex(parts[2], 8).into_iter().map(|word| bits(f32::from_bits(word)));
            assert_eq!(found, expected.collect::<Vec<_>>(), "{kind:?}");
            seen.push(kind);
        }
        assert!(Quantisation::ALL.iter().all(|kind| seen.contains(kind)), "only {seen:?}");
    }

    #[test]
    fn lengths() {
        for kind in Quantisation::ALL {
            assert_eq!(kind.num_bytes(2 * kind.packet_len()), 2 * kind.packet_bytes());
            assert_eq!(kind.num_weights(3 * kind.packet_bytes()), 3 * kind.packet_len());
        }
    }
}
