//! XenStore, as far as it belongs to a domain.

use crate::backend::{Backend, Host};
use crate::expected::Stage;
use crate::trial::Trial;
use xend::core::error::{Error, ErrorKind};
use xend::core::model::{DomId, StorePath};
use xend::core::op::{Change, DomainOp};
use xend::core::ports::TreeLimits;

const ALL: TreeLimits = TreeLimits { depth: 99, nodes: 999 };

/// What the host writes for a domain, what it reads, and what is left when the domain has gone.
pub(crate) async fn guest_store(backend: &impl Backend) {
    let host = backend.host().await;
    let mut trial = Trial::new(backend, &host, Stage::Halted);
    let data = &mut trial.config.xenstore_data;
    data.set("vm-data/hostname", Some("web1".into())).unwrap();
    data.set("vm-data/networking/00163E000001", Some("{\"label\":\"é\"}".into())).unwrap();
    let first = create(&trial).await;

    let nodes = Nodes { host: &host, domid: first };
    nodes.has_configured_data().await;
    nodes.are_read_within_limits().await;
    nodes.are_written().await;
    nodes.are_removed().await;

    // Nothing is left of a domain that has gone, not even for a domain of the same name.
    nodes.write("data/host/left", b"x").await.unwrap();
    nodes.write("vm-data/left", b"x").await.unwrap();
    trial.succeed(DomainOp::Destroy).await;
    nodes.are_gone().await;
    let second = create(&trial).await;
    assert_ne!(first, second);
    let nodes = Nodes { host: &host, domid: second };
    nodes.has_configured_data().await;
    assert_eq!(nodes.read("data/host/left").await.unwrap(), None);
    assert_eq!(nodes.read("vm-data/left").await.unwrap(), None);

    // A domain that is restored has what its configuration says.
    let file = host.file("domain");
    trial.succeed(DomainOp::Unpause).await;
    nodes.write("vm-data/left", b"x").await.unwrap();
    trial.succeed(DomainOp::Save { file: file.clone(), checkpoint: false, replace: true }).await;
    nodes.are_gone().await;
    trial.execute(Change::Restore { file, paused: true }).await.unwrap();
    let nodes = Nodes { host: &host, domid: domid(&trial).await };
    nodes.has_configured_data().await;
    assert_eq!(nodes.read("vm-data/left").await.unwrap(), None);
    trial.succeed(DomainOp::Destroy).await;
    host.engine.stop().await;
}

/// Creates the domain, which has not run.
async fn create<B: Backend>(trial: &Trial<'_, B>) -> DomId {
    trial.execute(Change::Create(Box::new(trial.config.clone()))).await.unwrap();
    domid(trial).await
}

async fn domid<B: Backend>(trial: &Trial<'_, B>) -> DomId {
    trial.view().await.unwrap().domid().unwrap()
}

fn path(text: &str) -> StorePath {
    StorePath::new(text).unwrap()
}

/// The nodes of a domain.
struct Nodes<'a> {
    host: &'a Host,
    domid: DomId,
}

impl Nodes<'_> {
    async fn read(&self, node: &str) -> Result<Option<Vec<u8>>, Error> {
        self.host.hypervisor.read_node(self.domid, &path(node)).await
    }

    async fn write(&self, node: &str, value: &[u8]) -> Result<(), Error> {
        self.host.hypervisor.write_node(self.domid, &path(node), value).await
    }

    async fn remove(&self, node: &str) -> Result<(), Error> {
        self.host.hypervisor.remove_node(self.domid, &path(node)).await
    }

    /// The nodes below a node, sorted by their paths.
    async fn tree(&self, node: &str, limits: TreeLimits) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut nodes = self.host.hypervisor.read_tree(self.domid, &path(node), limits).await?;
        nodes.sort();
        Ok(nodes)
    }

    /// The paths of the nodes below a node.
    async fn paths(&self, node: &str, limits: TreeLimits) -> Vec<String> {
        self.tree(node, limits).await.unwrap().into_iter().map(|(path, _)| path).collect()
    }

    async fn has_configured_data(&self) {
        assert_eq!(self.read("name").await.unwrap().as_deref(), Some(b"contract".as_slice()));
        let data = self.tree("vm-data", ALL).await.unwrap();
        let expected = [
            ("vm-data/hostname", "web1"),
            ("vm-data/networking", ""),
            ("vm-data/networking/00163E000001", "{\"label\":\"é\"}"),
        ];
        assert_eq!(data, expected.map(|(path, value)| (path.to_owned(), value.into())));
    }

    async fn are_read_within_limits(&self) {
        let limits = |depth, nodes| TreeLimits { depth, nodes };
        let children = ["vm-data/hostname", "vm-data/networking"];
        assert_eq!(self.paths("vm-data", limits(1, 9)).await, children);
        assert_eq!(self.paths("vm-data", limits(2, 9)).await.len(), 3);
        assert_eq!(self.paths("vm-data", limits(9, 2)).await.len(), 2);
        assert!(self.paths("vm-data/hostname", ALL).await.is_empty());
        assert!(self.paths("data/nosuch", ALL).await.is_empty());
        assert_eq!(self.read("data/nosuch").await.unwrap(), None);
        assert_eq!(self.read("vm-data/networking").await.unwrap(), Some(vec![]));
    }

    async fn are_written(&self) {
        for value in [b"{\"name\":\"a\nb\"}".as_slice(), b"", b"\xe9\x01", &[b'x'; 3000]] {
            self.write("data/host/one", value).await.unwrap();
            assert_eq!(self.read("data/host/one").await.unwrap().as_deref(), Some(value));
        }
        self.write("vm-data/deep/er/node", b"1").await.unwrap();
        assert_eq!(self.paths("vm-data/deep", ALL).await.len(), 2);
        // A message of XenStore has 4096 bytes with the whole path.
        let absolute = format!("/local/domain/{}/data/host/one", self.domid);
        let most = 4096 - absolute.len() - 1;
        self.write("data/host/one", &vec![b'x'; most]).await.unwrap();
        let refused = self.write("data/host/one", &vec![b'x'; most + 1]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
        assert!(refused.to_string().contains("data/host/one"), "{refused}");
        assert_eq!(self.read("data/host/one").await.unwrap().unwrap().len(), most);
    }

    async fn are_removed(&self) {
        self.remove("vm-data/deep").await.unwrap();
        self.remove("vm-data/deep").await.unwrap();
        assert_eq!(self.read("vm-data/deep/er").await.unwrap(), None);
        self.remove("data/host/one").await.unwrap();
        self.remove("data/nosuch/node").await.unwrap();
        assert_eq!(self.read("data/host").await.unwrap(), Some(vec![]));
        self.has_configured_data().await;
    }

    async fn are_gone(&self) {
        let answers = [
            self.read("vm-data/hostname").await.map(drop),
            self.tree("vm-data", ALL).await.map(drop),
            self.write("data/host/late", b"x").await,
            self.remove("data/host/late").await,
        ];
        for answer in answers {
            assert!(matches!(answer, Err(Error::Gone(_))), "{answer:?}");
        }
    }
}
