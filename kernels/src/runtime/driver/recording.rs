//! Graphs and events: what is recorded in the stream.

use std::collections::HashMap;

use super::super::DeviceError;
use super::calls::{self, CapturedGraph, Event, ExecutableGraph};
use super::platform::Session;

/// Handles that are open, by the ids that the runtime gave out for them.
pub struct Open<T> {
    handles: HashMap<u64, T>,
    num_opened: u64,
}

impl<T> Default for Open<T> {
    fn default() -> Self {
        Self { handles: HashMap::new(), num_opened: 0 }
    }
}

impl<T: Copy> Open<T> {
    /// Gives a handle an id.
    pub fn put(&mut self, handle: T) -> u64 {
        self.num_opened += 1;
        self.handles.insert(self.num_opened, handle);
        self.num_opened
    }

    pub fn get(&self, id: u64) -> T {
        *self.handles.get(&id).expect("a handle of this runtime")
    }

    pub fn take(&mut self, id: u64) -> T {
        self.handles.remove(&id).expect("a handle of this runtime")
    }

    /// All that are open.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.handles.drain().map(|(_, handle)| handle)
    }
}

/// From now on the stream records. Relaxed: kernels may be loaded meanwhile.
pub fn begin_capture(session: &Session) -> Result<(), DeviceError> {
    // SAFETY: the stream is the session's.
    Ok(unsafe { session.calls().begin_capture(session.stream, calls::CAPTURE_RELAXED) }?)
}

/// What the stream recorded, ready to run.
pub fn end_capture(session: &Session) -> Result<ExecutableGraph, DeviceError> {
    let calls = session.calls();
    let mut captured = CapturedGraph::NULL;
    // SAFETY: it writes a handle, which is destroyed below.
    unsafe { calls.end_capture(session.stream, &raw mut captured)? };
    let mut graph = ExecutableGraph::NULL;
    // SAFETY: the captured graph is there; what is made of it doesn't need it.
    let made = unsafe { calls.instantiate(&raw mut graph, captured, 0) };
    // SAFETY: it isn't used afterwards.
    unsafe { calls.destroy_captured(captured)? };
    made?;
    Ok(graph)
}

/// Runs a graph.
///
/// # Safety
///
/// What its arguments point to is still there.
pub unsafe fn replay(session: &Session, graph: ExecutableGraph) -> Result<(), DeviceError> {
    // SAFETY: the graph is open; the rest is the caller's promise.
    Ok(unsafe { session.calls().launch_graph(graph, session.stream) }?)
}

/// Closes a graph, which the driver does when it has run.
pub fn forget(session: &Session, graph: ExecutableGraph) {
    // SAFETY: it isn't used afterwards. There is nobody to tell if it fails.
    let _ = unsafe { session.calls().destroy_graph(graph) };
}

/// Marks the end of the stream.
pub fn record(session: &Session) -> Result<Event, DeviceError> {
    let mut event = Event::NULL;
    // SAFETY: it writes a handle.
    unsafe { session.calls().create_event(&raw mut event, 0)? };
    // SAFETY: both are the session's.
    match unsafe { session.calls().record_event(event, session.stream) } {
        Ok(()) => Ok(event),
        Err(failed) => {
            close(session, event);
            Err(failed.into())
        }
    }
}

/// Microseconds between two events, when the second has come.
pub fn elapsed_us(session: &Session, from: Event, to: Event) -> Result<f32, DeviceError> {
    let mut ms = 0.0;
    // SAFETY: both were recorded in the session's stream.
    unsafe {
        session.calls().wait_for_event(to)?;
        session.calls().elapsed_ms(&raw mut ms, from, to)?;
    }
    Ok(ms * 1000.0)
}

/// Closes an event.
pub fn close(session: &Session, event: Event) {
    // SAFETY: it isn't used afterwards. There is nobody to tell if it fails.
    let _ = unsafe { session.calls().destroy_event(event) };
}
