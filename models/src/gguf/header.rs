//! What a GGUF file begins with: its metadata, and where its tensors lie. Source: the
//! specification, ggml's `docs/gguf.md`.

use std::collections::BTreeSet;

use jump_kernels::Quantisation;
use safetensors::Dtype;

use super::metadata::Metadata;
use super::reader::Reader;
use crate::stored::Stored;

/// Dimensions of a tensor at most, as in ggml.
const MAX_DIMS: u32 = 4;

/// Tensors begin at multiples of this, unless `general.alignment` says otherwise.
const DEFAULT_ALIGNMENT: u64 = 32;

/// A tensor in the file.
#[derive(Debug)]
pub struct TensorInfo<'a> {
    /// ggml's name.
    pub name: &'a str,
    /// As numpy writes it: the rows' length comes last.
    pub shape: Vec<usize>,
    /// What its values are.
    pub stored: Stored,
    /// Where its bytes begin in the file.
    pub start: usize,
    /// And where they end.
    pub end: usize,
}

/// A file that is whole.
#[derive(Debug)]
pub struct Header<'a> {
    /// The key-value pairs.
    pub metadata: Metadata<'a>,
    /// The tensors, in the order of the file; they don't overlap.
    pub tensors: Vec<TensorInfo<'a>>,
}

impl<'a> Header<'a> {
    /// Reads the header of a file of these bytes and compares all that it says with its size.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let mut reader = Reader::new(bytes);
        let of = |problem| format!("the first numbers: {problem}");
        check_magic(&mut reader)?;
        let num_tensors = reader.u64().map_err(of)?;
        let num_pairs = reader.u64().map_err(of)?;
        let metadata = Metadata::read(&mut reader, num_pairs)?;
        let mut tensors = Vec::new();
        for idx in 0..num_tensors {
            let of = |problem| format!("the name of the tensor {idx} of {num_tensors}: {problem}");
            let name = reader.string().map_err(of)?;
            let of = |problem| format!("the tensor {name}: {problem}");
            tensors.push(tensor(name, &mut reader).map_err(of)?);
        }
        let data_start = data_start(&metadata, reader.position(), bytes.len())?;
        for tensor in &mut tensors {
            let of = |problem| format!("the tensor {}: {problem}", tensor.name);
            let start = tensor.start.checked_add(data_start.0);
            let end = start.and_then(|start| start.checked_add(tensor.end - tensor.start));
            let (Some(start), Some(end)) = (start, end.filter(|end| *end <= bytes.len())) else {
                let end = bytes.len();
                let problem = format!("it ends behind the file's end, byte {end}");
                return Err(of(format!("{problem}: copy or download it again")));
            };
            if !(tensor.start as u64).is_multiple_of(data_start.1) {
                return Err(of(format!("it begins at no multiple of {}", data_start.1)));
            }
            (tensor.start, tensor.end) = (start, end);
        }
        check_apart(&tensors)?;
        Ok(Self { metadata, tensors })
    }
}

fn check_magic(reader: &mut Reader<'_>) -> Result<(), String> {
    if reader.take(4).ok() != Some(b"GGUF") {
        return Err("it doesn't begin with \"GGUF\"".to_owned());
    }
    let version = reader.u32()?;
    match version {
        2 | 3 => Ok(()),
        1 => Err("it is version 1 of GGUF; convert the model again".to_owned()),
        _ if version.swap_bytes() < 1 << 16 => {
            Err("its numbers are big-endian; convert the model again, without --bigendian".into())
        }
        _ => Err(format!("it is version {version} of GGUF; 2 and 3 are supported")),
    }
}

