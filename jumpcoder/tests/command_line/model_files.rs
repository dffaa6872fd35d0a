//! Models in folders, made from the embedded one: whole, cut, patched, or stored in another way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use super::folder::{Folder, package};

pub const WEIGHTS: &str = "model.safetensors";

/// A tensor, ready to be stored.
#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Tensor {
    fn values(&self) -> impl Iterator<Item = f32> {
        assert_eq!(self.dtype, Dtype::BF16);
        self.bytes.chunks_exact(2).map(|pair| bf16::from_le_bytes([pair[0], pair[1]]).to_f32())
    }

    pub fn to_f32(&self) -> Self {
        let bytes = self.values().flat_map(f32::to_le_bytes).collect();
        Self { dtype: Dtype::F32, bytes, ..self.clone() }
    }

    pub fn to_f16(&self) -> Self {
        let bytes = self.values().flat_map(|value| f16::from_f32(value).to_le_bytes()).collect();
        Self { dtype: Dtype::F16, bytes, ..self.clone() }
    }

    /// All values become this one.
    pub fn filled(&self, value: f32) -> Self {
        let value = bf16::from_f32(value).to_le_bytes();
        Self { bytes: value.repeat(self.bytes.len() / 2), ..self.clone() }
    }
}

fn source(file: &str) -> PathBuf {
    package("models").join("tiny").join(file).canonicalize().unwrap()
}

/// A folder `model` that is the embedded one; the large file is linked.
pub fn copy_model(folder: &Folder) {
    fs::create_dir(folder.path("model")).unwrap();
    for file in ["config.json", "generation_config.json", "tokenizer.json"] {
        fs::copy(source(file), folder.path("model").join(file)).unwrap();
    }
    symlink(source(WEIGHTS), folder.path("model").join(WEIGHTS)).unwrap();
}

pub fn read_tensors() -> Vec<Tensor> {
    let bytes = fs::read(source(WEIGHTS)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| Tensor {
        name,
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    file.tensors().into_iter().map(tensor).collect()
}

/// The bytes of a safetensors file: the length of the header, the header, the tensors.
pub fn to_file(tensors: &[Tensor]) -> Vec<u8> {
    let mut header = Map::new();
    let mut end = 0;
    for Tensor { name, dtype, shape, bytes } in tensors {
        let start = end;
        end += bytes.len();
        let dtype = format!("{dtype:?}");
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]});
        header.insert(name.clone(), entry);
    }
    let mut header = Value::Object(header).to_string();
    // The tensors begin at a multiple of eight.
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    for tensor in tensors {
        file.extend_from_slice(&tensor.bytes);
    }
    file
}

/// Replaces the weights of `model`.
pub fn store(folder: &Folder, tensors: &[Tensor]) {
    folder.write("model/model.safetensors", to_file(tensors));
}

/// Replaces the weights of `model` by two shards and their index.
pub fn store_sharded(folder: &Folder, tensors: &[Tensor]) {
    let halves = tensors.split_at(tensors.len() / 2);
    let mut index = Map::new();
    for (idx, shard) in [halves.0, halves.1].into_iter().enumerate() {
        let name = format!("model-0000{}-of-00002.safetensors", idx + 1);
        folder.write(&format!("model/{name}"), to_file(shard));
        index.extend(shard.iter().map(|tensor| (tensor.name.clone(), json!(name))));
    }
    let index = json!({"metadata": {}, "weight_map": index}).to_string();
    folder.write("model/model.safetensors.index.json", index);
    fs::remove_file(folder.path("model").join(WEIGHTS)).unwrap();
}

/// Changes a JSON file of `model`.
pub fn patch(folder: &Folder, file: &str, change: impl FnOnce(&mut Value)) {
    let file = format!("model/{file}");
    let mut value = serde_json::from_str(&folder.read(&file)).unwrap();
    change(&mut value);
    folder.write(&file, value.to_string());
}
