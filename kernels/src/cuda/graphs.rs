//! Recorded passes: launching hundreds of kernels one by one takes longer than a decoding step on a
//! fast device, replaying them takes one call.
//!
//! A shape is recorded when it comes again: most come once. Shapes are padded lengths of small
//! passes, so there aren't many.

use std::collections::HashMap;

use crate::runtime::{DeviceError, Graph, SharedRuntime};

/// Graphs that are kept at most; each takes some megabytes of the host's memory.
const NUM_GRAPHS_MAX: usize = 256;

/// Everything that a pass's launches depend on.
pub type PassShape = Vec<u32>;

/// What to do with a pass of some shape.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Launch its kernels.
    Launch,
    /// Launch them into a graph, and keep it.
    Record,
    /// Replay the graph that is there.
    Replay,
}

/// The graphs of a device, by shape.
pub struct Graphs {
    runtime: SharedRuntime,
    /// `None` for a shape that came once.
    seen: HashMap<PassShape, Option<Graph>>,
    num_recorded: usize,
}

impl Graphs {
    /// None yet.
    pub fn new(runtime: SharedRuntime) -> Self {
        Self { runtime, seen: HashMap::new(), num_recorded: 0 }
    }

    /// What to do with a pass of `shape`, which is about to run.
    pub fn plan(&mut self, shape: &PassShape) -> Plan {
        match self.seen.get(shape) {
            Some(Some(_)) => Plan::Replay,
            Some(None) if self.num_recorded < NUM_GRAPHS_MAX => Plan::Record,
            Some(None) => Plan::Launch,
            None => {
                self.seen.insert(shape.clone(), None);
                Plan::Launch
            }
        }
    }

    /// Keeps the graph of a shape.
    pub fn keep(&mut self, shape: &PassShape, graph: Graph) {
        let before = self.seen.insert(shape.clone(), Some(graph));
        assert_eq!(before, Some(None), "a shape is recorded once, after it was seen");
        self.num_recorded += 1;
    }

    /// Replays the graph of a shape.
    pub fn replay(&self, shape: &PassShape) -> Result<(), DeviceError> {
        let graph = self.seen[shape].as_ref().expect("the plan was to replay it");
        // SAFETY: a graph's launches name weights, activations and workspaces, which are there as
        // long as the backend is, and sections of the staging memory, which lie where they lay for
        // a pass of the same shape.
        unsafe { self.runtime.replay(graph) }
    }
}

impl Drop for Graphs {
    fn drop(&mut self) {
        for graph in self.seen.drain().filter_map(|(_, graph)| graph) {
            self.runtime.forget(graph);
        }
    }
}
