//! Disks, as xm and as xl write them.

use super::settings::Settings;
use super::tree;
use crate::error::Fault;
use xend_sxp::Sxp;

/// A disk in xend's words. Empty texts are not set.
#[derive(Debug, Default, PartialEq)]
struct Disk {
    uname: Vec<u8>,
    dev: Vec<u8>,
    mode: Vec<u8>,
    backend: Vec<u8>,
    protocol: Vec<u8>,
}

/// The devices of `disk`.
pub(super) fn disks(settings: &Settings<'_>, devices: &mut Vec<Sxp>) -> Result<(), Fault> {
    for item in settings.items("disk")? {
        let disk = Disk::read(item.text).map_err(|reason| item.fault(reason))?;
        let class = if disk.uname.starts_with(b"tap2:") {
            "tap2"
        } else if disk.uname.starts_with(b"tap:") {
            "tap"
        } else {
            "vbd"
        };
        let mut fields: Vec<Sxp> =
            [("uname", &disk.uname), ("dev", &disk.dev), ("mode", &disk.mode)]
                .map(|(key, text)| tree::text_field(key, text, item.offset))
                .into();
        for (key, text) in [("backend", &disk.backend), ("protocol", &disk.protocol)] {
            if !text.is_empty() {
                fields.push(tree::text_field(key, text, item.offset));
            }
        }
        devices.push(tree::device(class, fields, item.offset));
    }
    Ok(())
}

impl Disk {
    /// Reads `phy:/dev/vg0/a,xvda,w`, xm's form, with the domain of the backend and a protocol as
    /// fourth and fifth part, or xl's form.
    fn read(text: &[u8]) -> Result<Self, String> {
        let parts: Vec<&[u8]> = text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
        if let [uname, dev, mode, rest @ ..] = parts.as_slice() {
            let is_xm = rest.len() <= 2 && format_of(uname).is_none();
            if let Some(mode) = mode_of(mode).filter(|_| is_xm) {
                let part = |n: usize| rest.get(n).map(|part| part.to_vec()).unwrap_or_default();
                return Ok(Self {
                    uname: uname.to_vec(),
                    dev: dev.to_vec(),
                    mode: mode.into(),
                    backend: part(0),
                    protocol: part(1),
                });
            }
        }
        XlDisk::read(text)?.translated()
    }
}

/// xend's word for a mode.
fn mode_of(word: &[u8]) -> Option<&'static str> {
    match word {
        b"r" | b"ro" => Some("r"),
        b"w" | b"rw" => Some("w"),
        b"w!" => Some("w!"),
        _ => None,
    }
}

/// A disk in xl's words: `/dev/vg0/a,raw,xvda,rw`, or
/// `format=raw, vdev=xvda, access=rw, target=/dev/vg0/a`, or both mixed.
#[derive(Default)]
struct XlDisk<'a> {
    target: Option<&'a [u8]>,
    format: Option<&'a [u8]>,
    /// Whether the format has its key.
    is_format_named: bool,
    vdev: Option<&'a [u8]>,
    access: Option<&'a [u8]>,
    script: Option<&'a [u8]>,
    backend: Option<&'a [u8]>,
    is_cdrom: bool,
}

const FORMATS: &str = "raw qcow qcow2 vhd";

/// What is expected of a disk that is in neither form.
const EXPECTED: &str = "TYPE:PATH,DEVICE,MODE is expected, like phy:/dev/vg0/web,xvda,w";

/// Settings of xl that have no effect here: they choose between drivers of Domain-0, or advise
/// these.
const WITHOUT_EFFECT: [&[u8]; 6] =
    [b"backendtype", b"direct-io-safe", b"discard", b"no-discard", b"removable", b"specification"];

impl<'a> XlDisk<'a> {
    fn read(text: &'a [u8]) -> Result<Self, String> {
        let mut disk = Self::default();
        let mut rest = Some(text.trim_ascii_start());
        while let Some(text) = rest {
            // It may hold commas, and is always the last.
            if let Some(target) = text.strip_prefix(b"target=") {
                set(&mut disk.target, target)?;
                break;
            }
            let comma = text.iter().position(|byte| *byte == b',');
            let (part, after) = text.split_at(comma.unwrap_or(text.len()));
            disk.part(part.trim_ascii_end())?;
            rest = after.get(1..).map(<[u8]>::trim_ascii_start);
        }
        Ok(disk)
    }

