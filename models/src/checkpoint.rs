//! A checkpoint: everything that a model's directory or file says, read and checked before anything
//! runs.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use jump_kernels::TokenId;

use crate::config::{check_end_tokens, generation_end_tokens};
use crate::gguf::MAGIC;
use crate::{
    ChatTemplate, FimTemplate, Gguf, ModelConfig, ModelError, ModelShape, Tokenizer,
    TokenizerConfig, Weights,
};

/// What [`Checkpoint::open`] looks for.
pub(crate) const EXPECTED_FILES: &str =
    "config.json, tokenizer.json and model.safetensors (or its shards and their index)";

/// Keeps the bytes of an embedded file aligned, so that weights can be read in place.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static TINY_WEIGHTS: &Aligned<[u8]> = &Aligned(*include_bytes!("../tiny/model.safetensors"));

/// A checkpoint in memory.
pub struct Checkpoint {
    /// What it calls itself: a path, or `tiny`.
    pub name: String,
    /// The shape.
    pub config: ModelConfig,
    /// The weights, still in their file, or not yet made.
    pub weights: Weights,
    /// The tokenizer; its ids fit the vocabulary of the config.
    pub tokenizer: Tokenizer,
    /// How to ask it to fill in the middle; `None` if it can't.
    pub fim: Option<FimTemplate>,
    /// How conversations with it are written down; `None` if it was trained on none.
    pub chat: Option<ChatTemplate>,
    /// Tokens that end a text.
    pub end_tokens: Vec<TokenId>,
}

impl Checkpoint {
    /// The model in the binary: 4.7 million parameters, short Python programs.
    ///
    /// # Errors
    ///
    /// None in a binary that passed its tests.
    pub fn tiny() -> Result<Self, ModelError> {
        Self::of_files(
            "tiny",
            include_str!("../tiny/config.json"),
            Some(include_str!("../tiny/generation_config.json")),
            include_bytes!("../tiny/tokenizer.json"),
            TokenizerConfig::default(),
            Weights::embedded(&TINY_WEIGHTS.0, "the embedded model")?,
        )
    }

