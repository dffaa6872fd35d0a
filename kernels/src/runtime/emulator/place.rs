//! Where a fault is: the line of the kernel's file.

use std::ffi::c_void;
use std::path::Path;

use super::ffi::Fault;

/// The file and the line where they are known, the CTA and the thread.
pub fn describe(fault: &Fault) -> String {
    let line = match fault.pc {
        0 if fault.line == 0 => fault.file(),
        0 => format!("{}:{}", fault.file(), fault.line),
        pc => line_of(pc).unwrap_or_else(|| "a line that is unknown".to_owned()),
    };
    let [x, y, z] = fault.cta;
    format!("{line}, CTA ({x}, {y}, {z}), thread {}", fault.thread)
}

/// The line that an instruction came from. The emulator's own headers are left out: what is inlined
/// from there was called by the line that is looked for.
fn line_of(pc: u64) -> Option<String> {
    let mut found = None;
    backtrace::resolve(pc as *mut c_void, |symbol| {
        let Some((path, line)) = symbol.filename().zip(symbol.lineno()) else { return };
        let is_own = path.parent().is_some_and(|folder| folder.ends_with("emu"));
        if !is_own && found.is_none() {
            found = path.file_name().map(|name| format!("{}:{line}", Path::new(name).display()));
        }
    });
    found
}
