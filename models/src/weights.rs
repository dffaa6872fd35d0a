//! Weights in safetensors: one file, several with an index, or bytes in the binary; in a GGUF file;
//! or none at all, but random ones. Nothing is handed out before the whole header has been checked.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Component, Path};

use half::{bf16, f16};
use jump_kernels::{MatrixView, Quantisation, WeightKind, WeightSlice};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::gguf::GgufTensor;
use crate::names::HEAD;
use crate::stored::{Change, Stored};
use crate::tensors::weight;
use crate::{Gguf, ModelConfig, ModelError, random};

enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
    /// No bytes, but the seed of tensors that are made whenever they are asked for.
    Random(u64),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
            Self::Random(_) => &[],
        }
    }
}

/// One file whose header was checked, or what stands for it.
struct Shard {
    file: String,
    bytes: Bytes,
}

struct TensorPlace {
    shard: usize,
    stored: Stored,
    shape: Vec<usize>,
    change: Change,
    start: usize,
    end: usize,
}

/// The tensors of a checkpoint by name. Remembers which were read, so that a tensor that nobody
/// asked for (a bias that the forward pass lacks, say) can't be overlooked.
pub struct Weights {
    shards: Vec<Shard>,
    tensors: BTreeMap<String, TensorPlace>,
    read: RefCell<BTreeSet<String>>,
    on_read: RefCell<Option<OnRead>>,
}

/// Hears how many tensors have been read, and how many there are.
pub type OnRead = Box<dyn FnMut(usize, usize) + Send>;

/// The values of one tensor: borrowed from the file where there is one whose alignment allows.
pub enum Tensor<'a> {
    /// bfloat16.
    Bf16(Cow<'a, [bf16]>),
    /// IEEE half precision.
    F16(Cow<'a, [f16]>),
    /// Single precision.
    F32(Cow<'a, [f32]>),
    /// Whole packets.
    Quantised(Quantisation, Cow<'a, [u8]>),
}

impl Tensor<'_> {
    /// The values.
    pub fn values(&self) -> WeightSlice<'_> {
        match self {
            Self::Bf16(values) => WeightSlice::Bf16(values),
            Self::F16(values) => WeightSlice::F16(values),
            Self::F32(values) => WeightSlice::F32(values),
            Self::Quantised(kind, bytes) => WeightSlice::Quantised(*kind, bytes),
        }
    }

    /// The values as a matrix.
    pub fn matrix(&self, num_rows: usize, num_cols: usize) -> MatrixView<'_> {
        MatrixView { values: self.values(), num_rows, num_cols }
    }
}

