//! The emulator: that it runs every operation as the reference says, and that it finds the bugs it
//! is there for.

mod operations;
mod planted;
mod runtime;
