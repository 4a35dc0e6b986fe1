//! `image`: a wish of Argo's author.

use crate::core::model::Block;
use crate::core::ports::{DiskFacts, DiskKind};
use crate::core::rights::{Need, Right};
use crate::wire::argo::answer::Answer;
use crate::wire::argo::call::Call;
use crate::wire::argo::command::{Command, Run};
use crate::wire::argo::instance::Instance;
use crate::wire::argo::signature::Signature;
use crate::wire::argo::words::as_word;

pub(in crate::wire::argo) static IMAGE: Command = Command {
    signature: Signature::new(
        "image",
        "NAME",
        Need::Domain(Right::See),
        "Show an instance's disks: device, kind, path, bytes, bytes used, content.",
    ),
    run: Run::Instance(|call, instance| Box::pin(image(call, instance))),
};

async fn image(call: &Call<'_>, instance: &Instance) -> Answer {
    let domain = instance.target().map_err(|error| call.failure(&error))?;
    let disks = call.view.disks(&domain).await;
    let disks = disks.map_err(|error| call.failure(&error))?;
    Ok(disks.iter().map(|(disk, facts)| line(disk, facts.as_ref())).collect())
}

/// `xvda lvm /dev/vg0/lj 1073741824 1073741824 ext4`. A word that is not known is `-`.
fn line(disk: &Block, facts: Option<&DiskFacts>) -> String {
    const UNKNOWN: &str = "-";
    let dev = &disk.dev;
    let (types, path) = disk.source();
    if path.is_empty() {
        return format!("{dev} empty {UNKNOWN} {UNKNOWN} {UNKNOWN} {UNKNOWN}");
    }
    let path = String::from_utf8_lossy(path);
    let path = as_word(&path);
    let Some(DiskFacts { kind, usage, content }) = facts else {
        return format!("{dev} missing {path} {UNKNOWN} {UNKNOWN} {UNKNOWN}");
    };
    let kind = match kind {
        // xend shows such a file through a loop device.
        DiskKind::File if types == ["file"] => "loopback",
        DiskKind::File => "file",
        DiskKind::Loop => "loopback",
        DiskKind::Lvm => "lvm",
        DiskKind::Block => "block",
    };
    let content = content.unwrap_or(UNKNOWN);
    format!("{dev} {kind} {path} {} {} {content}", usage.size, usage.used)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::core::ports::DiskUsage;

    #[test]
    fn a_disk_is_a_line() {
        let line = |uname: &str, kind: Option<DiskKind>, content| {
            let disk = Block::disk("xvda", uname);
            let usage = DiskUsage { size: 20, used: 10 };
            let facts = kind.map(|kind| DiskFacts { kind, usage, content });
            super::line(&disk, facts.as_ref())
        };
        let file = Some(DiskKind::File);
        assert_eq!(line("file:/a", file, Some("ext3")), "xvda loopback /a 20 10 ext3");
        assert_eq!(line("tap:aio:/a b", file, None), "xvda file \"/a b\" 20 10 -");
        let lvm = line("phy:/dev/vg0/lj", Some(DiskKind::Lvm), Some("swap"));
        assert_eq!(lvm, "xvda lvm /dev/vg0/lj 20 10 swap");
        assert_eq!(line("phy:sda", Some(DiskKind::Block), None), "xvda block sda 20 10 -");
        assert_eq!(line("nbd:host:7000", None, None), "xvda missing host:7000 - - -");
        assert_eq!(line("", None, None), "xvda empty - - - -");
    }
}
