//! The keys of a `config.json`, one by one: a wrong one is named.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The object that a `config.json` holds, or one inside it.
pub(super) struct Keys(Map<String, Value>);

impl Keys {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(Self).map_err(|error| error.to_string())
    }

    /// The value of `key`; `None` if it is missing or null.
    pub fn optional<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, String> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                T::deserialize(value).map(Some).map_err(|error| format!("{key}: {error}"))
            }
        }
    }

    /// The value of `key`, which must be there.
    pub fn required<T: DeserializeOwned>(&self, key: &str) -> Result<T, String> {
        self.optional(key)?.ok_or_else(|| format!("missing field `{key}`"))
    }

    /// The value of `key`, or `default` if it is missing or null.
    pub fn value_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T, String> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    /// The object at `key`.
    pub fn object(&self, key: &str) -> Result<Option<Self>, String> {
        Ok(self.optional(key)?.map(Self))
    }

    /// Is there such a key, with a value or with null?
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}
