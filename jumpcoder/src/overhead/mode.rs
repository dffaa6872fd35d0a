//! The modes that are compared.

use crate::mechanism::{Mechanism, Mechanisms};
use crate::settings::{Mode, Settings};

/// A way to run a workload.
#[derive(Clone, Debug)]
pub struct BenchMode {
    /// What tables call it.
    pub name: String,
    /// The settings, with the mechanisms that are on.
    pub settings: Settings,
}

impl BenchMode {
    /// Plain generation; everything; nothing shared; and everything but one, for each of `without`.
    pub fn all(settings: &Settings, without: &[Mechanism]) -> Vec<Self> {
        let everything = Mechanisms::all();
        let mode = |name: &str, mode: Mode, mechanisms: Mechanisms| Self {
            name: name.to_owned(),
            settings: Settings { mode, mechanisms, ..settings.clone() },
        };
        let mut modes = vec![
            mode("ar", Mode::Ar, everything),
            mode("jump", Mode::Jump, everything),
            mode("nothing shared", Mode::Jump, Mechanisms::none()),
        ];
        modes.extend(without.iter().map(|mechanism| {
            mode(&format!("without {mechanism}"), Mode::Jump, everything.without(*mechanism))
        }));
        modes
    }
}
