//! The key-value pairs in front of a GGUF file. Strings and arrays stay where they are, in the
//! file: what a count says takes no memory before somebody walks over it.

use std::collections::BTreeMap;

use super::reader::Reader;

/// The type of a value, by ggml's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// So many bytes.
    Unsigned(u64),
    Signed(u64),
    Float(u64),
    Bool,
    String,
    Array,
}

impl Kind {
    fn of(number: u32) -> Result<Self, String> {
        Ok(match number {
            0 => Self::Unsigned(1),
            1 => Self::Signed(1),
            2 => Self::Unsigned(2),
            3 => Self::Signed(2),
            4 => Self::Unsigned(4),
            5 => Self::Signed(4),
            6 => Self::Float(4),
            7 => Self::Bool,
            8 => Self::String,
            9 => Self::Array,
            10 => Self::Unsigned(8),
            11 => Self::Signed(8),
            12 => Self::Float(8),
            _ => return Err(format!("its type is {number}, which GGUF doesn't have")),
        })
    }
}

/// A value.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Any integer.
    Integer(i128),
    /// Any float.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Text.
    String(&'a str),
    /// Values of one type.
    Array(Array<'a>),
}

/// Values of one type, one after the other; checked when the file was read.
#[derive(Clone, Debug)]
pub struct Array<'a> {
    kind: Kind,
    len: u64,
    values: Reader<'a>,
}

impl<'a> Array<'a> {
    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> {
        let (kind, mut values) = (self.kind, self.values.clone());
        (0..self.len).map(move |_| scalar(kind, &mut values).expect("walked over before"))
    }
}

/// All pairs, by key.
#[derive(Debug, Default)]
pub struct Metadata<'a>(BTreeMap<&'a str, Value<'a>>);

impl<'a> Metadata<'a> {
    /// Reads `num_pairs` pairs.
    pub fn read(reader: &mut Reader<'a>, num_pairs: u64) -> Result<Self, String> {
        let mut pairs = BTreeMap::new();
        for idx in 0..num_pairs {
            let of = |problem| format!("the name of the value {idx} of {num_pairs}: {problem}");
            let key = reader.string().map_err(of)?;
            let of = |problem| format!("the value {key:?}: {problem}");
            let kind = reader.u32().and_then(Kind::of).map_err(of)?;
            let value = match kind {
                Kind::Array => array(reader).map(Value::Array),
                _ => scalar(kind, reader),
            };
            if pairs.insert(key, value.map_err(of)?).is_some() {
                return Err(of("it is there twice".to_owned()));
            }
        }
        Ok(Self(pairs))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.0.get(key)
    }

    /// The text of `key`, if it is there.
    pub fn string(&self, key: &str) -> Result<Option<&'a str>, String> {
        self.of_type(key, "text", |value| match value {
            Value::String(text) => Some(*text),
            _ => None,
        })
    }

    /// The number of `key`, if it is there; not below 0.
    pub fn count(&self, key: &str) -> Result<Option<u64>, String> {
        self.of_type(key, "a number that is at least 0", |value| match value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        })
    }

    /// The number of `key`, if it is there.
    pub fn float(&self, key: &str) -> Result<Option<f64>, String> {
        self.of_type(key, "a number", |value| match value {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        })
    }

    /// The switch `key`, if it is there.
    pub fn bool(&self, key: &str) -> Result<Option<bool>, String> {
        self.of_type(key, "true or false", |value| match value {
            Value::Bool(is_on) => Some(*is_on),
            _ => None,
        })
    }

    /// The values of the array `key`, each of them what `read` takes; none if it isn't there.
    pub fn array<T>(
        &self,
        key: &str,
        what: &str,
        read: impl Fn(&Value<'a>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, String> {
        self.of_type(key, what, |value| match value {
            Value::Array(array) => array.iter().map(|value| read(&value)).collect(),
            _ => None,
        })
    }

    fn of_type<T>(
        &self,
        key: &str,
        what: &str,
        read: impl Fn(&Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let read = read(value).ok_or_else(|| format!("the value {key:?} must be {what}"));
        read.map(Some)
    }
}

fn array<'a>(reader: &mut Reader<'a>) -> Result<Array<'a>, String> {
    let kind = Kind::of(reader.u32()?)?;
    let len = reader.u64()?;
    let values = reader.clone();
    let element_bytes = match kind {
        Kind::Unsigned(bytes) | Kind::Signed(bytes) | Kind::Float(bytes) => bytes,
        Kind::Bool => 1,
        Kind::String => 0,
        Kind::Array => return Err("it is an array of arrays; no model needs one".to_owned()),
    };
    if kind == Kind::String {
        for idx in 0..len {
            reader.string().map_err(|problem| format!("at {idx} of {len}: {problem}"))?;
        }
    } else {
        // More than the file has, if it is more than 64 bits hold.
        reader.take(len.saturating_mul(element_bytes))?;
    }
    Ok(Array { kind, len, values })
}

fn scalar<'a>(kind: Kind, reader: &mut Reader<'a>) -> Result<Value<'a>, String> {
    Ok(match kind {
        Kind::Unsigned(bytes) => Value::Integer(i128::from(little_endian(reader.take(bytes)?))),
        Kind::Signed(bytes) => {
            let shift = 64 - 8 * bytes;
            let number = little_endian(reader.take(bytes)?) << shift;
            Value::Integer(i128::from(number.cast_signed() >> shift))
        }
        Kind::Float(4) => Value::Float(f64::from(f32::from_bits(reader.u32()?))),
        Kind::Float(_) => Value::Float(f64::from_bits(reader.u64()?)),
        Kind::Bool => Value::Bool(reader.take(1)? != [0]),
        Kind::String => Value::String(reader.string()?),
        Kind::Array => unreachable!("arrays hold no arrays"),
    })
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
