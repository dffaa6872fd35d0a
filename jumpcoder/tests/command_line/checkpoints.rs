//! Models that are named by a path: the same programs in whatever way they are stored, and a clear
//! line where they are damaged.

use std::fs;

use safetensors::Dtype;
use serde_json::{Value, json};

use super::folder::Folder;
use super::model_files::{Tensor, WEIGHTS, copy_model, patch, read_tensors, store, store_sharded};
use super::programs::example_programs;

/// Stores the `model` folder in another way.
type Change<'a> = &'a dyn Fn(&Folder);
/// Changes a whole `model` folder into a damaged one.
type Damage = fn(&Folder);

fn with_model(change: impl FnOnce(&Folder)) -> Folder {
    let folder = Folder::new();
    copy_model(&folder);
    change(&folder);
    folder
}

fn remove(folder: &Folder, file: &str) {
    fs::remove_file(folder.path("model").join(file)).unwrap();
}

/// The weights, with one tensor changed.
fn with_tensor(folder: &Folder, name: &str, change: impl Fn(&mut Tensor)) {
    let mut tensors = read_tensors();
    let tensor = tensors.iter_mut().find(|tensor| tensor.name == name).unwrap();
    change(tensor);
    store(folder, &tensors);
}

#[test]
fn storage_does_not_change_programs() {
    let embedded = example_programs(&Folder::new(), "");
    let convert = |convert: fn(&Tensor) -> Tensor| -> Vec<Tensor> {
        read_tensors().iter().map(convert).collect()
    };
    let table: [(&str, Change); 8] = [
        ("a copy", &|_| ()),
        ("two shards", &|folder| store_sharded(folder, &read_tensors())),
        ("f32", &|folder| store(folder, &convert(Tensor::to_f32))),
        ("f16", &|folder| store(folder, &convert(Tensor::to_f16))),
        ("f32 between bf16", &|folder| {
            with_tensor(folder, "model.layers.1.self_attn.k_proj.weight", |t| *t = t.to_f32());
        }),
        ("an untied head", &|folder| {
            store_with_head(folder);
            patch(folder, "config.json", |config| config["tie_word_embeddings"] = json!(false));
        }),
        ("a head beside a tied one", &store_with_head),
        ("no generation_config.json", &|folder| remove(folder, "generation_config.json")),
    ];
    for (name, change) in table {
        let folder = with_model(change);
        assert_eq!(example_programs(&folder, "--model model"), embedded, "{name}");
    }
}

fn store_with_head(folder: &Folder) {
    let mut tensors = read_tensors();
    let embedding = tensors.iter().find(|tensor| tensor.name == "model.embed_tokens.weight");
    let head = Tensor { name: "lm_head.weight".to_owned(), ..embedding.unwrap().clone() };
    tensors.push(head);
    store(folder, &tensors);
}

#[test]
fn two_models_may_work_together() {
    let folder = with_model(|_| ());
    let embedded = example_programs(&folder, "");
    assert_eq!(example_programs(&folder, "--infilling-model model"), embedded);
    folder.refused(
        "generate --infilling-model nowhere",
        2,
        &["can't load the model: nowhere isn't there"],
    );
    assert_eq!(example_programs(&folder, "--fim qwen"), embedded);
    let parts = ["the infilling prompt \"mellum\": <fim_suffix> isn't a special token"];
    folder.refused("generate --fim mellum", 2, &parts);
    remove_infilling_tokens(&folder);
    let parts = ["model can't fill in the middle", "--infilling-model", "--fim", "--mode ar"];
    folder.refused("generate --model model", 2, &parts);
    let run = folder.run("generate --quiet --model model --mode ar --max-lines 8");
    assert_eq!((run.code, &*run.stderr), (0, ""));
    assert_eq!(example_programs(&folder, "--model model --infilling-model tiny"), embedded);
}

fn remove_infilling_tokens(folder: &Folder) {
    let text = folder.read("model/tokenizer.json").replace("<|fim_", "<|no_");
    folder.write("model/tokenizer.json", text);
}

#[test]
fn models_are_asked_in_their_own_words() {
    let folder = with_model(|_| ());
    folder.refused("generate --prompt-format chat", 2, &["tiny can't be asked so: it has no chat"]);
    let template = "{{ bos_token }}User: {{ messages[0]['content'] }}\nAssistant:{{ '\n' }}";
    let config = json!({ "bos_token": "<|fim_pad|>", "chat_template": template });
    folder.write("model/tokenizer_config.json", config.to_string());
    let line = "generate --quiet --output out --trace trace --max-lines 12 --model model";
    for format in ["chat", "wizardcoder"] {
        let run = folder.run(&format!("{line} --force --prompt-format {format}"));
        assert_eq!((run.code, &*run.stderr), (0, ""));
        assert!(folder.read("trace").contains(&format!("\"prompt_format\":\"{format}\"")));
        assert!(!folder.read("out").contains("Assistant") && !folder.read("out").contains("```"));
    }
    folder.write("model/chat_template.jinja", "{{ raise_exception('not today') }}");
    let parts = ["model can't be asked so: its chat template fails: ", "not today"];
    folder.refused("generate --model model --prompt-format chat", 2, &parts);
    folder.write("model/tokenizer_config.json", "{\"add_bos_token\": 1}");
    folder.refused("generate --model model", 2, &["model/tokenizer_config.json: invalid type"]);
    folder.write("model/tokenizer_config.json", "{\"add_bos_token\": true, \"bos_token\": \"x\"}");
    let parts = ["model/tokenizer_config.json: bos_token \"x\" is no special token"];
    folder.refused("generate --model model", 2, &parts);
}

