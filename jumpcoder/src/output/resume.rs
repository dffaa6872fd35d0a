//! Which lines of an existing output stand.

use std::collections::HashMap;

use super::record::{LINE_START, Slot, Written};

/// The lines to keep, as (line, slot) in the order of the file: those of finished programs. A
/// piece of a line at the end and lines of failures are left out, so they are done again.
///
/// # Errors
///
/// The line that shows that the file is not ours to continue, and why.
pub(super) fn finished(
    lines: &[Vec<u8>],
    slots: &[Slot],
    settings: &str,
) -> Result<Vec<(usize, usize)>, (usize, String)> {
    let by_name: HashMap<_, _> =
        slots.iter().enumerate().map(|(idx, slot)| ((&*slot.id, slot.sample), idx)).collect();
    let mut first_lines: HashMap<usize, usize> = HashMap::new();
    let mut kept = Vec::new();
    for (idx, line) in lines.iter().enumerate() {
        let Ok(written) = serde_json::from_slice::<Written>(line) else {
            if is_piece(line) {
                break;
            }
            return Err((idx, "was not written by jumpcoder".to_owned()));
        };
        if written.error.is_some() {
            continue;
        }
        let name = (&*written.task_id, written.sample);
        let slot = *by_name.get(&name).ok_or_else(|| {
            let Written { task_id, sample, .. } = &written;
            (idx, format!("holds {task_id} (sample {sample}), which is not among this run's tasks"))
        })?;
        check(&written, &slots[slot], settings).map_err(|reason| (idx, reason))?;
        if let Some(first) = first_lines.insert(slot, idx) {
            return Err((idx, format!("repeats {} of line {}", written.task_id, first + 1)));
        }
        kept.push((idx, slot));
    }
    Ok(kept)
}

/// Only the last line can lack its end, and only what begins like ours may be thrown away.
fn is_piece(line: &[u8]) -> bool {
    let start = LINE_START.as_bytes();
    !line.ends_with(b"\n") && (line.starts_with(start) || start.starts_with(line))
}

fn check(written: &Written, slot: &Slot, settings: &str) -> Result<(), String> {
    if written.settings != settings {
        return Err(format!(
            "was made with other settings or another model (digest {}, now {settings})",
            written.settings
        ));
    }
    if written.problem != slot.problem {
        return Err(format!("was made from another prompt of {}", written.task_id));
    }
    Ok(())
}
