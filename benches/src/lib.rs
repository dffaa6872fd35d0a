//! What the model's passes must cost at least on a machine. What they do cost is measured by
//! `jumpcoder bench`; their parts alone by `cargo bench`.

pub mod args;
pub mod floor;
pub mod machine;
pub mod passes;
