//! Does a device compute what it should? Every operation against its reference in double precision,
//! and the embedded model against the processor.

pub mod model;
pub mod operations;
mod shape;

pub use self::shape::KernelShape;
