//! Reads a struct field by field, so that what is wrong has a name.
//!
//! `serde` tells a deserializer which fields a struct has; that list is all that is needed to
//! refuse unknown ones with the nearest known one.

use std::fmt::Display;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// Names that differ by more than this much of their length are not suggested.
const NEAR: f64 = 0.7;

/// What is wrong with the fields of a struct.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// There is no such field.
    Unknown {
        /// What was given.
        name: String,
        /// What may be meant.
        nearest: Option<&'static str>,
    },
    /// A field is needed.
    Missing(&'static str),
    /// A value is not accepted.
    Value {
        /// The field.
        name: String,
        /// What would be.
        why: String,
    },
}

impl Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: Display>(why: T) -> Self {
        Self::Value { name: String::new(), why: why.to_string() }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

/// The value of one field, before its type is known.
pub(crate) trait Source {
    fn read<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, String>;
}

impl Source for Value {
    fn read<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, String> {
        seed.deserialize(self).map_err(|error| error.to_string())
    }
}

impl Source for Texts {
    fn read<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, String> {
        seed.deserialize(self).map_err(|error: Wrong| match error {
            Wrong::Value { why, .. } => why,
            other => other.to_string(),
        })
    }
}

/// Makes a struct of its fields.
pub(crate) fn read<T: DeserializeOwned, V: Source>(
    fields: impl Iterator<Item = (String, V)>,
) -> Result<T, Wrong> {
    T::deserialize(Fields { fields, value: None, known: &[] })
}

struct Fields<I, V> {
    fields: I,
    value: Option<(String, V)>,
    known: &'static [&'static str],
}

impl<'de, F: Source, I: Iterator<Item = (String, F)>> Deserializer<'de> for Fields<I, F> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_map(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.known = known;
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de, V: Source, I: Iterator<Item = (String, V)>> MapAccess<'de> for Fields<I, V> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        if !self.known.contains(&name.as_str()) {
            let nearest = nearest(&name, self.known);
            return Err(Wrong::Unknown { name, nearest });
        }
        let key: StrDeserializer<'_, Wrong> = name.as_str().into_deserializer();
        let key = seed.deserialize(key)?;
        self.value = Some((name, value));
        Ok(Some(key))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Wrong> {
        let (name, value) = self.value.take().ok_or_else(|| Wrong::custom("no value"))?;
        value.read(seed).map_err(|why| Wrong::Value { name, why })
    }
}

/// The known name that may be meant.
pub(crate) fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let near = |known: &str| strsim::jaro(&name.to_ascii_lowercase(), known);
    let best = known.iter().max_by(|a, b| near(a).total_cmp(&near(b)))?;
    (near(best) >= NEAR).then_some(*best)
}

/// What a query says of one parameter, as often as it says it. Becomes what is wanted of it: text,
/// a number, a yes or no, a word, or a list.
#[derive(Debug)]
pub(crate) struct Texts(Vec<String>);

impl Texts {
    pub(crate) fn new(text: String) -> Self {
        Self(vec![text])
    }

    pub(crate) fn push(&mut self, text: String) {
        self.0.push(text);
    }

    fn one(mut self) -> Result<String, Wrong> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(text), true) => Ok(text),
            _ => Err(Wrong::custom("given more than once")),
        }
    }

    fn parsed<T: std::str::FromStr>(self, wanted: &str) -> Result<T, Wrong> {
        self.one()?.parse().map_err(|_| Wrong::custom(format_args!("expected {wanted}")))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $wanted:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            visitor.$visit(self.parsed($wanted)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Texts {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_string(self.one()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_bool(self.parsed("true or false")?)
    }

    numbers! {
        deserialize_u8 visit_u8 "a whole number from 0 to 255";
        deserialize_u16 visit_u16 "a whole number from 0 to 65535";
        deserialize_u32 visit_u32 "a whole number from 0 on";
        deserialize_u64 visit_u64 "a whole number from 0 on";
        deserialize_i32 visit_i32 "a whole number";
        deserialize_i64 visit_i64 "a whole number";
        deserialize_f64 visit_f64 "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(Each(self.0.into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let word = self.one()?;
        if !words.contains(&word.as_str()) {
            return Err(Wrong::custom(format_args!("expected one of {}", words.join(", "))));
        }
        visitor.visit_enum(IntoDeserializer::<Wrong>::into_deserializer(word))
    }

    forward_to_deserialize_any! {
        i8 i16 f32 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

struct Each(std::vec::IntoIter<String>);

impl<'de> SeqAccess<'de> for Each {
    type Error = Wrong;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Wrong> {
        let Some(text) = self.0.next() else { return Ok(None) };
        seed.deserialize(Texts::new(text)).map(Some)
    }
}