#[test]
fn paths_that_are_no_models() {
    let folder = Folder::new();
    fs::create_dir(folder.path("empty")).unwrap();
    folder.write("file", "");
    let table: [(&str, &[&str]); 4] = [
        ("tinny", &["can't load the model: tinny isn't there: a model is `tiny` or the path of"]),
        ("file", &["can't load the model: file is a file, but not in GGUF: a model is `tiny`"]),
        ("file/model", &["can't read file/model: Not a directory"]),
        ("empty", &["empty has no config.json: a model is a directory with config.json, tok"]),
    ];
    for (model, parts) in table {
        folder.refused(&format!("generate --output out --model {model}"), 2, parts);
        assert!(!folder.path("out").exists(), "{model}: nothing was done");
    }
}

fn check(table: &[(Damage, &[&str])]) {
    for (damage, parts) in table {
        let folder = with_model(damage);
        folder.refused("generate --output out --model model", 2, parts);
        assert!(!folder.path("out").exists(), "{parts:?}: nothing was done");
    }
}

/// Leaves the first bytes of the weights.
fn cut(folder: &Folder, len: usize) {
    let bytes = fs::read(folder.path("model").join(WEIGHTS)).unwrap();
    folder.write("model/model.safetensors", &bytes[..len]);
}

const QUERY: &str = "model.layers.2.self_attn.q_proj.weight";
const FILE: &str = "model/model.safetensors: ";

#[test]
fn damaged_weights() {
    check(&[
        (|f| remove(f, WEIGHTS), &["model has no model.safetensors (nor model.safetensors.index"]),
        (|f| cut(f, 0), &[FILE, "not a whole safetensors file", "copy or download it again"]),
        (|f| cut(f, 100), &[FILE, "not a whole safetensors file"]),
        (|f| cut(f, 5_000_000), &[FILE, "not a whole safetensors file"]),
        (|f| f.write("model/model.safetensors", [0xff; 64]), &["not a whole safetensors file"]),
        (|f| f.write("model/model.safetensors", "version https://git-lfs"), &["not a whole"]),
        (
            |f| with_tensor(f, QUERY, |t| t.shape = vec![128, 512]),
            &[FILE, "q_proj.weight has the shape [128, 512], but config.json asks for [256, 256]"],
        ),
        (|f| with_tensor(f, QUERY, |t| t.shape = vec![65536]), &["has the shape [65536]"]),
        (|f| with_tensor(f, QUERY, |t| t.dtype = Dtype::I16), &[FILE, "is I16; take a model in"]),
        (
            |f| with_tensor(f, QUERY, |t| t.name = "other".to_owned()),
            &[FILE, "lacks the tensor", QUERY, "[256, 256]"],
        ),
        (
            |f| with_tensor(f, "model.norm.weight", |t| t.name = "transformer.norm".to_owned()),
            &[FILE, "lacks the tensor model.norm.weight [256]"],
        ),
        (
            store_with_bias,
            &[FILE, "tensors that this architecture doesn't have: 1 (", "q_proj.bias"],
        ),
    ]);
}

fn store_with_bias(folder: &Folder) {
    let mut tensors = read_tensors();
    let name = "model.layers.0.self_attn.q_proj.bias".to_owned();
    tensors.push(Tensor { name, dtype: Dtype::BF16, shape: vec![256], bytes: vec![0; 512] });
    store(folder, &tensors);
}

#[test]
fn damaged_shards() {
    let index = "model/model.safetensors.index.json";
    let table: [(&str, Damage, &[&str]); 5] = [
        (
            "a missing shard",
            |f| remove(f, "model-00002-of-00002.safetensors"),
            &["names model-00002-of-00002.safetensors, which isn't there: copy or download it"],
        ),
        (
            "a cut shard",
            |f| {
                let bytes = fs::read(f.path("model/model-00002-of-00002.safetensors")).unwrap();
                f.write("model/model-00002-of-00002.safetensors", &bytes[..bytes.len() / 2]);
            },
            &["model/model-00002-of-00002.safetensors: not a whole safetensors file"],
        ),
        ("a cut index", |f| f.write("model/model.safetensors.index.json", "{\"we"), &["EOF while"]),
        (
            "an index without shards",
            |f| f.write("model/model.safetensors.index.json", "{\"weight_map\": {}}"),
            &["names no files"],
        ),
        (
            "an index with another tensor",
            |f| {
                patch(f, "model.safetensors.index.json", |index| {
                    index["weight_map"]["x"] = json!("model-00001-of-00002.safetensors");
                });
            },
            &["names x in model-00001-of-00002.safetensors, which lacks it"],
        ),
    ];
    for (name, damage, parts) in table {
        let folder = with_model(|folder| store_sharded(folder, &read_tensors()));
        damage(&folder);
        let where_and_what: Vec<_> =
            parts.iter().copied().chain(["can't load the model"]).collect();
        folder.refused("generate --output out --model model", 2, &where_and_what);
        assert!(folder.path(index).exists(), "{name}");
    }
}

