//! The functions of the driver, and the one place where their results become errors.
//!
//! They are declared here and looked up by name in the library that was found. So a driver that
//! lacks one is an ordinary error, and a number that none of today's headers knows is still only a
//! number. A test compares the declarations with generated bindings.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;

use libloading::Library;

use super::super::{DeviceError, DevicePtr, TensorMap};

pub type Status = u32;
pub type Device = c_int;

/// A pointer to something of the driver's own.
macro_rules! handles {
    ($($name:ident)*) => {
        $(
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[repr(transparent)]
            pub struct $name(pub *mut c_void);

            // SAFETY: only the driver looks behind it, and that from any thread.
            unsafe impl Send for $name {}
            // SAFETY: as above.
            unsafe impl Sync for $name {}

            impl $name {
                pub const NULL: Self = Self(std::ptr::null_mut());
            }
        )*
    };
}

handles! { Context Stream Event Module Function CapturedGraph ExecutableGraph }

/// Declares the functions: `name = symbol(parameters)`.
macro_rules! calls {
    ($($name:ident = $symbol:ident($($arg:ident: $type:ty),* $(,)?);)*) => {
        pub struct Calls {
            $($name: unsafe extern "C" fn($($type),*) -> Status,)*
            /// Unloaded after everything above is gone.
            _library: Library,
        }

        impl Calls {
            /// The sizes of the parameters of each function, here and in the generated bindings.
            #[cfg(test)]
            fn parameter_sizes() -> Vec<(&'static str, Vec<usize>, Vec<usize>)> {
                use cudarc::driver::sys;
                use tests::{Sizes, any_type};
                vec![$((
                    stringify!($symbol),
                    vec![$(size_of::<$type>()),*],
                    (sys::$symbol as unsafe fn($(any_type!($arg)),*) -> _).sizes(),
                )),*]
            }

            /// Opens the library.
            pub fn open(path: &Path) -> Result<Self, String> {
                // SAFETY: the driver does nothing but set itself up when it is loaded.
                let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
                $(
                    // SAFETY: it is declared as cuda.h does.
                    let $name = unsafe {
                        library
                            .get::<unsafe extern "C" fn($($type),*) -> Status>(stringify!($symbol))
                    };
                    let $name = *$name.map_err(|_| concat!("it has no ", stringify!($symbol)))?;
                )*
                Ok(Self { $($name,)* _library: library })
            }

            $(
                /// # Safety
                ///
                /// What the driver's manual says of the function.
                #[allow(dead_code, reason = "the names of errors are asked for without a check")]
                #[allow(clippy::too_many_arguments, reason = "the driver's own")]
                pub unsafe fn $name(&self, $($arg: $type),*) -> Result<(), Failed> {
                    // SAFETY: the caller's promise.
                    let status = unsafe { (self.$name)($($arg),*) };
                    self.check(stringify!($symbol), status)
                }
            )*
        }
    };
}

