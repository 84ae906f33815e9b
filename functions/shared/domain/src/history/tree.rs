//! Turns dotted paths back into the nested objects and arrays of a metrics document.

use std::collections::BTreeMap;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::number::Number;
use crate::series::MAX_DEPTH;

/// The members of one container, by key or index.
#[derive(Debug, Default)]
pub(super) struct Tree<'a>(BTreeMap<&'a str, Node<'a>>);

#[derive(Debug)]
enum Node<'a> {
    Leaf(Number),
    Branch(Tree<'a>),
}

impl<'a> Tree<'a> {
    /// The tree of `leaves`, given as dotted paths. If one path continues another, the container wins over the number.
    /// Paths with more parts than a document has levels (keys that contain dots) are left out.
    pub(super) fn of(leaves: impl Iterator<Item = (&'a str, Number)>) -> Self {
        let mut root = Self::default();
        for (path, value) in leaves {
            if path.split('.').count() <= MAX_DEPTH {
                root.insert(path, value);
            }
        }
        root
    }

    fn insert(&mut self, path: &'a str, value: Number) {
        let Some((part, rest)) = path.split_once('.') else {
            self.0.entry(path).or_insert(Node::Leaf(value));
            return;
        };
        let node = self.0.entry(part).or_insert_with(|| Node::Branch(Self::default()));
        if let Node::Leaf(_) = node {
            *node = Node::Branch(Self::default());
        }
        if let Node::Branch(branch) = node {
            branch.insert(rest, value);
        }
    }

    /// Removes the members whose key is one of `keys`.
    pub(super) fn without(mut self, keys: &[&str]) -> Self {
        self.0.retain(|key, _| !keys.contains(key));
        self
    }

    /// Writes the members into `map`.
    pub(super) fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(key, node)| map.serialize_entry(key, node))
    }

    /// The members in index order if their keys are exactly 0, 1, …, as those of an array.
    fn items(&self) -> Option<Vec<&Node<'a>>> {
        (0..self.0.len()).map(|index| self.0.get(index.to_string().as_str())).collect()
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let branch = match self {
            Self::Leaf(value) => return value.serialize(serializer),
            Self::Branch(branch) => branch,
        };
        if let Some(items) = branch.items() {
            let mut array = serializer.serialize_seq(Some(items.len()))?;
            items.into_iter().try_for_each(|item| array.serialize_element(item))?;
            return array.end();
        }
        let mut map = serializer.serialize_map(Some(branch.0.len()))?;
        branch.serialize_into(&mut map)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn tree(paths: &[&str]) -> Value {
        let leaves = paths.iter().zip(1..).map(|(path, value)| (*path, Number(f64::from(value))));
        serde_json::to_value(Node::Branch(Tree::of(leaves))).unwrap()
    }

    #[test]
    fn paths_become_objects_and_arrays() {
        assert_eq!(
            tree(&["cpu.usage", "cpu.loadAverage.0", "cpu.loadAverage.1"]),
            json!({"cpu": {"usage": 1, "loadAverage": [2, 3]}})
        );
        let eleven: Vec<String> = (0..11).map(|index| format!("a.{index}")).collect();
        let paths: Vec<&str> = eleven.iter().map(String::as_str).collect();
        assert_eq!(tree(&paths), json!({"a": Vec::from_iter(1..=11)}));
    }

    #[test]
    fn keys_that_are_not_consecutive_indices_stay_an_object() {
        assert_eq!(
            tree(&["a.1", "b.00", "c.0", "c.x"]),
            json!({"a": {"1": 1}, "b": {"00": 2}, "c": {"0": 3, "x": 4}})
        );
    }

    #[test]
    fn container_wins_over_a_number_of_its_name() {
        assert_eq!(tree(&["a", "a.b", "c.d.e", "c.d"]), json!({"a": {"b": 2}, "c": {"d": {"e": 3}}}));
    }

    #[test]
    fn empty_parts_are_kept_and_deep_paths_left_out() {
        let (deepest, deeper) = (["x"; MAX_DEPTH].join("."), ["y"; MAX_DEPTH + 1].join("."));
        let built = tree(&["", "a.", &deepest, &deeper]);
        assert_eq!((&built[""], &built["a"][""], built.get("y")), (&json!(1), &json!(2), None));
        assert!(built.get("x").is_some());
    }
}