#[test]
fn damaged_configs() {
    fn set(folder: &Folder, field: &str, value: Value) {
        patch(folder, "config.json", |config| config[field] = value);
    }
    const FILE: &str = "model/config.json: ";
    check(&[
        (|f| remove(f, "config.json"), &["model has no config.json"]),
        (|f| f.write("model/config.json", ""), &[FILE, "EOF"]),
        (|f| f.write("model/config.json", [0xff, 0xfe]), &[FILE]),
        (
            |f| set(f, "architectures", json!(["GPT2LMHeadModel"])),
            &[FILE, "the architecture GPT2LMHeadModel isn't supported: take", "LlamaForCausalLM"],
        ),
        (|f| set(f, "architectures", json!([])), &[FILE, "doesn't name its `architectures`"]),
        (|f| set(f, "hidden_act", json!("relu")), &[FILE, "not supported: hidden_act \"relu\""]),
        (|f| set(f, "attention_bias", json!(true)), &["lacks the tensor", "self_attn.q_proj.bias"]),
        (|f| set(f, "hidden_size", json!(512)), &["asks for [4096, 512]", "different models"]),
        (|f| set(f, "num_hidden_layers", json!(6)), &["has 5 layers, but config.json asks for 6"]),
        (|f| set(f, "num_hidden_layers", json!(4)), &["has 5 layers, but config.json asks for 4"]),
        (|f| set(f, "eos_token_id", json!(4096)), &["eos_token_id 4096 is outside of the 4096"]),
        (
            |f| f.write("model/generation_config.json", "{\"eos_token_id\": \"x\"}"),
            &["model/generation_config.json: eos_token_id must be a token id or a list of them"],
        ),
        (
            |f| f.write("model/generation_config.json", "{\"eos_token_id\": [0, 9999]}"),
            &["model/generation_config.json: eos_token_id 9999 is outside"],
        ),
    ]);
}

#[test]
fn damaged_tokenizers() {
    const FILE: &str = "model/tokenizer.json: ";
    check(&[
        (|f| remove(f, "tokenizer.json"), &["model has no tokenizer.json: a model is"]),
        (|f| f.write("model/tokenizer.json", ""), &[FILE, "EOF"]),
        (
            |f| {
                let text = f.read("model/tokenizer.json");
                f.write("model/tokenizer.json", &text[..text.len() / 2]);
            },
            &[FILE, "EOF while parsing"],
        ),
        (
            |f| patch(f, "tokenizer.json", |t| t["model"]["vocab"]["new"] = json!(4096)),
            &[FILE, "has 4097 tokens, but the model a vocabulary of 4096", "different models"],
        ),
        (
            |f| patch(f, "tokenizer.json", |t| t["model"]["vocab"]["a"] = json!(u32::MAX)),
            &[FILE, "an id is 4294967295, but there are only 4096 tokens"],
        ),
        (|f| patch(f, "tokenizer.json", |t| t["decoder"] = json!(null)), &[FILE, "the decoder is"]),
        (
            |f| patch(f, "tokenizer.json", |t| t["model"] = json!({"type": "Unknown"})),
            &[FILE, "not a tokenizer.json of Hugging Face tokenizers"],
        ),
        (
            |f| {
                let model = json!({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "x"});
                patch(f, "tokenizer.json", |t| t["model"] = model);
            },
            &[FILE, "the model is WordLevel; only BPE"],
        ),
        (
            |f| patch(f, "tokenizer.json", |t| t["normalizer"] = json!({"type": "Lowercase"})),
            &[FILE, "it changes text"],
        ),
        (|f| patch(f, "tokenizer.json", |t| t["pre_tokenizer"] = json!(null)), &[FILE, "changes"]),
        (
            |f| patch(f, "tokenizer.json", |t| t["model"]["merges"] = json!(["q z"])),
            &[FILE, "not a tokenizer.json"],
        ),
        (|f| patch(f, "tokenizer.json", |t| t["model"]["vocab"] = json!({})), &[FILE]),
    ]);
}

#[test]
fn senseless_weights_are_no_reason_to_panic() {
    for value in [0.0, f32::NAN, f32::INFINITY, -1e30] {
        for name in ["model.embed_tokens.weight", "model.norm.weight", QUERY] {
            let folder = with_model(|f| with_tensor(f, name, |t| *t = t.filled(value)));
            for more in ["", "--temperature 1 --score logprob --mode filtered"] {
                let line = "generate --model model --max-lines 3 --limit 1 --max-line-tokens 20";
                let run = folder.run(&format!("{line} {more}"));
                assert!([0, 1].contains(&run.code), "{name} {value} {more}: {run:?}");
            }
        }
    }
}