    /// The model at `path`: a directory in Hugging Face's layout, or a GGUF file.
    ///
    /// # Errors
    ///
    /// A missing or unreadable file, or any that doesn't pass its checks.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        if is_gguf(path)? { Self::open_gguf(path) } else { Self::open_directory(path) }
    }

    fn open_gguf(path: &Path) -> Result<Self, ModelError> {
        let name = path.display().to_string();
        let (weights, Gguf { config, tokenizer, chat, .. }) = Weights::open_gguf(path)?;
        let end_tokens = config.end_tokens.clone();
        let tokenizer = (tokenizer, name.clone());
        let checkpoint = Self::assemble(&name, config, tokenizer, weights, end_tokens)?;
        Ok(Self { chat, ..checkpoint })
    }

    fn open_directory(directory: &Path) -> Result<Self, ModelError> {
        let config = read(directory, "config.json")?;
        let tokenizer = read(directory, "tokenizer.json")?;
        let generation = read_if_there(directory, "generation_config.json")?;
        let name = directory.display().to_string();
        let tokenizer_config = read_if_there(directory, "tokenizer_config.json")?;
        let template = read_if_there(directory, "chat_template.jinja")?;
        let tokenizer_config = TokenizerConfig::parse(
            tokenizer_config.as_deref(),
            template.map(|text| String::from_utf8_lossy(&text).into_owned()),
            &format!("{name}/tokenizer_config.json"),
        )?;
        Self::of_files(
            &name,
            &String::from_utf8_lossy(&config),
            generation.as_deref().map(String::from_utf8_lossy).as_deref(),
            &tokenizer,
            tokenizer_config,
            Weights::open(directory)?,
        )
    }

    /// A model of another shape that reads and writes the same tokens: its weights are random, so
    /// it costs what a real one costs, but means nothing.
    ///
    /// The tokenizer, the infilling template and the end tokens stay, so what was recorded with
    /// `self` can be replayed token for token. For that the vocabulary is made as large as the
    /// tokenizer's, should the shape's be smaller.
    ///
    /// Nothing is made before somebody asks for it. Unlike a file, which at least fitted onto a
    /// disk, a shape can be larger than any memory: compare
    /// [`Model::weight_bytes`](crate::Model::weight_bytes) first.
    #[must_use]
    pub fn with_random_weights(self, shape: ModelShape, seed: u64) -> Self {
        let ModelShape { name, mut config } = shape;
        let name = format!("{name} (random weights)");
        let ends = self.end_tokens.iter().map(|end| end.0 as usize + 1);
        let needed = ends.chain([self.tokenizer.vocab_len()]).max().unwrap_or_default();
        config.vocab_len = config.vocab_len.max(needed);
        config.end_tokens.clone_from(&self.end_tokens);
        let weights = Weights::random(&config, seed, &name);
        Self { name, config, weights, ..self }
    }

    /// The same model, asked to fill in the middle as `choice` says, if it says something: see
    /// [`FimTemplate::parse`].
    ///
    /// # Errors
    ///
    /// No such family, or tokens that the vocabulary doesn't have.
    pub fn asked_by(self, choice: Option<&str>) -> Result<Self, ModelError> {
        let Some(choice) = choice else { return Ok(self) };
        let fim = FimTemplate::parse(choice, &self.tokenizer)?;
        Ok(Self { fim: Some(fim), ..self })
    }

    fn of_files(
        name: &str,
        config: &str,
        generation: Option<&str>,
        tokenizer: &[u8],
        tokenizer_config: TokenizerConfig,
        weights: Weights,
    ) -> Result<Self, ModelError> {
        let config = ModelConfig::parse(config, &format!("{name}/config.json"))?;
        let mut end_tokens = config.end_tokens.clone();
        if let Some(generation) = generation {
            let file = format!("{name}/generation_config.json");
            end_tokens.extend(generation_end_tokens(generation, &file)?);
            let checked = check_end_tokens(&end_tokens, config.vocab_len);
            checked.map_err(|problem| ModelError::Config { file, problem })?;
        }
        let file = format!("{name}/tokenizer.json");
        let TokenizerConfig { adds_bos, bos_token, chat } = tokenizer_config;
        let mut tokenizer = Tokenizer::parse(tokenizer, &file)?;
        if let Some(adds_bos) = adds_bos {
            let told = tokenizer.with_bos(bos_token.as_deref().filter(|_| adds_bos));
            tokenizer = told.map_err(|problem| {
                let file = format!("{name}/tokenizer_config.json");
                ModelError::Config { file, problem }
            })?;
        }
        let checkpoint = Self::assemble(name, config, (tokenizer, file), weights, end_tokens)?;
        Ok(Self { chat, ..checkpoint })
    }

    fn assemble(
        name: &str,
        config: ModelConfig,
        (tokenizer, tokenizer_file): (Tokenizer, String),
        weights: Weights,
        mut end_tokens: Vec<TokenId>,
    ) -> Result<Self, ModelError> {
        weights.check_fits(&config)?;
        if tokenizer.vocab_len() > config.vocab_len {
            let problem = format!(
                "has {} tokens, but the model a vocabulary of {}: they belong to different models; \
                 copy or download both again",
                tokenizer.vocab_len(),
                config.vocab_len
            );
            return Err(ModelError::Tokenizer { file: tokenizer_file, problem });
        }
        end_tokens.sort_unstable();
        end_tokens.dedup();
        let fim = FimTemplate::find(&tokenizer);
        Ok(Self { name: name.to_owned(), config, weights, tokenizer, fim, chat: None, end_tokens })
    }

    /// A number that tells checkpoints apart by their tensors' names and first bytes (FNV-1a).
    /// Random weights have no bytes yet; their seed and their config make them what they are.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut absorb = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for (name, part) in self.weights.fingerprint_parts() {
            absorb(name.as_bytes());
            absorb(part);
        }
        if let Some(seed) = self.weights.seed() {
            absorb(format!("{seed} {:?}", self.config).as_bytes());
        }
        hash
    }
}

/// Whether `path` is a GGUF file, and not a directory. A wrong path should be told from an
/// incomplete model.
fn is_gguf(path: &Path) -> Result<bool, ModelError> {
    let problem = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => return Ok(false),
        // Opening a pipe would wait for somebody to write.
        Ok(metadata) if !metadata.is_file() => "is no file",
        Ok(_) if begins_with_magic(path)? => return Ok(true),
        Ok(_) => "is a file, but not in GGUF",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "isn't there",
        Err(reason) => return Err(ModelError::Read { path: path.to_owned(), reason }),
    };
    let path = path.to_owned();
    Err(ModelError::NoDirectory { path, problem, expected: EXPECTED_FILES })
}

fn begins_with_magic(path: &Path) -> Result<bool, ModelError> {
    let mut magic = Vec::new();
    let file = File::open(path).and_then(|file| file.take(4).read_to_end(&mut magic));
    file.map_err(|reason| ModelError::Read { path: path.to_owned(), reason })?;
    Ok(magic == MAGIC)
}

fn read_if_there(directory: &Path, file: &'static str) -> Result<Option<Vec<u8>>, ModelError> {
    directory.join(file).exists().then(|| read(directory, file)).transpose()
}

fn read(directory: &Path, file: &'static str) -> Result<Vec<u8>, ModelError> {
    let path = directory.join(file);
    if !path.exists() {
        let directory = directory.to_owned();
        return Err(ModelError::MissingFile { directory, file, expected: EXPECTED_FILES });
    }
    std::fs::read(&path).map_err(|reason| ModelError::Read { path, reason })
}
