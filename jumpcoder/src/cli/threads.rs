//! How many threads to take. The models' arithmetic is bound by the vector units and by memory,
//! both of which two hardware threads of one core share, so one thread a core is best.

use std::collections::HashSet;
use std::fs;
use std::thread::available_parallelism;

/// The cores that this process may use.
pub fn default_num_threads() -> usize {
    let available = available_parallelism().map_or(1, usize::from);
    num_cores().map_or(available, |num_cores| available.min(num_cores)).max(1)
}

/// Physical cores, where Linux tells them: hardware threads of one core name the same siblings.
fn num_cores() -> Option<usize> {
    let siblings: HashSet<String> = fs::read_dir("/sys/devices/system/cpu")
        .ok()?
        .filter_map(|entry| {
            fs::read_to_string(entry.ok()?.path().join("topology/thread_siblings_list")).ok()
        })
        .collect();
    (!siblings.is_empty()).then_some(siblings.len())
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_at_least_one_thread() {
        assert!(super::default_num_threads() >= 1);
    }
}
