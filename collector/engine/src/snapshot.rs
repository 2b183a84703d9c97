//! How values are kept over a restart that serde does not know by itself.

use crate::detect::{
    system,
    tool::{self, Tool},
};
use serde::{Deserialize, Deserializer, de};

/// A name that we give. Written out, serde would take it for a part of the bytes that it reads.
pub(crate) type Name = &'static str;

/// Arrays of more than 32 values.
pub(crate) mod many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(crate) fn serialize<T: Serialize, S: Serializer, const N: usize>(values: &[T; N], serializer: S) -> Result<S::Ok, S::Error> {
        values.as_slice().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[T; N], D::Error> {
        let values = Vec::<T>::deserialize(deserializer)?;
        let len = values.len();
        values.try_into().map_err(|_| de::Error::invalid_length(len, &"another number of values"))
    }
}

/// A tool before it is known to be one of those that we name.
#[derive(Deserialize)]
pub(crate) struct NamedTool {
    name: String,
    is_sure: bool,
}

impl TryFrom<NamedTool> for Tool {
    type Error = &'static str;

    fn try_from(NamedTool { name, is_sure }: NamedTool) -> Result<Self, Self::Error> {
        let mut names = tool::SEEN_TWICE.iter().map(|(_, name)| *name);
        names.find(|known| *known == name).map(|name| Self { name, is_sure }).ok_or("a tool that we do not name")
    }
}

/// The name of an operating system: one of those that we give.
pub(crate) fn system<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Name>, D::Error> {
    let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let known = system::NAMES.into_iter().find(|known| *known == name);
    known.map(Some).ok_or_else(|| de::Error::custom("a system that we do not name"))
}
