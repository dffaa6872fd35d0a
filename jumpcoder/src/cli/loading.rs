//! How far models are loaded, where that takes a while.

use std::io;

use jump_models::Checkpoint;
use jumpcoder::listener::ticker::Ticker;

use super::plan::View;

/// What is smaller is there before anybody has read a line about it.
const MIN_BYTES: usize = 256 << 20;

/// Shows how far the weights of a large model are loaded, from now on.
pub fn watch(checkpoint: &Checkpoint, view: View) {
    if checkpoint.config.weight_bytes() < MIN_BYTES {
        return;
    }
    let state = format!("tensors of {}", checkpoint.name);
    let mut shown: Option<Shown> = None;
    checkpoint.weights.watch(Box::new(move |num_read, num_total| {
        if shown.is_none() {
            shown = Shown::new(view, num_total);
        }
        if let Some(Shown(Some(ticker))) = &mut shown {
            ticker.num_done = num_read;
            ticker.show(&state);
        }
    }));
}

/// A ticker that leaves the terminal as it was once the weights are loaded.
struct Shown(Option<Ticker>);

impl Shown {
    fn new(view: View, num_total: usize) -> Option<Self> {
        match view {
            View::Nothing => None,
            View::Bar | View::Watch { .. } => Some(Self(Some(Ticker::bar(num_total, 0)))),
            View::Lines => Some(Self(Some(Ticker::lines(Box::new(io::stderr()), num_total, 0)))),
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(ticker) = self.0.take() {
            ticker.end();
        }
    }
}