calls! {
    init = cuInit(flags: u32);
    driver_version = cuDriverGetVersion(version: *mut c_int);
    name_error = cuGetErrorName(status: Status, name: *mut *const c_char);
    describe_error = cuGetErrorString(status: Status, text: *mut *const c_char);

    device_count = cuDeviceGetCount(count: *mut c_int);
    device = cuDeviceGet(device: *mut Device, idx: c_int);
    device_name = cuDeviceGetName(name: *mut c_char, num_bytes: c_int, device: Device);
    device_attribute = cuDeviceGetAttribute(value: *mut c_int, attribute: u32, device: Device);
    retain_context = cuDevicePrimaryCtxRetain(context: *mut Context, device: Device);
    release_context = cuDevicePrimaryCtxRelease_v2(device: Device);
    set_context = cuCtxSetCurrent(context: Context);

    memory = cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    allocate = cuMemAlloc_v2(ptr: *mut DevicePtr, num_bytes: usize);
    free = cuMemFree_v2(ptr: DevicePtr);
    allocate_pinned = cuMemHostAlloc(ptr: *mut *mut c_void, num_bytes: usize, flags: u32);
    free_pinned = cuMemFreeHost(ptr: *mut c_void);
    upload = cuMemcpyHtoDAsync_v2(
        to: DevicePtr, from: *const c_void, num_bytes: usize, stream: Stream
    );
    download = cuMemcpyDtoHAsync_v2(
        to: *mut c_void, from: DevicePtr, num_bytes: usize, stream: Stream
    );
    fill = cuMemsetD8Async(to: DevicePtr, value: u8, num_bytes: usize, stream: Stream);

    create_stream = cuStreamCreate(stream: *mut Stream, flags: u32);
    synchronize = cuStreamSynchronize(stream: Stream);
    destroy_stream = cuStreamDestroy_v2(stream: Stream);

    load_module = cuModuleLoadData(module: *mut Module, image: *const c_void);
    unload_module = cuModuleUnload(module: Module);
    get_function = cuModuleGetFunction(
        function: *mut Function, module: Module, name: *const c_char
    );
    function_attribute = cuFuncGetAttribute(
        value: *mut c_int, attribute: u32, function: Function
    );
    set_function_attribute = cuFuncSetAttribute(
        function: Function, attribute: u32, value: c_int
    );
    launch = cuLaunchKernel(
        function: Function,
        grid_x: u32, grid_y: u32, grid_z: u32,
        cta_x: u32, cta_y: u32, cta_z: u32,
        shared_bytes: u32,
        stream: Stream,
        args: *mut *mut c_void,
        extra: *mut *mut c_void,
    );
    encode_tensor_map = cuTensorMapEncodeTiled(
        map: *mut TensorMap,
        element: u32,
        rank: u32,
        base: DevicePtr,
        dims: *const u64,
        strides: *const u64,
        box_dims: *const u32,
        element_strides: *const u32,
        interleave: u32,
        swizzle: u32,
        promotion: u32,
        fill: u32,
    );

    begin_capture = cuStreamBeginCapture_v2(stream: Stream, mode: u32);
    end_capture = cuStreamEndCapture(stream: Stream, graph: *mut CapturedGraph);
    instantiate = cuGraphInstantiateWithFlags(
        executable: *mut ExecutableGraph, graph: CapturedGraph, flags: u64
    );
    destroy_captured = cuGraphDestroy(graph: CapturedGraph);
    launch_graph = cuGraphLaunch(graph: ExecutableGraph, stream: Stream);
    destroy_graph = cuGraphExecDestroy(graph: ExecutableGraph);

    create_event = cuEventCreate(event: *mut Event, flags: u32);
    record_event = cuEventRecord(event: Event, stream: Stream);
    wait_for_event = cuEventSynchronize(event: Event);
    elapsed_ms = cuEventElapsedTime(ms: *mut f32, from: Event, to: Event);
    destroy_event = cuEventDestroy_v2(event: Event);
}

/// `CUresult`.
pub const SUCCESS: Status = 0;
pub const OUT_OF_MEMORY: Status = 2;
pub const NO_DEVICE: Status = 100;

/// `CUdevice_attribute`.
pub const NUM_PROCESSORS: u32 = 16;
pub const CAPABILITY_MAJOR: u32 = 75;
pub const CAPABILITY_MINOR: u32 = 76;
pub const MAX_SHARED_BYTES: u32 = 97;

/// `CUfunction_attribute`.
pub const STATIC_SHARED_BYTES: u32 = 1;
pub const MAX_DYNAMIC_SHARED_BYTES: u32 = 8;

/// `CUstream_flags`, `CUstreamCaptureMode`.
pub const NON_BLOCKING: u32 = 1;
pub const CAPTURE_RELAXED: u32 = 2;

/// `CUtensorMapDataType`, and the other enumerations of tensor maps.
pub const TENSOR_BF16: u32 = 9;
pub const TENSOR_NOT_INTERLEAVED: u32 = 0;
pub const TENSOR_SWIZZLE_128: u32 = 3;
pub const TENSOR_PROMOTE_256: u32 = 3;
pub const TENSOR_FILL_ZERO: u32 = 0;

/// A call that failed.
#[derive(Debug)]
pub struct Failed {
    pub call: &'static str,
    pub status: Status,
    pub reason: String,
}

impl From<Failed> for DeviceError {
    fn from(failed: Failed) -> Self {
        Self::Driver { call: failed.call, reason: failed.reason }
    }
}

