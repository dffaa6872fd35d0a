//! What a name can stand for. A variable and a function of one name may live side by side.

/// A set of kinds of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spaces(u8);

impl Spaces {
    /// Variables, fields, constants, parameters.
    pub const VALUE: Self = Self(1);
    /// Classes, interfaces, type parameters.
    pub const TYPE: Self = Self(2);
    /// Functions and methods, where they are apart from values.
    pub const FUNCTION: Self = Self(4);
    /// Macros.
    pub const MACRO: Self = Self(8);
    /// Constants, where they are apart from values.
    pub const CONSTANT: Self = Self(16);
    /// All of them.
    pub const ANY: Self = Self(31);

    /// The set that queries call so.
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "value" => Self::VALUE,
            "type" => Self::TYPE,
            "function" => Self::FUNCTION,
            "macro" => Self::MACRO,
            "constant" => Self::CONSTANT,
            "any" => Self::ANY,
            _ => return None,
        })
    }

    /// Is any kind in both?
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The kinds in either.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The kinds that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Is there none?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
