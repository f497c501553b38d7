//! A row over its root: mappings key by key, lists index by index, anything else replaced.

use crate::component::document::{Entry, Node, Value};

/// A shorter list keeps the root's tail. Every value keeps the place where it was written.
pub(super) fn merge(root: &Node, over: &Node) -> Node {
    let value = match (&root.value, &over.value) {
        (Value::Map(below), Value::Map(above)) => Value::Map(merge_entries(below, above)),
        (Value::List(below), Value::List(above)) => {
            let both = below.iter().zip(above).map(|(below, above)| merge(below, above));
            let tail = below.iter().skip(above.len()).chain(above.iter().skip(below.len())).cloned();
            Value::List(both.chain(tail).collect())
        }
        // An empty list is how PHP writes an empty mapping: nothing to lay over.
        (Value::Map(_), Value::List(above)) if above.is_empty() => return root.clone(),
        (Value::List(_), Value::Map(above)) if above.is_empty() => return root.clone(),
        (_, above) => above.clone(),
    };
    Node { place: over.place, value }
}

fn merge_entries(below: &[Entry], above: &[Entry]) -> Vec<Entry> {
    let laid_over = below.iter().map(|entry| match above.iter().find(|over| over.key == entry.key) {
        Some(over) => Entry { node: merge(&entry.node, &over.node), ..over.clone() },
        None => entry.clone(),
    });
    let added = above.iter().filter(|over| below.iter().all(|entry| entry.key != over.key)).cloned();
    laid_over.chain(added).collect()
}
