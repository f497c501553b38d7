//! Builds the tree from a deserializer, whichever language it reads.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Entry, Node, Place, Value};

/// How a language tells where a value begins: in a wrapper around the value, or not at all.
pub(super) trait Wrapper {
    type Wrapped<'de, T: Deserialize<'de>>: Deserialize<'de>;

    fn unwrap<'de, T: Deserialize<'de>>(wrapped: Self::Wrapped<'de, T>) -> (T, Place);
}

/// A value being read; its parts are wrapped by `W`.
pub(super) struct Tree<W>(Value, PhantomData<W>);

/// Takes a value and its place out of the wrapper.
pub(super) fn into_node<W: Wrapper>(wrapped: W::Wrapped<'_, Tree<W>>) -> Node {
    let (tree, place) = W::unwrap(wrapped);
    Node { place, value: tree.0 }
}

impl<'de, W: Wrapper> Deserialize<'de> for Tree<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor::<W>(PhantomData)).map(|value| Self(value, PhantomData))
    }
}

struct TreeVisitor<W>(PhantomData<W>);

impl<'de, W: Wrapper> Visitor<'de> for TreeVisitor<W> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        let number = serde_json::Number::from_f64(number);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("infinity and not-a-number have no place in a document"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(wrapped) = list.next_element::<W::Wrapped<'de, Tree<W>>>()? {
            nodes.push(into_node::<W>(wrapped));
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        while let Some(wrapped) = map.next_key::<W::Wrapped<'de, String>>()? {
            let (key, place) = W::unwrap(wrapped);
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format_args!("the key {key:?} is there twice")));
            }
            let node = into_node::<W>(map.next_value::<W::Wrapped<'de, Tree<W>>>()?);
            entries.push(Entry { place, key, node });
        }
        Ok(Value::Map(entries))
    }
}
