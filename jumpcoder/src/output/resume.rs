//! Which lines of an existing output stand.

use std::collections::HashMap;

use super::line_file::Kept;
use super::record::{Slot, Written};

/// The lines to keep: those of finished programs. Lines of failures are left out, so they are done
/// again.
pub(super) fn finished(lines: &[Vec<u8>], slots: &[Slot], settings: &str) -> Kept {
    let by_name: HashMap<_, _> =
        slots.iter().enumerate().map(|(idx, slot)| ((&*slot.id, slot.sample), idx)).collect();
    let mut first_lines: HashMap<usize, usize> = HashMap::new();
    let mut kept = Vec::new();
    for (idx, line) in lines.iter().enumerate() {
        let Ok(written) = serde_json::from_slice::<Written>(line) else {
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
