//! The emulator's C++ side: the twin of `launch.h` and `memory.h` in `emu/`, and the only file that
//! calls it.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;

use bytemuck::{Pod, Zeroable};

use super::super::{Args, LaunchShape};

/// An entry of the table of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct KernelEntry(NonNull<c_void>);

// SAFETY: the table is filled before `main` and never changes.
unsafe impl Send for KernelEntry {}
// SAFETY: likewise.
unsafe impl Sync for KernelEntry {}

/// What the CTAs of a launch have in common.
#[repr(C)]
struct Launch {
    kernel: KernelEntry,
    args: *mut *mut c_void,
    grid: [u32; 3],
    num_threads: u32,
    shared_bytes: u32,
    memory: *const c_void,
    number: u64,
}

// SAFETY: the arguments are only read while a launch runs, and the memory's shadow takes many
// threads.
unsafe impl Sync for Launch {}

/// What a kernel did wrong, and where: a line, or the address of the instruction behind it.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Fault {
    /// 0 if the line is known.
    pub pc: u64,
    /// Of the file; 0 if only words say where.
    pub line: u32,
    /// As x, y, z.
    pub cta: [u32; 3],
    /// In the CTA.
    pub thread: u32,
    /// Without its folder.
    file: [u8; 128],
    what: [u8; 512],
    padding: [u8; 4],
}

impl Fault {
    /// The file.
    pub fn file(&self) -> String {
        text(&self.file)
    }

    /// What it did.
    pub fn what(&self) -> String {
        text(&self.what)
    }
}

fn text(bytes: &[u8]) -> String {
    let text = CStr::from_bytes_until_nul(bytes).expect("the emulator's texts end");
    text.to_string_lossy().into_owned()
}

unsafe extern "C" {
    fn emu_find_kernel(
        is_strict: bool,
        file: *const c_char,
        name: *const c_char,
    ) -> Option<NonNull<c_void>>;
    fn emu_num_params(kernel: KernelEntry) -> u32;
    fn emu_param_bytes(kernel: KernelEntry, param_idx: u32) -> u32;
    fn emu_run_cta(launch: *const Launch, cta_idx: u64, fault: *mut Fault) -> bool;
    #[cfg(test)]
    fn emu_find_offset(name: *const c_char) -> u32;
    fn emu_new_memory(is_strict: bool) -> Option<NonNull<c_void>>;
    fn emu_drop_memory(memory: NonNull<c_void>);
    fn emu_allocate(memory: NonNull<c_void>, num_bytes: usize) -> *mut u8;
    fn emu_free(memory: NonNull<c_void>, at: *mut u8, num_bytes: usize);
    fn emu_upload(memory: NonNull<c_void>, to: *mut u8, from: *const u8, num_bytes: usize);
    fn emu_clear(memory: NonNull<c_void>, at: *mut u8, num_bytes: usize);
}

impl KernelEntry {
    /// The kernel `name` of the file with this title.
    pub fn find(is_strict: bool, title: &str, name: &str) -> Option<Self> {
        let title = CString::new(title).ok()?;
        let name = CString::new(name).ok()?;
        // SAFETY: both are texts that end in 0.
        unsafe { emu_find_kernel(is_strict, title.as_ptr(), name.as_ptr()) }.map(Self)
    }

    /// The sizes of its parameters.
    pub fn param_sizes(self) -> Vec<usize> {
        // SAFETY: it is an entry of the table.
        let num = unsafe { emu_num_params(self) };
        // SAFETY: likewise, and the index is below the number of parameters.
        (0..num).map(|i| unsafe { emu_param_bytes(self, i) as usize }).collect()
    }
}

/// A launch that is ready to run.
pub struct Ready<'a> {
    launch: Launch,
    _args: &'a mut Args,
}

impl<'a> Ready<'a> {
    /// A launch of `kernel`, the memory's launch `number`; the arguments have the sizes that it
    /// wants.
    pub fn new(
        kernel: KernelEntry,
        shape: LaunchShape,
        args: &'a mut Args,
        memory: MemoryRef,
        number: u64,
    ) -> Self {
        assert_eq!(kernel.param_sizes(), args.sizes(), "the arguments of a kernel");
        let pointers = args.pointers().as_mut_ptr();
        let launch = Launch {
            kernel,
            args: pointers,
            grid: shape.grid,
            num_threads: shape.num_threads,
            shared_bytes: shape.shared_bytes,
            memory: memory.0.as_ptr(),
            number,
        };
        Self { launch, _args: args }
    }

    /// How many CTAs it has.
    pub fn num_ctas(&self) -> u64 {
        self.launch.grid.iter().map(|num| u64::from(*num)).product()
    }

    /// A function that runs a CTA, on any thread.
    ///
    /// # Safety
    ///
    /// Every pointer in the arguments points to as much memory as the kernel reads and writes.
    pub unsafe fn runner(&self) -> impl Fn(u64) -> Result<(), Box<Fault>> + Sync + '_ {
        let launch = &self.launch;
        move |cta_idx| {
            let mut fault = Box::new(Fault::zeroed());
            // SAFETY: the launch is whole, and the caller promised the rest.
            let is_ok = unsafe { emu_run_cta(launch, cta_idx, &raw mut *fault) };
            if is_ok { Ok(()) } else { Err(fault) }
        }
    }
}

/// The device's memory, as a launch looks at it.
#[derive(Clone, Copy)]
pub struct MemoryRef(NonNull<c_void>);

/// The device's memory.
pub struct Memory(NonNull<c_void>);

// SAFETY: it is only used by `&mut` methods, and belongs to no thread.
unsafe impl Send for Memory {}

impl Memory {
    /// Memory of which nothing is used; `None` if the system gives no room for it.
    pub fn new(is_strict: bool) -> Option<Self> {
        // SAFETY: it needs nothing.
        unsafe { emu_new_memory(is_strict) }.map(Self)
    }

    /// For launches, which must end before the memory does.
    pub fn for_launches(&self) -> MemoryRef {
        MemoryRef(self.0)
    }

    /// Poisoned bytes, or `None` if no addresses are left.
    pub fn allocate(&mut self, num_bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: the memory is there.
        NonNull::new(unsafe { emu_allocate(self.0, num_bytes) })
    }

    /// Gives bytes back.
    ///
    /// # Safety
    ///
    /// [`Memory::allocate`] gave them, with this size.
    pub unsafe fn free(&mut self, at: *mut u8, num_bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { emu_free(self.0, at, num_bytes) }
    }

    /// Copies bytes.
    ///
    /// # Safety
    ///
    /// As many are allocated.
    pub unsafe fn upload(&mut self, to: *mut u8, bytes: &[u8]) {
        // SAFETY: the caller's promise.
        unsafe { emu_upload(self.0, to, bytes.as_ptr(), bytes.len()) }
    }

    /// Zeroes bytes.
    ///
    /// # Safety
    ///
    /// They are allocated.
    pub unsafe fn clear(&mut self, at: *mut u8, num_bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { emu_clear(self.0, at, num_bytes) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: nothing uses it any more.
        unsafe { emu_drop_memory(self.0) }
    }
}

/// The offset of a field of `params.h`, named as `GatherParams.x`, or the size of a struct; `None`
/// if there is none of this name.
#[cfg(test)]
pub fn offset(name: &str) -> Option<usize> {
    let name = CString::new(name).ok()?;
    // SAFETY: it is a text that ends in 0.
    let offset = unsafe { emu_find_offset(name.as_ptr()) };
    (offset != u32::MAX).then_some(offset as usize)
}
