//! Work over the threads of the pool that the caller runs in.
//!
//! An operation is cut into at most one part for each thread: a decode step is some forty
//! operations of a few microseconds each, and every further part would cost as much as it saves. No
//! part changes the order of a reduction, so the number of threads changes no bit.

use std::hint::spin_loop;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::Yield;

/// Multiply-adds that a part must have to be worth handing over: about three microseconds of
/// streaming weights (`examples/gemm.rs`), where a fork and join takes one or two.
const MIN_PART_WORK: usize = 32 * 1024;

/// Looks for work in vain after which a thread may sleep: longer than the serial pieces of a pass
/// (with 500 a jump takes 15 % more time, with 100,000 no less; `jump-benches speed`), and bounded,
/// because on a busy machine the caller may have lost its processor.
const MAX_IDLE_LOOKS: usize = 5_000;

/// Keeps the pool's other threads awake while it lives.
///
/// Operations follow each other within microseconds, but a thread of the pool that finds no work
/// falls asleep as fast, and waking it takes longer than a small operation does. So each further
/// thread gets a job that looks for work until the pass has ended.
///
/// The pass waits for none of these jobs. A thread that waits in a join may pick one up, which ends
/// by itself when nothing is left to do.
pub struct Pass {
    has_ended: Arc<AtomicBool>,
}

impl Pass {
    /// Calls the other threads of the pool that the caller runs in, if it does and there are any.
    pub fn begin() -> Self {
        let has_ended = Arc::new(AtomicBool::new(false));
        // From outside any pool each operation goes there by itself: no thread waits in it.
        if rayon::current_thread_index().is_some() {
            for _ in 1..rayon::current_num_threads() {
                let has_ended = Arc::clone(&has_ended);
                rayon::spawn(move || help(&has_ended));
            }
        }
        Self { has_ended }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}

/// Runs what other threads have to give away until the pass has ended or falls silent.
fn help(has_ended: &AtomicBool) {
    let mut num_idle_looks = 0;
    while num_idle_looks < MAX_IDLE_LOOKS && !has_ended.load(Ordering::Relaxed) {
        if rayon::yield_now() == Some(Yield::Executed) {
            num_idle_looks = 0;
        } else {
            num_idle_looks += 1;
            spin_loop();
        }
    }
}

/// Parts in which to cut `num_items` items that take `work` multiply-adds together.
pub fn num_parts(num_items: usize, work: usize) -> usize {
    let useful = num_items.min(work / MIN_PART_WORK);
    // Asks for the pool only when it matters: the first call from outside any pool starts one.
    if useful < 2 { 1 } else { useful.min(rayon::current_num_threads()) }
}

/// Cuts `0..num_items` into `num_parts` ranges as equal as can be and runs each.
pub fn split(num_items: usize, num_parts: usize, run: &(impl Fn(Range<usize>) + Sync)) {
    split_range(0..num_items, num_parts, run);
}

fn split_range(items: Range<usize>, num_parts: usize, run: &(impl Fn(Range<usize>) + Sync)) {
    if num_parts <= 1 {
        return run(items);
    }
    let left_parts = num_parts / 2;
    let middle = items.start + items.len() * left_parts / num_parts;
    rayon::join(
        || split_range(items.start..middle, left_parts, run),
        || split_range(middle..items.end, num_parts - left_parts, run),
    );
}

/// Cuts `rows`, each `width` long, into `num_parts` runs of whole rows; `run` gets the index of its
/// first row and its rows.
pub fn split_rows<T: Send>(
    rows: &mut [T],
    width: usize,
    num_parts: usize,
    run: &(impl Fn(usize, &mut [T]) + Sync),
) {
    split_rows_from(0, rows, width, num_parts, run);
}

fn split_rows_from<T: Send>(
    first_row: usize,
    rows: &mut [T],
    width: usize,
    num_parts: usize,
    run: &(impl Fn(usize, &mut [T]) + Sync),
) {
    if num_parts <= 1 {
        return run(first_row, rows);
    }
    let left_parts = num_parts / 2;
    let left_rows = rows.len() / width * left_parts / num_parts;
    let (left, right) = rows.split_at_mut(left_rows * width);
    let right_row = first_row + left_rows;
    rayon::join(
        || split_rows_from(first_row, left, width, left_parts, run),
        || split_rows_from(right_row, right, width, num_parts - left_parts, run),
    );
}

/// An array that several threads write, each its own places: columns of the same rows.
pub struct Shared<'a> {
    start: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for a `&mut [f32]`, which is `Send`.
unsafe impl Send for Shared<'_> {}
// SAFETY: the only access is `slice_mut`, whose callers promise to keep apart.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Lends `values` out for as long as this lives.
    pub fn new(values: &'a mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), borrow: PhantomData }
    }

    /// The elements in `range`.
    ///
    /// # Safety
    ///
    /// While the slice lives, no other slice of this array that overlaps it does.
    #[expect(clippy::mut_from_ref, reason = "keeping apart is the caller's promise")]
    pub unsafe fn slice_mut(&self, range: Range<usize>) -> &mut [f32] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        // SAFETY: in bounds by the assert, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Pass, num_parts, split, split_rows};

    #[test]
    fn a_pass_ends_whatever_runs_beside_it() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("a pool");
        let visits = AtomicUsize::new(0);
        let pass = || {
            let _pass = Pass::begin();
            for _ in 0..100 {
                split(3, 3, &|items| {
                    visits.fetch_add(items.len(), Ordering::Relaxed);
                });
            }
        };
        pool.scope(|scope| (0..20).for_each(|_| scope.spawn(|_| pass())));
        assert_eq!(visits.into_inner(), 20 * 100 * 3);
    }

    #[test]
    fn every_item_runs_once() {
        for num_items in [0, 1, 2, 7, 64] {
            for num_parts in [1, 2, 3, 5] {
                let visits: Vec<AtomicUsize> = (0..num_items).map(|_| 0.into()).collect();
                split(num_items, num_parts, &|items| {
                    items.for_each(|i| _ = visits[i].fetch_add(1, Ordering::Relaxed));
                });
                assert!(visits.iter().all(|visit| visit.load(Ordering::Relaxed) == 1));

                let mut rows = vec![0; num_items * 3];
                split_rows(&mut rows, 3, num_parts, &|first, rows| {
                    let numbered = rows.iter_mut().enumerate();
                    numbered.for_each(|(i, value)| *value += first * 3 + i);
                });
                assert_eq!(rows, (0..num_items * 3).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn little_work_is_one_part() {
        assert_eq!(num_parts(100, 1000), 1);
        assert_eq!(num_parts(1, usize::MAX), 1);
    }
}