/// One entry of the list; where it begins is counted from the end of the header.
fn tensor<'a>(name: &'a str, reader: &mut Reader<'a>) -> Result<TensorInfo<'a>, String> {
    let num_dims = reader.u32()?;
    if !(1..=MAX_DIMS).contains(&num_dims) {
        return Err(format!("it has {num_dims} dimensions, not 1 to {MAX_DIMS}"));
    }
    let mut shape = Vec::new();
    for _ in 0..num_dims {
        let dim = reader.u64()?;
        let dim = usize::try_from(dim).ok().filter(|dim| *dim > 0);
        shape.push(dim.ok_or("one of its dimensions is 0, or too large")?);
    }
    // The file's first dimension is the one whose values lie together.
    shape.reverse();
    let stored = stored(reader.u32()?)?;
    let row_len = shape[shape.len() - 1];
    if let Stored::Quantised(kind) = stored
        && !row_len.is_multiple_of(kind.packet_len())
    {
        let packet_len = kind.packet_len();
        return Err(format!("{row_len} values of {kind:?} aren't whole blocks of {packet_len}"));
    }
    let len = shape.iter().try_fold(1_usize, |len, dim| len.checked_mul(*dim));
    let bytes = len.and_then(|len| stored.checked_bytes(len));
    let bytes = bytes.ok_or_else(|| format!("its shape {shape:?} is larger than any memory"))?;
    let start = reader.u64()?;
    let start = usize::try_from(start).map_err(|_| format!("it begins at byte {start}"))?;
    let end = start.checked_add(bytes).ok_or("it lies behind the end of any file")?;
    Ok(TensorInfo { name, shape, stored, start, end })
}

/// What ggml's type numbers mean.
fn stored(number: u32) -> Result<Stored, String> {
    const OTHERS: [(u32, &str); 13] = [
        (9, "Q8_1"),
        (10, "Q2_K"),
        (11, "Q3_K"),
        (15, "Q8_K"),
        (16, "IQ2_XXS"),
        (17, "IQ2_XS"),
        (18, "IQ3_XXS"),
        (19, "IQ1_S"),
        (20, "IQ4_NL"),
        (21, "IQ3_S"),
        (22, "IQ2_S"),
        (23, "IQ4_XS"),
        (28, "F64"),
    ];
    Ok(match number {
        0 => Stored::Float(Dtype::F32),
        1 => Stored::Float(Dtype::F16),
        30 => Stored::Float(Dtype::BF16),
        2 => Stored::Quantised(Quantisation::Q4_0),
        3 => Stored::Quantised(Quantisation::Q4_1),
        6 => Stored::Quantised(Quantisation::Q5_0),
        7 => Stored::Quantised(Quantisation::Q5_1),
        8 => Stored::Quantised(Quantisation::Q8_0),
        12 => Stored::Quantised(Quantisation::Q4K),
        13 => Stored::Quantised(Quantisation::Q5K),
        14 => Stored::Quantised(Quantisation::Q6K),
        _ => {
            let name = OTHERS.iter().find(|other| other.0 == number);
            let name = name.map_or_else(|| format!("type {number}"), |other| other.1.to_owned());
            return Err(format!(
                "its type {name} isn't supported: take a file in F32, F16, BF16, Q8_0, Q4_0, \
                 Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K"
            ));
        }
    })
}

/// Where the tensors' bytes begin, and what each tensor begins at a multiple of.
fn data_start(
    metadata: &Metadata<'_>,
    header_bytes: usize,
    file_bytes: usize,
) -> Result<(usize, u64), String> {
    let alignment = metadata.count("general.alignment")?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() || alignment > file_bytes as u64 {
        return Err(format!("general.alignment is {alignment}; it must be a small power of two"));
    }
    Ok((header_bytes.next_multiple_of(alignment as usize), alignment))
}

/// No name twice, and no byte in two tensors.
fn check_apart(tensors: &[TensorInfo<'_>]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    if let Some(twice) = tensors.iter().find(|tensor| !names.insert(tensor.name)) {
        return Err(format!("the tensor {}: it is there twice", twice.name));
    }
    let mut sorted: Vec<_> = tensors.iter().collect();
    sorted.sort_unstable_by_key(|tensor| tensor.start);
    match sorted.array_windows().find(|[a, b]| b.start < a.end) {
        Some([a, b]) => Err(format!("the tensor {} overlaps {}", b.name, a.name)),
        None => Ok(()),
    }
}
