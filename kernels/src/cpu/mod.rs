//! The operations on an ordinary processor.
