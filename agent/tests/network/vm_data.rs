//! What the host has written, from a directory of examples.

use crate::files;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use xend_guest_agent::exchange::GuestData;
use xend_guest_protocol::network::Interface;

/// Nodes by their paths, `vm-data/...`.
#[derive(Debug, Clone, Default)]
pub(crate) struct VmData(BTreeMap<String, Vec<u8>>);

impl VmData {
    /// The example of this name in `tests/golden/examples`.
    pub(crate) fn example(name: &str) -> Self {
        let files = files::read(&directory().join(name));
        Self(
            files.into_iter().map(|(path, text)| (format!("vm-data{path}"), text.into())).collect(),
        )
    }

    /// The names of all examples.
    pub(crate) fn examples() -> BTreeSet<String> {
        let entries = fs::read_dir(directory()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// The same with another node.
    pub(crate) fn with(mut self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.insert(format!("vm-data/{path}"), value.as_ref().to_vec());
        self
    }

    /// Writes the nodes as files below a directory.
    pub(crate) fn write(&self, directory: &Path) {
        for (path, value) in &self.0 {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, value).unwrap();
        }
    }

    /// What the nodes say of the interfaces.
    pub(crate) fn interfaces(&self) -> Vec<Interface> {
        let nodes = self
            .0
            .iter()
            .filter_map(|(path, json)| Some((path.strip_prefix("vm-data/networking/")?, json)));
        nodes.map(|(name, json)| Interface::parse_node(name, json).unwrap()).collect()
    }
}

impl GuestData for VmData {
    fn read(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&mut self, path: &str) -> io::Result<Vec<String>> {
        let below = format!("{path}/");
        let names = self.0.keys().filter_map(|path| path.strip_prefix(&below));
        let names: BTreeSet<&str> = names.filter_map(|path| path.split('/').next()).collect();
        Ok(names.into_iter().map(ToOwned::to_owned).collect())
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/examples")
}