    /// Reads what stands between two commas.
    fn part(&mut self, part: &'a [u8]) -> Result<(), String> {
        let is_word =
            |word: &[u8]| word.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'-');
        let pair = part.iter().position(|byte| *byte == b'=').map(|at| part.split_at(at));
        if let Some((key, value)) = pair.filter(|(key, _)| is_word(key)) {
            let value = value.get(1..).unwrap_or_default();
            return match key {
                b"format" => {
                    self.is_format_named = true;
                    set(&mut self.format, value)
                }
                b"vdev" => set(&mut self.vdev, value),
                b"access" => set(&mut self.access, value),
                b"script" => set(&mut self.script, value),
                b"backend" => set(&mut self.backend, value),
                b"devtype" => {
                    self.is_cdrom = value == b"cdrom";
                    Ok(())
                }
                key if WITHOUT_EFFECT.contains(&key) => Ok(()),
                _ => Err("a key is not one of format vdev access target devtype script backend \
                          backendtype"
                    .to_owned()),
            };
        }
        if part == b"cdrom" {
            self.is_cdrom = true;
            return Ok(());
        }
        if WITHOUT_EFFECT.contains(&part) {
            return Ok(());
        }
        self.next_in_order(part)
    }

    /// The first of target, format, device and access that is not set.
    fn next_in_order(&mut self, part: &'a [u8]) -> Result<(), String> {
        if self.target.is_none() {
            // A type in front of the path stands for the format.
            if type_of(part).is_some() {
                self.format.get_or_insert(b"");
            }
            return set(&mut self.target, part);
        }
        for slot in [&mut self.format, &mut self.vdev, &mut self.access] {
            if slot.is_none() {
                return set(slot, part);
            }
        }
        Err("there are too many parts".to_owned())
    }

    fn translated(self) -> Result<Disk, String> {
        let vdev = self.vdev.unwrap_or_default();
        if vdev.is_empty() {
            return Err(EXPECTED.to_owned());
        }
        let is_cdrom = self.is_cdrom || vdev.ends_with(b":cdrom");
        let mode = match self.access.unwrap_or_default() {
            b"" => {
                if is_cdrom {
                    "r"
                } else {
                    "w"
                }
            }
            word => mode_of(word).ok_or("the access is not one of r ro w rw")?,
        };
        let mut dev = vdev.to_vec();
        if self.is_cdrom && !vdev.ends_with(b":cdrom") {
            dev.extend_from_slice(b":cdrom");
        }
        Ok(Disk {
            uname: self.uname()?,
            dev,
            mode: mode.into(),
            backend: self.backend.unwrap_or_default().to_vec(),
            protocol: Vec::new(),
        })
    }

    fn uname(&self) -> Result<Vec<u8>, String> {
        let target = self.target.unwrap_or_default();
        let format = self.format.unwrap_or_default();
        if target.is_empty() || matches!(format, b"empty" | b"none") {
            return Ok(Vec::new());
        }
        if let Some(script) = self.script.filter(|script| !script.is_empty()) {
            let name = script.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let kind = name.strip_prefix(b"block-");
            let kind = kind.ok_or("the script is not named block-TYPE")?;
            return Ok([kind, b":", target].concat());
        }
        let (format, path, is_second) = match format_of(target) {
            Some((format, path)) => (format, path, false),
            None if type_of(target).is_some() => return Ok(target.to_vec()),
            None => (format, target, !self.is_format_named),
        };
        let kind: &[u8] = match format {
            b"" | b"raw" if path.starts_with(b"/") && !path.starts_with(b"/dev/") => b"file:",
            // xend, as xl, looks for any other path below /dev.
            b"" | b"raw" => b"phy:",
            b"qcow" => b"tap:qcow:",
            b"qcow2" => b"tap:qcow2:",
            b"vhd" => b"tap:vhd:",
            // Who writes xm's form has not thought of a format.
            _ if is_second => {
                return Err(format!(
                    "the second part, a format, is not one of {FORMATS}: {EXPECTED}"
                ));
            }
            _ => return Err(format!("the format is not one of {FORMATS}")),
        };
        Ok([kind, path].concat())
    }
}

/// The type in front of a path, and the path: `phy` and `/dev/vg0/a`.
fn type_of(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = target.iter().position(|byte| *byte == b':')?;
    let (kind, path) = target.split_at(at);
    let in_type = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.+".contains(byte);
    (!kind.is_empty() && kind.iter().all(in_type))
        .then(|| (kind, path.get(1..).unwrap_or_default()))
}

/// The format that xl reads in front of a path, and the path.
fn format_of(target: &[u8]) -> Option<(&[u8], &[u8])> {
    type_of(target)
        .filter(|(kind, _)| matches!(*kind, b"raw" | b"qcow" | b"qcow2" | b"vhd" | b"qed"))
}

