//! What the host writes into XenStore for a guest before the guest starts.

use super::invalid::Invalid;
use super::property::{Property, Value};
use super::store_path::StorePath;
use super::text::Text;
use std::collections::BTreeMap;
use std::fmt;

/// Nodes below `vm-data`, by their paths relative to the domain's directory. The guest can read
/// them and not change them.
///
/// Whoever sees the domain reads their values, except those of nodes with the name of a password:
/// see [`XenstoreData::shown`].
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct XenstoreData(BTreeMap<StorePath, Text>);

/// Shows no values: passwords are among them.
impl fmt::Debug for XenstoreData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys().map(StorePath::as_str)).finish()
    }
}

impl XenstoreData {
    /// The node that all of them are below: the Xen-API lets through no others.
    pub const TOP: &str = "vm-data";

    /// The most nodes.
    pub const MAX_NODES: usize = 256;

    /// The most names in a path. XenStore has no limit; guests need no more than four.
    pub const MAX_DEPTH: usize = 16;

    /// The largest value in bytes: a message of XenStore has 4096 with the path.
    pub const MAX_VALUE: usize = 2048;

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nodes, sorted by their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&StorePath, &Text)> {
        self.0.iter()
    }

    /// The nodes that answers show: none whose name is that of a password.
    pub fn shown(&self) -> impl Iterator<Item = (&StorePath, &Text)> {
        self.iter().filter(|(path, _)| !Property::is_secret_key(path.name()))
    }

    /// Sets a node; `None` removes it.
    pub fn set(&mut self, path: &str, value: Option<Text>) -> Result<(), Invalid> {
        let invalid = |reason: &str| Invalid::new(format!("xenstore_data: {reason}"));
        let path = StorePath::new(path).map_err(|reason| invalid(&reason.to_string()))?;
        let Some(value) = value else {
            self.0.remove(&path);
            return Ok(());
        };
        if !path.starts_with(Self::TOP) {
            return Err(invalid(&format!("{path} is not below {}", Self::TOP)));
        }
        if path.as_str().split('/').count() > Self::MAX_DEPTH {
            return Err(invalid(&format!("{path} has more than {} names", Self::MAX_DEPTH)));
        }
        if value.contains(&0) {
            return Err(invalid(&format!("{path}: the value has a NUL")));
        }
        if value.len() > Self::MAX_VALUE {
            let reason =
                format!("{path}: {} bytes are too many, at most {}", value.len(), Self::MAX_VALUE);
            return Err(invalid(&reason));
        }
        self.insert(path, value)
    }

    /// Sets a node that has no other value yet.
    fn set_once(&mut self, path: &str, value: Text) -> Result<(), Invalid> {
        let earlier = StorePath::new(path).ok().and_then(|path| self.0.get(&path));
        if earlier.is_some_and(|earlier| *earlier != value) {
            let reason = "given twice, with different values";
            return Err(Invalid::new(format!("xenstore_data: {path}: {reason}")));
        }
        self.set(path, Some(value))
    }

    /// Keeps nodes with passwords of an earlier configuration, which answers do not show. Fails if
    /// there is no room for all of them.
    pub fn inherit_hidden(&mut self, earlier: &Self) -> Result<(), Invalid> {
        let hidden = earlier.iter().filter(|(path, _)| Property::is_secret_key(path.name()));
        for (path, value) in hidden {
            if !self.0.contains_key(path) {
                self.insert(path.clone(), value.clone())?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, path: StorePath, value: Text) -> Result<(), Invalid> {
        if !self.0.contains_key(&path) && self.0.len() >= Self::MAX_NODES {
            let most = Self::MAX_NODES;
            return Err(Invalid::new(format!("xenstore_data: a domain has at most {most} nodes")));
        }
        self.0.insert(path, value);
        Ok(())
    }

    /// The value of the key `xenstore_data` of a configuration, as an inner list:
    /// `((path value) ...)`.
    pub fn to_value<'a>(nodes: impl Iterator<Item = (&'a StorePath, &'a Text)>) -> Value {
        let pair = |(path, value): (&StorePath, &Text)| {
            Value::List(vec![Value::text(path.as_str()), Value::Text(value.clone())])
        };
        Value::List(nodes.map(pair).collect())
    }

    /// Reads the values of the key `xenstore_data`: pairs of path and value, with or without the
    /// inner list.
    pub fn from_values(values: &[Value]) -> Result<Self, Invalid> {
        let invalid =
            || Invalid::new("xenstore_data: it must be (vm-data/name value) ..., path and value");
        let is_list = |value: &Value| matches!(value, Value::List(_));
        let pairs: &[Value] = match values {
            [Value::List(pairs)] if pairs.iter().all(is_list) => pairs,
            pairs => pairs,
        };
        let mut data = Self::default();
        for pair in pairs {
            let Value::List(pair) = pair else { return Err(invalid()) };
            let (path, value) = match pair.as_slice() {
                [Value::Text(path)] => (path, Text::default()),
                [Value::Text(path), Value::Text(value)] => (path, value.clone()),
                _ => return Err(invalid()),
            };
            data.set_once(&path.to_string(), value)?;
        }
        Ok(data)
    }
}

