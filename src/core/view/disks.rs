//! The disks of domains.

use super::View;
use crate::core::error::Error;
use crate::core::model::{Block, Device, DomainRef, Uuid};
use crate::core::ports::{DiskFacts, DiskUsage};
use crate::core::rights::OpKind;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

impl View {
    /// The disks of a domain and what they hold; `None` beside those that do not exist on this
    /// host, and beside drives without a medium.
    pub async fn disks(
        &self,
        domain: &DomainRef,
    ) -> Result<Vec<(Block, Option<DiskFacts>)>, Error> {
        let view = self.lookup(domain)?;
        let read = async {
            let mut disks = Vec::new();
            for block in view.config.devices.iter().filter_map(Device::as_block) {
                let facts = match block.path() {
                    b"" => None,
                    // `phy:` may be followed by a name in /dev.
                    path => {
                        let path = Path::new("/dev").join(OsStr::from_bytes(path));
                        self.core.store.inspect_disk(&path).await?
                    }
                };
                disks.push((block.clone(), facts));
            }
            Ok(disks)
        };
        self.core.storage_question("Reading the disks", read).await
    }

    /// The sizes of files and disks; `None` for each that does not exist, or is no disk of a domain
    /// that the caller sees.
    pub async fn extents(&self, paths: &[PathBuf]) -> Result<Vec<Option<DiskUsage>>, Error> {
        let visible = (!self.caller.is_operator()).then(|| self.disk_paths());
        let may_see = |path: &&PathBuf| visible.as_ref().is_none_or(|disks| disks.contains(*path));
        let asked: Vec<PathBuf> = paths.iter().filter(may_see).cloned().collect();
        let sizes = async { Ok(self.core.store.extents(asked).await) };
        let sizes = self.core.storage_question("Reading the sizes of images", sizes).await?;
        let mut sizes = sizes.into_iter();
        let size = |path: &PathBuf| if may_see(&path) { sizes.next().flatten() } else { None };
        Ok(paths.iter().map(size).collect())
    }

    /// What is at these paths; `None` for each that does not exist, that is no disk of a domain
    /// that the caller sees, or that does not tell at once.
    pub async fn disk_facts(&self, paths: &[PathBuf]) -> Result<Vec<Option<DiskFacts>>, Error> {
        let visible = (!self.caller.is_operator()).then(|| self.disk_paths());
        let may_see = |path: &PathBuf| visible.as_ref().is_none_or(|disks| disks.contains(path));
        let read = async {
            let mut all = Vec::with_capacity(paths.len());
            for path in paths {
                let asked = may_see(path).then(|| self.core.store.inspect_disk(path));
                all.push(match asked {
                    Some(facts) => facts.await.ok().flatten(),
                    None => None,
                });
            }
            Ok(all)
        };
        self.core.storage_question("Reading the disk images", read).await
    }

    /// The path that an image of the local storage with this UUID has, whether it exists or not.
    pub fn image_path(&self, uuid: Uuid) -> Result<PathBuf, Error> {
        self.require(OpKind::ShowStorage, "the storage")?;
        Ok(self.core.store.image(uuid))
    }

    /// Whether the account's limits allow its domains a disk with this path. An operator has none.
    pub fn may_have_disk(&self, path: &Path) -> bool {
        let access = self.caller.access();
        access.operator || access.limits.allows_disk(path.as_os_str().as_bytes())
    }

    /// The bridges that the account's limits allow; `None` for an operator, who has none.
    pub fn allowed_bridges(&self) -> Option<Vec<String>> {
        let access = self.caller.access();
        (!access.operator).then(|| access.limits.bridges.clone())
    }

    /// Whether a new image cannot have this UUID: something has it, or is being made with it.
    pub fn is_image_taken(&self, uuid: &Uuid) -> bool {
        self.core.inventory.current().get(uuid).is_some() || self.core.image_claims.has(uuid)
    }

    /// The paths of the disks of all visible domains.
    fn disk_paths(&self) -> HashSet<PathBuf> {
        let visible = self.snapshot();
        let configs = visible.domains().flat_map(|view| view.configs());
        let blocks = configs.flat_map(|config| config.devices.iter().filter_map(Device::as_block));
        blocks.map(|block| PathBuf::from(OsStr::from_bytes(block.path()))).collect()
    }
}
