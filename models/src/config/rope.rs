//! The rotary embedding: its keys, and the frequencies that follow from them.

use std::f64::consts::TAU;

use super::keys::Keys;

/// A rotary embedding over whole heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// How they are changed for longer contexts.
    pub scaling: RopeScaling,
}

/// How the frequencies of a rotary embedding are changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Positions are divided by a factor; 1 for none.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Low frequencies are divided by a factor, high ones stay, those between are mixed (Llama 3).
    Llama3 {
        /// The factor.
        factor: f64,
        /// Waves longer than the original context over this are low frequencies.
        low_freq_factor: f64,
        /// Waves shorter than the original context over this are high frequencies.
        high_freq_factor: f64,
        /// The original context, in tokens.
        original_context_len: f64,
    },
}

impl Rope {
    /// Radians that each pair of a head of `head_dim` elements turns with a position.
    pub(crate) fn frequencies(&self, head_dim: usize) -> impl Iterator<Item = f64> {
        (0..head_dim / 2).map(move |pair| {
            let exponent = 2.0 * pair as f64 / head_dim as f64;
            self.scaling.scaled(1.0 / self.theta.powf(exponent))
        })
    }

    /// Older configs have `rope_theta` and `rope_scaling`, newer ones `rope_parameters` with both.
    pub(super) fn read(keys: &Keys) -> Result<Self, String> {
        /// Of all of transformers' classes that are read here.
        const DEFAULT_THETA: f64 = 10_000.0;
        let parameters = match keys.object("rope_parameters")? {
            Some(parameters) => Some(parameters),
            None => keys.object("rope_scaling")?,
        };
        for keys in [Some(keys), parameters.as_ref()].into_iter().flatten() {
            let part: f64 = keys.value_or("partial_rotary_factor", 1.0)?;
            if part.to_bits() != 1.0_f64.to_bits() {
                return Err(format!("partial_rotary_factor {part} isn't supported (1 is)"));
            }
        }
        let theta = keys.value_or("rope_theta", DEFAULT_THETA)?;
        let Some(parameters) = parameters else {
            return Self { theta, scaling: RopeScaling::Linear { factor: 1.0 } }.checked();
        };
        let theta = parameters.value_or("rope_theta", theta)?;
        Self { theta, scaling: RopeScaling::read(keys, &parameters)? }.checked()
    }

    /// So that no frequency is above 1, and none becomes infinite.
    fn checked(self) -> Result<Self, String> {
        let (RopeScaling::Linear { factor } | RopeScaling::Llama3 { factor, .. }) = self.scaling;
        let theta = self.theta;
        if theta.is_finite() && theta >= 1.0 && factor.is_finite() && factor >= 1.0 {
            return Ok(self);
        }
        Err(format!("the rope's theta {theta} and factor {factor} must be at least 1"))
    }
}

impl RopeScaling {
    fn read(keys: &Keys, parameters: &Keys) -> Result<Self, String> {
        let old = parameters.value_or("type", "default".to_owned())?;
        let kind = parameters.value_or("rope_type", old)?;
        let number = |key: &str| -> Result<f64, String> {
            let found = parameters.optional(key)?;
            found.ok_or_else(|| format!("{kind} rope scaling without a {key}"))
        };
        match &*kind {
            "default" => Ok(Self::Linear { factor: 1.0 }),
            "linear" => Ok(Self::Linear { factor: number("factor")? }),
            "llama3" => {
                let [low, high] = [number("low_freq_factor")?, number("high_freq_factor")?];
                if !(low > 0.0 && high > low && high.is_finite()) {
                    return Err(format!(
                        "low_freq_factor {low} and high_freq_factor {high} must be above 0 and rise"
                    ));
                }
                let original = "original_max_position_embeddings";
                let original_context_len = match parameters.optional(original)? {
                    Some(len) => len,
                    None => keys.required::<f64>("max_position_embeddings")?,
                };
                Ok(Self::Llama3 {
                    factor: number("factor")?,
                    low_freq_factor: low,
                    high_freq_factor: high,
                    original_context_len,
                })
            }
            other => Err(format!("rope scaling {other:?} isn't supported (linear and llama3 are)")),
        }
    }

    fn scaled(&self, frequency: f64) -> f64 {
        match *self {
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_context_len } => {
                // Turns in the original context, from the low factor to the high one as 0 to 1.
                let turns = original_context_len * frequency / TAU;
                let share = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
                let share = share.clamp(0.0, 1.0);
                (1.0 - share) * frequency / factor + share * frequency
            }
        }
    }
}
