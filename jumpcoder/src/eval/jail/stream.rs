//! What a program writes: read to its end, kept only as much as is of use.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use super::KIB;

/// A verdict looks at the last lines.
const KEPT_BYTES: usize = 8 * KIB as usize;

/// A stream that is being read.
pub(super) struct Stream {
    limit_bytes: u64,
    num_bytes: Arc<AtomicU64>,
    reader: JoinHandle<Vec<u8>>,
}

impl Stream {
    /// Reads all of `source`, so that its writer never waits.
    pub(super) fn read(source: impl Read + Send + 'static, limit_bytes: u64) -> Self {
        let num_bytes = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&num_bytes);
        let reader = std::thread::spawn(move || last_part(source, &counter));
        Self { limit_bytes, num_bytes, reader }
    }

    /// Was more written than is allowed?
    pub(super) fn is_too_long(&self) -> bool {
        self.num_bytes.load(Ordering::Relaxed) > self.limit_bytes
    }

    /// The last part, once all writers have gone.
    pub(super) fn text(self) -> String {
        let kept = self.reader.join().expect("reading doesn't panic");
        String::from_utf8_lossy(&kept).into_owned()
    }
}

fn last_part(mut source: impl Read, counter: &AtomicU64) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut part = [0; KEPT_BYTES];
    // An error is an end, too.
    while let Ok(num @ 1..) = source.read(&mut part) {
        counter.fetch_add(num as u64, Ordering::Relaxed);
        kept.extend_from_slice(&part[..num]);
        kept.drain(..kept.len().saturating_sub(KEPT_BYTES));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_is_kept() {
        let text = "x".repeat(3 * KEPT_BYTES) + "end";
        let stream = Stream::read(std::io::Cursor::new(text.clone()), 100);
        while !stream.reader.is_finished() {
            std::thread::yield_now();
        }
        assert!(stream.is_too_long());
        assert_eq!(stream.text(), text[text.len() - KEPT_BYTES..]);
    }
}
