//! Who listens to a run: each of these is an [`Observer`](crate::task::Observer).

pub mod progress;
pub mod ticker;
pub mod trace;
pub mod watch;
