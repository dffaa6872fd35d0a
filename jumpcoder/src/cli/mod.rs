//! What the binary adds to the library: arguments, signals, messages, exit codes.

use std::io::{self, Write};

pub mod args;
pub mod bench;
pub mod device;
pub mod doctor;
pub mod ending;
pub mod eval;
pub mod generate;
pub mod inspect;
mod interrupt;
mod loading;
pub mod models;
pub mod plan;
pub mod selftest;
mod session;
mod summary;
mod threads;
pub mod throughput;

/// Tells the user something, on standard error.
pub fn say(text: &str) {
    // `eprintln!` would panic where standard error is closed; there is nobody to tell then.
    let _ = writeln!(io::stderr(), "{text}");
}