/// Sets a part that may be given once. An empty one may be given again.
fn set<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8]) -> Result<(), String> {
    if slot.is_some_and(|old| !old.is_empty()) {
        return Err("a part is given twice".to_owned());
    }
    *slot = Some(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match Disk::read(text.as_bytes()) {
            Ok(disk) => [disk.uname, disk.dev, disk.mode, disk.backend, disk.protocol]
                .map(|part| String::from_utf8(part).unwrap())
                .join("|"),
            Err(reason) => reason,
        }
    }

    #[test]
    fn the_form_of_xm_is_kept() {
        for (text, wanted) in [
            ("phy:/dev/vg0/a,xvda,w", "phy:/dev/vg0/a|xvda|w||"),
            ("phy:/dev/vg0/a,xvda,rw", "phy:/dev/vg0/a|xvda|w||"),
            ("phy:/dev/vg0/a, xvda, w!", "phy:/dev/vg0/a|xvda|w!||"),
            ("tap:aio:/a.img,xvda,w,2", "tap:aio:/a.img|xvda|w|2|"),
            ("file:/a,hdc:cdrom,r,0,x86_32-abi", "file:/a|hdc:cdrom|r|0|x86_32-abi"),
            (",hdc:cdrom,r", "|hdc:cdrom|r||"),
            ("nbd:10.0.0.1 2000,xvda,w", "nbd:10.0.0.1 2000|xvda|w||"),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn the_form_of_xl_is_translated() {
        for (text, wanted) in [
            ("/dev/vg/a,,hda", "phy:/dev/vg/a|hda|w||"),
            ("/dev/vg/a,raw,hda,rw", "phy:/dev/vg/a|hda|w||"),
            ("format=raw, vdev=hda, access=rw, target=/dev/vg/a", "phy:/dev/vg/a|hda|w||"),
            ("raw:/dev/vg/a,hda,w", "phy:/dev/vg/a|hda|w||"),
            ("raw:/dev/vg/a,hda", "phy:/dev/vg/a|hda|w||"),
            ("phy:/dev/vg/a,xvda", "phy:/dev/vg/a|xvda|w||"),
            ("vg/a,raw,xvda,r", "phy:vg/a|xvda|r||"),
            ("/root/i.iso,,hdc,cdrom", "file:/root/i.iso|hdc:cdrom|r||"),
            ("/root/i.iso,,hdc,,cdrom", "file:/root/i.iso|hdc:cdrom|r||"),
            ("/root/i.iso,raw,hdc,devtype=cdrom", "file:/root/i.iso|hdc:cdrom|r||"),
            ("vdev=hdc,devtype=cdrom,target=", "|hdc:cdrom|r||"),
            (",raw,hdc:cdrom,ro", "|hdc:cdrom|r||"),
            ("/a.qcow2,qcow2,xvda,rw", "tap:qcow2:/a.qcow2|xvda|w||"),
            ("qcow2:/a.img,xvda", "tap:qcow2:/a.img|xvda|w||"),
            (
                "format=vhd,vdev=xvdb,backend=store,discard,target=/a,b.vhd",
                "tap:vhd:/a,b.vhd|xvdb|w|store|",
            ),
            ("vdev=xvda,script=block-drbd,target=web", "drbd:web|xvda|w||"),
            (
                "vdev=xvda,script=/etc/xen/scripts/block-nbd,backendtype=phy,target=h:1",
                "nbd:h:1|xvda|w||",
            ),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn wrong_disks_are_refused() {
        for (text, wanted) in [
            ("", "TYPE:PATH,DEVICE,MODE is expected"),
            ("phy:/a", "TYPE:PATH,DEVICE,MODE is expected"),
            ("/a,raw,xvda,x", "the access is not one of"),
            ("/a,qed,xvda,w", "the second part, a format, is not one of"),
            ("vdev=xvda,format=qed,target=/a", "the format is not one of raw qcow qcow2 vhd"),
            ("qed:/a,xvda", "the format is not one of"),
            ("/a,raw,xvda,w,x", "there are too many parts"),
            ("/a,raw,xvda,vdev=xvdb", "a part is given twice"),
            ("/a,raw,xvda,colour=red", "a key is not one of"),
            ("vdev=xvda,script=mine,target=x", "the script is not named block-TYPE"),
        ] {
            assert!(shown(text).starts_with(wanted), "{text}: {}", shown(text));
        }
    }
}
