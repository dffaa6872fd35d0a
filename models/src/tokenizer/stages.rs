//! The stages of a tokenizer as their JSON, in which they can be compared and changed.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The stages of a normalizer, pre-tokenizer or decoder, one after the other; `list` is what a
/// sequence calls them. None if there is nothing.
pub(super) fn stages(stage: Option<&impl Serialize>, list: &str) -> Vec<Value> {
    let mut found = Vec::new();
    if let Some(stage) = stage {
        let stage = serde_json::to_value(stage).expect("it comes from JSON or could");
        flatten(stage, list, &mut found);
    }
    found
}

fn flatten(mut stage: Value, list: &str, found: &mut Vec<Value>) {
    match stage.get_mut(list).map(Value::take) {
        Some(Value::Array(inner)) => {
            for stage in inner {
                flatten(stage, list, found);
            }
        }
        _ => found.push(stage),
    }
}

/// A stage from its JSON.
pub(super) fn parse<T: DeserializeOwned>(stage: Value) -> Result<T, String> {
    serde_json::from_value(stage).map_err(|e| e.to_string())
}
