//! What the binary promises to whoever runs it: the programs, the files, the messages, the exit
//! codes.

#![cfg(unix)]

mod bench;
mod checkpoints;
mod devices;
mod doctor;
mod eval;
mod eval_hostile;
mod eval_languages;
mod folder;
mod inspect;
mod interruptions;
mod model_files;
mod models;
mod mutations;
mod outputs;
mod problems;
mod programs;
mod selftest;
mod throughput;