impl Weights {
    /// Maps the weights of a directory: `model.safetensors`, or the files that
    /// `model.safetensors.index.json` names.
    ///
    /// # Errors
    ///
    /// A missing, unreadable, truncated or inconsistent file.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        let single = directory.join("model.safetensors");
        if single.is_file() {
            return Self::from_shards(vec![map(&single)?]);
        }
        let index = directory.join("model.safetensors.index.json");
        if !index.exists() {
            return Err(ModelError::MissingFile {
                directory: directory.to_owned(),
                file: "model.safetensors (nor model.safetensors.index.json)",
                expected: crate::checkpoint::EXPECTED_FILES,
            });
        }
        Self::open_index(directory, &index)
    }

    fn open_index(directory: &Path, index: &Path) -> Result<Self, ModelError> {
        #[derive(Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let file = index.display().to_string();
        let text = std::fs::read_to_string(index)
            .map_err(|reason| ModelError::Read { path: index.to_owned(), reason })?;
        let problem = |problem| ModelError::Weights { file: file.clone(), problem };
        let parsed: Index = serde_json::from_str(&text).map_err(|e| problem(e.to_string()))?;
        let names: BTreeSet<&String> = parsed.weight_map.values().collect();
        if names.is_empty() {
            return Err(problem("names no files: copy or download it again".to_owned()));
        }
        if let Some(outside) = names.iter().find(|name| !is_inside(name)) {
            return Err(problem(format!("names {outside:?}, which is outside of the folder")));
        }
        if let Some(missing) = names.iter().find(|name| !directory.join(name).is_file()) {
            let text = format!("names {missing}, which isn't there: copy or download it too");
            return Err(problem(text));
        }
        let shards = names.iter().map(|name| map(&directory.join(name)));
        let weights = Self::from_shards(shards.collect::<Result<_, _>>()?)?;
        for (tensor, shard) in &parsed.weight_map {
            if !weights.tensors.contains_key(tensor) {
                let text = format!("names {tensor} in {shard}, which lacks it: copy both again");
                return Err(problem(text));
            }
        }
        Ok(weights)
    }

    /// Weights that lie in the binary; `file` names them in errors.
    ///
    /// # Errors
    ///
    /// A truncated or inconsistent header.
    pub fn embedded(bytes: &'static [u8], file: &str) -> Result<Self, ModelError> {
        Self::from_shards(vec![Shard { file: file.to_owned(), bytes: Bytes::Embedded(bytes) }])
    }

    /// Weights of the shape of `config` that mean nothing: a tensor is made when it is asked for,
    /// from `seed` and its name. `file` names them in errors.
    pub fn random(config: &ModelConfig, seed: u64, file: &str) -> Self {
        let (stored, change) = (Stored::Float(Dtype::BF16), Change::None);
        let place = |(name, shape)| {
            (name, TensorPlace { shard: 0, stored, shape, change, start: 0, end: 0 })
        };
        let shards = vec![Shard { file: file.to_owned(), bytes: Bytes::Random(seed) }];
        let tensors = config.tensors().map(place).collect();
        Self { shards, tensors, read: RefCell::default(), on_read: RefCell::default() }
    }

    /// Maps a GGUF file and reads what else it says.
    ///
    /// # Errors
    ///
    /// An unreadable file, or one that [`Gguf::parse`] refuses.
    pub(crate) fn open_gguf(path: &Path) -> Result<(Self, Gguf), ModelError> {
        let shard = map(path)?;
        let mut gguf = Gguf::parse(shard.bytes.as_slice(), &shard.file)?;
        let tensors = std::mem::take(&mut gguf.tensors).into_iter();
        let tensors = tensors.map(|GgufTensor { name, stored, shape, change, start, end }| {
            (name, TensorPlace { shard: 0, stored, shape, change, start, end })
        });
        let tensors = tensors.collect();
        Ok((
            Self {
                shards: vec![shard],
                tensors,
                read: RefCell::default(),
                on_read: RefCell::default(),
            },
            gguf,
        ))
    }

    fn from_shards(shards: Vec<Shard>) -> Result<Self, ModelError> {
        let mut tensors = BTreeMap::new();
        for (shard, Shard { file, bytes }) in shards.iter().enumerate() {
            let places = read_header(shard, file, bytes.as_slice())?;
            for (name, place) in places {
                if tensors.insert(name.clone(), place).is_some() {
                    let problem = format!("the tensor {name} is in another file too");
                    return Err(ModelError::Weights { file: file.clone(), problem });
                }
            }
        }
        Ok(Self { shards, tensors, read: RefCell::default(), on_read: RefCell::default() })
    }

    /// Tells `on_read` of each tensor that is read for the first time, until the weights are
    /// dropped.
    pub fn watch(&self, on_read: OnRead) {
        *self.on_read.borrow_mut() = Some(on_read);
    }

    /// Is there such a tensor?
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// How the values of `name` are stored. Of one that isn't there, or can't be read, reading it
    /// will tell.
    pub(crate) fn kind(&self, name: &str) -> WeightKind {
        match self.tensors.get(name).map(|place| place.stored) {
            Some(Stored::Quantised(kind)) => WeightKind::Quantised(kind),
            Some(Stored::Float(Dtype::F16)) => WeightKind::F16,
            Some(Stored::Float(Dtype::F32)) => WeightKind::F32,
            Some(Stored::Float(_)) | None => WeightKind::Bf16,
        }
    }

    /// The tensor `name`, which must have this shape.
    ///
    /// # Errors
    ///
    /// No such tensor, another shape, or a dtype that isn't a 16- or 32-bit float.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor<'_>, ModelError> {
        let place = self.place(name, shape)?;
        if self.read.borrow_mut().insert(name.to_owned())
            && let Some(on_read) = &mut *self.on_read.borrow_mut()
        {
            on_read(self.read.borrow().len(), self.tensors.len());
        }
        let Shard { file, bytes } = &self.shards[place.shard];
        if let Bytes::Random(seed) = bytes {
            return Ok(Tensor::Bf16(Cow::Owned(random::tensor(*seed, name, shape))));
        }
        let bytes = Cow::Borrowed(&bytes.as_slice()[place.start..place.end]);
        let bytes = match place.change {
            Change::None => bytes,
            change => Cow::Owned(change.apply(&bytes, shape[0])),
        };
        match place.stored {
            Stored::Quantised(kind) => Ok(Tensor::Quantised(kind, bytes)),
            Stored::Float(Dtype::BF16) => Ok(Tensor::Bf16(cast(&bytes))),
            Stored::Float(Dtype::F16) => Ok(Tensor::F16(cast(&bytes))),
            Stored::Float(Dtype::F32) => Ok(Tensor::F32(cast(&bytes))),
            Stored::Float(other) => Err(ModelError::Weights {
                file: file.clone(),
                problem: format!("{name} is {other:?}; take a model in BF16, F16 or F32"),
            }),
        }
    }

    fn place(&self, name: &str, shape: &[usize]) -> Result<&TensorPlace, ModelError> {
        let Some(place) = self.tensors.get(name) else {
            let file = self.shards.first().map_or("the weights", |shard| &shard.file).to_owned();
            let problem = format!(
                "lacks the tensor {name} {shape:?}: the copy is incomplete, or config.json belongs \
                 to another model"
            );
            return Err(ModelError::Weights { file, problem });
        };
        if place.shape == shape {
            return Ok(place);
        }
        let file = self.shards[place.shard].file.clone();
        let problem = format!(
            "{name} has the shape {:?}, but config.json asks for {shape:?}: they belong to \
             different models",
            place.shape
        );
        Err(ModelError::Weights { file, problem })
    }

    /// Do two tensors, which are there, have the same bytes?
    pub(crate) fn are_equal(&self, name: &str, other: &str) -> bool {
        let [one, two] = [name, other].map(|name| self.tensors.get(name));
        let (Some(one), Some(two)) = (one, two) else { return false };
        let bytes = |place: &TensorPlace| {
            &self.shards[place.shard].bytes.as_slice()[place.start..place.end]
        };
        let is_alike = (one.stored, one.change, &one.shape) == (two.stored, two.change, &two.shape);
        is_alike && bytes(one) == bytes(two)
    }

    /// Compares with the weights whatever memory is sized by, so that a wrong number in
    /// `config.json` is found before anybody allocates by it.
    pub(crate) fn check_fits(&self, config: &ModelConfig) -> Result<(), ModelError> {
        let tables = [config.embedding_tensor()].into_iter().chain(config.places_tensor());
        for (name, shape) in tables.chain(config.layer_tensors(0).all()) {
            self.place(&name, &shape)?;
        }
        let names = config.names;
        let last = |idx: usize| weight(&format!("{}.{idx}.{}", names.layers, names.down));
        let layer = |idx: &usize| self.contains(&last(*idx));
        let num_layers = (0..self.tensors.len()).take_while(layer).count();
        if num_layers == config.num_layers {
            return Ok(());
        }
        let file = self.shards[0].file.clone();
        let problem = format!(
            "has {num_layers} layers, but config.json asks for {}: they belong to different models",
            config.num_layers
        );
        Err(ModelError::Weights { file, problem })
    }

    /// Checks that every tensor has been read.
    ///
    /// # Errors
    ///
    /// The names of those that nobody asked for: the model is not what its config says.
    pub fn check_all_read(&self) -> Result<(), ModelError> {
        let read = self.read.borrow();
        // Frequencies that old exports stored beside the weights; they follow from the config.
        // A tied head may be stored beside the embedding, which is taken instead.
        let known = |name: &str| name.ends_with("rotary_emb.inv_freq") || name == HEAD;
        let unread = self.tensors.keys().filter(|name| !read.contains(*name) && !known(name));
        let unread: Vec<&str> = unread.map(String::as_str).collect();
        if unread.is_empty() {
            return Ok(());
        }
        let file = self.shards[self.tensors[unread[0]].shard].file.clone();
        let shown = unread[..unread.len().min(4)].join(", ");
        let problem = format!(
            "tensors that this architecture doesn't have: {} ({shown}{}); the weights don't fit \
             config.json",
            unread.len(),
            if unread.len() > 4 { ", …" } else { "" }
        );
        Err(ModelError::Weights { file, problem })
    }

    /// How many values there are of each type, by its name.
    pub fn num_values(&self) -> BTreeMap<String, usize> {
        let mut num_values = BTreeMap::new();
        for place in self.tensors.values() {
            let len = place.shape.iter().product::<usize>();
            *num_values.entry(place.stored.to_string()).or_default() += len;
        }
        num_values
    }

    /// The seed, if the weights are random.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.shards.iter().find_map(|shard| match shard.bytes {
            Bytes::Random(seed) => Some(seed),
            Bytes::Mapped(_) | Bytes::Embedded(_) => None,
        })
    }

    /// The bytes of a small part of every tensor, to tell one checkpoint from another; none of
    /// random ones, which the seed tells apart.
    pub(crate) fn fingerprint_parts(&self) -> impl Iterator<Item = (&str, &[u8])> {
        const PART_BYTES: usize = 64;
        self.tensors.iter().map(|(name, place)| {
            let bytes = &self.shards[place.shard].bytes.as_slice()[place.start..place.end];
            (name.as_str(), &bytes[..bytes.len().min(PART_BYTES)])
        })
    }
}

