//! Kernels on the device: each file is compiled and loaded once, and then found by name.

use std::collections::HashMap;
use std::ffi::{CString, c_int};

use super::super::{DeviceError, Kernel, KernelFile};
use super::calls::{self, Function, Module};
use super::platform::Session;

/// What is loaded.
#[derive(Default)]
pub struct Modules {
    files: HashMap<KernelFile, LoadedFile>,
    functions: Vec<Function>,
}

struct LoadedFile {
    module: Module,
    kernels: HashMap<String, Kernel>,
}

impl Modules {
    pub fn has(&self, file: &KernelFile) -> bool {
        self.files.contains_key(file)
    }

    /// Loads the machine code of a file, unless it is there already.
    pub fn load(
        &mut self,
        session: &Session,
        file: &KernelFile,
        cubin: &[u8],
    ) -> Result<(), DeviceError> {
        if self.has(file) {
            return Ok(());
        }
        let mut module = Module::NULL;
        // SAFETY: the cubin is whole, as the compiler or the cache gave it, and says its own size.
        unsafe { session.calls().load_module(&raw mut module, cubin.as_ptr().cast())? };
        self.files.insert(file.clone(), LoadedFile { module, kernels: HashMap::new() });
        Ok(())
    }

    /// A kernel of a loaded file.
    pub fn kernel(
        &mut self,
        session: &Session,
        file: &KernelFile,
        name: &str,
        max_shared_bytes: u32,
    ) -> Result<Kernel, DeviceError> {
        let loaded = self.files.get_mut(file).expect("the file was loaded");
        if let Some(kernel) = loaded.kernels.get(name) {
            return Ok(*kernel);
        }
        let function = function(session, loaded.module, name)?;
        allow_shared_bytes(session, function, max_shared_bytes)?;
        let kernel = Kernel(self.functions.len() as u64);
        self.functions.push(function);
        loaded.kernels.insert(name.to_owned(), kernel);
        Ok(kernel)
    }

    /// The driver's handle of a kernel.
    pub fn function(&self, kernel: Kernel) -> Function {
        *self.functions.get(kernel.0 as usize).expect("a kernel of this runtime")
    }

    pub fn unload(&self, session: &Session) {
        for file in self.files.values() {
            // SAFETY: nothing uses it any more. There is nobody to tell if it fails.
            let _ = unsafe { session.calls().unload_module(file.module) };
        }
    }
}

fn function(session: &Session, module: Module, name: &str) -> Result<Function, DeviceError> {
    let name = CString::new(name).expect("the name of a kernel");
    let mut function = Function::NULL;
    // SAFETY: the module is loaded, and the name outlives the call.
    unsafe { session.calls().get_function(&raw mut function, module, name.as_ptr())? };
    Ok(function)
}

/// Lets a kernel be launched with all the shared memory that the device has: without that it gets
/// 48 KiB.
fn allow_shared_bytes(
    session: &Session,
    function: Function,
    max_shared_bytes: u32,
) -> Result<(), DeviceError> {
    let mut static_bytes: c_int = 0;
    let num_static = calls::STATIC_SHARED_BYTES;
    // SAFETY: it writes an integer; the function's module is loaded.
    unsafe { session.calls().function_attribute(&raw mut static_bytes, num_static, function)? };
    let num_bytes = max_shared_bytes as c_int - static_bytes;
    let attribute = calls::MAX_DYNAMIC_SHARED_BYTES;
    // SAFETY: the function's module is loaded.
    Ok(unsafe { session.calls().set_function_attribute(function, attribute, num_bytes) }?)
}