/// A change of [`XenstoreData`].
#[derive(Clone, PartialEq, Eq)]
pub enum XenstoreDataChange {
    /// Replace all nodes but those that answers do not show: a client that writes back what it read
    /// would lose them. [`XenstoreDataChange::Node`] removes them.
    All(XenstoreData),
    /// Set one node; `None` removes it.
    Node(String, Option<Text>),
}

/// Shows no values, as [`XenstoreData`].
impl fmt::Debug for XenstoreDataChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(data) => f.debug_tuple("All").field(data).finish(),
            Self::Node(path, _) => f.debug_tuple("Node").field(path).finish_non_exhaustive(),
        }
    }
}

impl XenstoreDataChange {
    /// Applies the change.
    pub fn apply(&self, data: &mut XenstoreData) -> Result<(), Invalid> {
        match self {
            Self::All(new) => {
                let mut new = new.clone();
                new.inherit_hidden(data)?;
                *data = new;
                Ok(())
            }
            Self::Node(path, value) => data.set(path, value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_survive_conversion() {
        let mut data = XenstoreData::default();
        data.set("vm-data/hostname", Some("web1".into())).unwrap();
        data.set("vm-data/networking/00163e112233", Some("{\"label\":\"public\"}".into())).unwrap();
        data.set("vm-data/empty", Some(Text::default())).unwrap();
        let value = XenstoreData::to_value(data.iter());
        assert_eq!(XenstoreData::from_values(&[value]).unwrap(), data);
        assert_eq!(XenstoreData::from_values(&[]).unwrap(), XenstoreData::default());
        assert!(XenstoreData::from_values(&[Value::text("x")]).is_err());
    }

    fn pairs(nodes: &[(&str, &[u8])]) -> Vec<Value> {
        let pair = |(path, value): &(&str, &[u8])| {
            Value::List(vec![Value::text(*path), Value::Text((*value).into())])
        };
        nodes.iter().map(pair).collect()
    }

    #[test]
    fn the_inner_list_can_be_left_out() {
        let pairs = pairs(&[("vm-data/a", b"1"), ("vm-data/b", b"2")]);
        for pairs in [&pairs[..1], &pairs[..]] {
            let listed = XenstoreData::from_values(&[Value::List(pairs.to_vec())]).unwrap();
            assert_eq!(listed.iter().count(), pairs.len());
            assert_eq!(XenstoreData::from_values(pairs).unwrap(), listed);
        }
        let empty = [Value::List(vec![Value::text("vm-data/a")])];
        assert_eq!(XenstoreData::from_values(&empty).unwrap().iter().count(), 1);
        let mixed = [Value::List(pairs.clone()), pairs[0].clone()];
        assert!(XenstoreData::from_values(&mixed).is_err());
    }

    #[test]
    fn a_node_has_one_value() {
        let same = pairs(&[("vm-data/a", b"1"), ("vm-data/a", b"1")]);
        assert_eq!(XenstoreData::from_values(&same).unwrap().iter().count(), 1);
        for other in [&b"2"[..], b""] {
            let two = pairs(&[("vm-data/a", b"1"), ("vm-data/a", other)]);
            let error = XenstoreData::from_values(&two).unwrap_err().to_string();
            let expected = "xenstore_data: vm-data/a: given twice, with different values";
            assert_eq!(error, expected);
        }
    }

    /// Programs in guests would read what stands before the NUL.
    #[test]
    fn values_have_no_nul() {
        let error = XenstoreData::from_values(&pairs(&[("vm-data/a", b"x\0y")])).unwrap_err();
        assert_eq!(error.to_string(), "xenstore_data: vm-data/a: the value has a NUL");
    }

    #[test]
    fn nodes_are_below_vm_data_and_limited() {
        let mut data = XenstoreData::default();
        for (path, reason) in [
            ("control/shutdown", "xenstore_data: control/shutdown is not below vm-data"),
            ("vm-data2/x", "xenstore_data: vm-data2/x is not below vm-data"),
            ("vm-data//x", "xenstore_data: path: it must be names"),
        ] {
            let error = data.set(path, Some("x".into())).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
        let deep = |names| format!("vm-data{}", "/x".repeat(names - 1));
        data.set(&deep(XenstoreData::MAX_DEPTH), Some("x".into())).unwrap();
        data.set(&deep(XenstoreData::MAX_DEPTH), None).unwrap();
        assert!(data.set(&deep(XenstoreData::MAX_DEPTH + 1), Some("x".into())).is_err());
        let long = "x".repeat(XenstoreData::MAX_VALUE + 1);
        assert!(data.set("vm-data/x", Some(long.into())).is_err());
        for n in 0..XenstoreData::MAX_NODES {
            data.set(&format!("vm-data/n{n}"), Some("x".into())).unwrap();
        }
        assert!(data.set("vm-data/one-more", Some("x".into())).is_err());
        data.set("vm-data/n0", Some("y".into())).unwrap();
        data.set("vm-data/n0", None).unwrap();
        data.set("vm-data/one-more", Some("x".into())).unwrap();
    }

    #[test]
    fn passwords_are_not_shown_and_not_lost() {
        let mut data = XenstoreData::default();
        data.set("vm-data/admin/password", Some("secret".into())).unwrap();
        data.set("vm-data/hostname", Some("a".into())).unwrap();
        assert_eq!(data.shown().count(), 1);
        let mut sent_back = XenstoreData::default();
        sent_back.set("vm-data/hostname", Some("b".into())).unwrap();
        XenstoreDataChange::All(sent_back).apply(&mut data).unwrap();
        assert_eq!(data.iter().count(), 2);
        let node = XenstoreDataChange::Node("vm-data/admin/password".into(), Some("secret".into()));
        let texts = format!("{data:?} {node:?} {:?}", XenstoreDataChange::All(data.clone()));
        assert!(texts.contains("vm-data/admin/password") && !texts.contains("secret"), "{texts}");
    }

    /// A configuration with more nodes could not be read again.
    #[test]
    fn hidden_passwords_count_as_nodes() {
        let passwords = |user: &str| {
            let mut data = XenstoreData::default();
            for n in 0..XenstoreData::MAX_NODES {
                data.set(&format!("vm-data/{user}{n}/password"), Some("x".into())).unwrap();
            }
            data
        };
        let mut data = passwords("a");
        let error = XenstoreDataChange::All(passwords("b")).apply(&mut data).unwrap_err();
        assert_eq!(error.to_string(), "xenstore_data: a domain has at most 256 nodes");
        assert_eq!(data, passwords("a"));
        XenstoreDataChange::All(XenstoreData::default()).apply(&mut data).unwrap();
        assert_eq!(data, passwords("a"));
    }
}
