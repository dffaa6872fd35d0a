//! Ctrl-C: the first lets the finished programs reach the output, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell reports of a program that was ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// A flag that Ctrl-C sets. May be called once.
pub fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let installed = ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
        super::say("jumpcoder: stopping after this step; press Ctrl-C again to end at once");
    });
    if let Err(error) = installed {
        super::say(&format!("jumpcoder: Ctrl-C will end the run at once: {error}"));
    }
    flag
}
