//! Judging programs by the tests of their benchmarks.
//!
//! A [`Suite`](suite::Suite) holds exams, a file of samples the programs that are put to them. The
//! [`Judge`](judge::Judge) runs each distinct program once with its tests, in a
//! [`Jail`](jail::Jail) and with the [`Toolchain`](toolchain::Toolchain) of its language, and gives
//! a [`Verdict`](verdict::Verdict). From the verdicts come the [`report`] and the [`results`].

pub mod exports;
pub mod infilling;
pub mod jail;
pub mod judge;
pub mod report;
pub mod results;
pub mod sample;
pub mod statistics;
pub mod suite;
pub mod toolchain;
pub mod verdict;