/// Does a path stay below the folder that it is relative to?
fn is_inside(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// A path that is no file, a pipe perhaps, might let its reader wait for ever: whoever calls this
/// has looked.
fn map(path: &Path) -> Result<Shard, ModelError> {
    let read_error = |reason| ModelError::Read { path: path.to_owned(), reason };
    let file = File::open(path).map_err(read_error)?;
    // SAFETY: the map is only read. Another process that truncates the file meanwhile would end
    // this one with SIGBUS, as with every mapped file; no memory of ours is at stake.
    let mapped = unsafe { Mmap::map(&file) }.map_err(read_error)?;
    Ok(Shard { file: path.display().to_string(), bytes: Bytes::Mapped(mapped) })
}

fn read_header(
    shard: usize,
    file: &str,
    bytes: &[u8],
) -> Result<Vec<(String, TensorPlace)>, ModelError> {
    let damaged = |e: safetensors::SafeTensorError| ModelError::Weights {
        file: file.to_owned(),
        problem: format!("not a whole safetensors file ({e}); copy or download it again"),
    };
    let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let place = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        let start = view.data().as_ptr().addr() - bytes.as_ptr().addr();
        let end = start + view.data().len();
        let (stored, shape) = (Stored::Float(view.dtype()), view.shape().into());
        (name, TensorPlace { shard, stored, shape, change: Change::None, start, end })
    };
    Ok(tensors.tensors().into_iter().map(place).collect())
}

/// Borrows the values where they are in the file and aligned, else copies them.
fn cast<'a, T: bytemuck::Pod>(bytes: &Cow<'a, [u8]>) -> Cow<'a, [T]> {
    if let Cow::Borrowed(bytes) = *bytes
        && let Ok(values) = bytemuck::try_cast_slice(bytes)
    {
        return Cow::Borrowed(values);
    }
    Cow::Owned(bytemuck::allocation::pod_collect_to_vec(bytes))
}