impl Calls {
    /// The driver's words for a result that isn't success.
    fn check(&self, call: &'static str, status: Status) -> Result<(), Failed> {
        if status == SUCCESS {
            return Ok(());
        }
        let text = |get: unsafe extern "C" fn(Status, *mut *const c_char) -> Status| {
            let mut text = std::ptr::null();
            // SAFETY: the driver writes one pointer; null for numbers that it doesn't know.
            unsafe { get(status, &raw mut text) };
            // SAFETY: what isn't null is a constant string.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy())
        };
        let name = text(self.name_error).unwrap_or_else(|| format!("error {status}").into());
        let words = text(self.describe_error).unwrap_or_else(|| "unknown to this driver".into());
        Err(Failed { call, status, reason: format!("{name}, {words}") })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use cudarc::driver::sys;

    use super::*;

    /// The sizes of a function's parameters.
    pub trait Sizes {
        fn sizes(self) -> Vec<usize>;
    }

    macro_rules! sizes {
        ($($types:ident),*) => {
            impl<R, $($types),*> Sizes for unsafe fn($($types),*) -> R {
                fn sizes(self) -> Vec<usize> {
                    assert_eq!(size_of::<R>(), size_of::<Status>());
                    vec![$(size_of::<$types>()),*]
                }
            }
        };
    }

    sizes!(A);
    sizes!(A, B);
    sizes!(A, B, C);
    sizes!(A, B, C, D);
    sizes!(A, B, C, D, E, F, G, H, I, J, K);
    sizes!(A, B, C, D, E, F, G, H, I, J, K, L);

    macro_rules! any_type {
        ($arg:ident) => {
            _
        };
    }
    pub(super) use any_type;

    #[test]
    fn the_declarations_are_those_of_the_headers() {
        for (name, ours, generated) in Calls::parameter_sizes() {
            assert_eq!(ours, generated, "{name}");
        }
    }

    #[test]
    fn the_constants_are_those_of_the_headers() {
        use sys::CUdevice_attribute_enum as Attribute;
        use sys::CUfunction_attribute_enum as FunctionAttribute;
        let table = [
            (SUCCESS, sys::cudaError_enum::CUDA_SUCCESS as u32),
            (OUT_OF_MEMORY, sys::cudaError_enum::CUDA_ERROR_OUT_OF_MEMORY as u32),
            (NO_DEVICE, sys::cudaError_enum::CUDA_ERROR_NO_DEVICE as u32),
            (NUM_PROCESSORS, Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT as u32),
            (CAPABILITY_MAJOR, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as u32),
            (CAPABILITY_MINOR, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as u32),
            (
                MAX_SHARED_BYTES,
                Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN as u32,
            ),
            (STATIC_SHARED_BYTES, FunctionAttribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES as u32),
            (
                MAX_DYNAMIC_SHARED_BYTES,
                FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES as u32,
            ),
            (NON_BLOCKING, sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32),
            (CAPTURE_RELAXED, sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED as u32),
            (TENSOR_BF16, sys::CUtensorMapDataType::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 as u32),
            (
                TENSOR_NOT_INTERLEAVED,
                sys::CUtensorMapInterleave::CU_TENSOR_MAP_INTERLEAVE_NONE as u32,
            ),
            (TENSOR_SWIZZLE_128, sys::CUtensorMapSwizzle::CU_TENSOR_MAP_SWIZZLE_128B as u32),
            (
                TENSOR_PROMOTE_256,
                sys::CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_256B as u32,
            ),
            (
                TENSOR_FILL_ZERO,
                sys::CUtensorMapFloatOOBfill::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE as u32,
            ),
        ];
        for (idx, (ours, generated)) in table.into_iter().enumerate() {
            assert_eq!(ours, generated, "constant {idx}");
        }
        assert_eq!(size_of::<TensorMap>(), size_of::<sys::CUtensorMap>());
        assert_eq!(align_of::<TensorMap>(), align_of::<sys::CUtensorMap>());
    }

    /// As a driver from before the functions that are needed.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_library_without_the_functions_is_refused() {
        let refusal = Calls::open(Path::new("libc.so.6")).err().expect("it isn't the driver");
        assert_eq!(refusal, "it has no cuInit");
    }
}
