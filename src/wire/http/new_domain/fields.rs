//! The fields of the form, and the configuration that they make.

use super::choices::Choices;
use crate::core::model::{DomName, Invalid, MAX_VCPUS, Uuid, parse_uuid};
use crate::sxp::{Sxp, pretty};
use crate::wire::http::params::{Params, bad_value};
use bstr::ByteSlice as _;
use xend_templates::NewDomain;

/// The path of the form. The progress of a creation is on a page below it.
pub(in crate::wire::http) const PATH: &str = "/xend/new";

/// The columns of the text: it stands beside the fields.
const WIDTH: usize = 60;

/// The boot loader of a PV guest whose kernel is on its disk.
const PYGRUB: &str = "/usr/bin/pygrub";

/// The largest new disk in GiB: the largest file on ext4.
pub(in crate::wire::http) const MOST_GIB: u64 = 16 << 10;

/// A type of guests.
struct GuestType {
    /// The value of the field and of `?template=`.
    key: &'static str,
    /// The word of the image.
    image: &'static str,
    /// The first disk.
    disk: &'static str,
    /// The memory that the form begins with, in MiB.
    memory: u64,
}

const TYPES: [GuestType; 3] = [
    GuestType { key: "pv", image: "linux", disk: "xvda", memory: 512 },
    GuestType { key: "pvh", image: "pvh", disk: "xvda", memory: 1024 },
    GuestType { key: "hvm", image: "hvm", disk: "hda", memory: 2048 },
];

/// The types of guests.
pub(in crate::wire::http) const TYPE_KEYS: [&str; 3] = [TYPES[0].key, TYPES[1].key, TYPES[2].key];

/// Where the first disk comes from.
pub(super) const DISKS: [&str; 4] = ["new", "image", "path", "none"];

/// The fields as they were typed.
#[derive(Debug, Clone)]
pub(in crate::wire::http) struct Fields {
    pub(in crate::wire::http) typed: NewDomain,
    /// The UUID of the image that is made, if one is.
    pub(super) new_image: Uuid,
}

impl Fields {
    /// The fields of a form that nobody has filled in. `new_image` is a new UUID.
    pub(in crate::wire::http) fn of_type(
        key: Option<&str>,
        choices: &Choices,
        new_image: Uuid,
    ) -> Self {
        let of = TYPES.iter().find(|one| Some(one.key) == key).unwrap_or(&TYPES[1]);
        let typed = NewDomain {
            kind: of.key.to_owned(),
            memory: of.memory.to_string(),
            vcpus: "1".to_owned(),
            disk: if choices.new_image.is_some() { "new" } else { "path" }.to_owned(),
            size: "10".to_owned(),
            bridge: choices.bridges.first().cloned().unwrap_or_default(),
            new_image: new_image.to_string(),
            start: true,
            managed: true,
            ..NewDomain::default()
        };
        Self { typed, new_image }
    }

    /// The fields that were sent. `new_image` is a new UUID, for a form without one.
    pub(super) fn parse(params: &Params, new_image: Uuid) -> Result<Self, Invalid> {
        let text = |name| params.text(name).map(|text| text.unwrap_or_default().trim().to_owned());
        let new_image = parse_uuid(&text("new_image")?).unwrap_or(new_image);
        let typed = NewDomain {
            name: text("name")?,
            kind: params.choice("type", &TYPE_KEYS)?.unwrap_or(TYPE_KEYS[1]).to_owned(),
            memory: text("memory")?,
            vcpus: text("vcpus")?,
            kernel: text("kernel")?,
            ramdisk: text("ramdisk")?,
            args: text("args")?,
            iso: text("iso")?,
            disk: params.choice("disk", &DISKS)?.unwrap_or("none").to_owned(),
            size: text("size")?,
            image: text("image")?,
            path: text("path")?,
            bridge: text("bridge")?,
            start: params.flag("start")?,
            managed: params.flag("managed")?,
            new_image: new_image.to_string(),
        };
        Ok(Self { typed, new_image })
    }

    /// Gives the image that is made another UUID.
    pub(super) fn set_new_image(&mut self, uuid: Uuid) {
        self.new_image = uuid;
        self.typed.new_image = uuid.to_string();
    }

    fn of(&self) -> &'static GuestType {
        TYPES.iter().find(|one| one.key == self.typed.kind).unwrap_or(&TYPES[1])
    }

    /// Refuses what the domain cannot be made of. The refusal names the field.
    pub(super) fn check(&self, choices: &Choices) -> Result<(), Invalid> {
        let typed = &self.typed;
        let expect = |holds: bool, field: &str, what: &str| {
            if holds { Ok(()) } else { Err(bad_value(field, what)) }
        };
        expect(!typed.name.is_empty(), "name", "it is empty, give the domain a name")?;
        DomName::new(&typed.name).map_err(|error| bad_value("name", error))?;
        expect(at_least_one(&typed.memory), "memory", "a whole number of MiB is expected")?;
        let vcpus = typed.vcpus.parse().is_ok_and(|count| (1..=MAX_VCPUS).contains(&count));
        let expected = format!("a whole number from 1 to {MAX_VCPUS} is expected");
        expect(vcpus, "vcpus", &expected)?;
        for (field, value) in
            [("kernel", &typed.kernel), ("ramdisk", &typed.ramdisk), ("iso", &typed.iso)]
        {
            let is_path = value.is_empty() || value.starts_with('/');
            expect(is_path, field, "an absolute path on the host is expected")?;
        }
        let needs_kernel = typed.kind == "pvh" && typed.kernel.is_empty();
        expect(!needs_kernel, "kernel", "a PVH guest needs a kernel, give its path on the host")?;
        let needs_disk =
            typed.kind == "pv" && typed.kernel.is_empty() && self.uname(choices).is_empty();
        expect(
            !needs_disk,
            "kernel",
            "without a kernel the guest boots from its disk, give a kernel or a disk",
        )?;
        let is_hvm = typed.kind == "hvm";
        for (field, value) in
            [("kernel", &typed.kernel), ("ramdisk", &typed.ramdisk), ("args", &typed.args)]
        {
            let what = "an HVM guest boots from its disk or an ISO image, leave this empty";
            expect(!is_hvm || value.is_empty(), field, what)?;
        }
        let what = "only an HVM guest has an ISO image, leave this empty";
        expect(is_hvm || typed.iso.is_empty(), "iso", what)?;
        let has_medium = typed.disk != "none" || !typed.iso.is_empty();
        let what = "an HVM guest boots from a disk or an ISO image, give one of the two";
        expect(!is_hvm || has_medium, "disk", what)?;
        match typed.disk.as_str() {
            "new" => {
                let size = typed.size.parse().is_ok_and(|size| (1..=MOST_GIB).contains(&size));
                expect(size, "size", "a whole number of GiB from 1 to 16384 is expected")?;
                expect(
                    choices.new_image.is_some(),
                    "disk",
                    "the account cannot make images, choose another disk",
                )
            }
            "image" => expect(
                !self.uname(choices).is_empty(),
                "image",
                "there is no such image, choose another one",
            ),
            "path" => expect(
                typed.path.starts_with('/') || typed.path.contains(':'),
                "path",
                "an absolute path is expected, like /dev/vg0/web1 or /images/web1.img",
            ),
            _ => Ok(()),
        }
    }

    /// What the first disk is connected to; empty without a disk.
    fn uname(&self, choices: &Choices) -> String {
        let typed = &self.typed;
        match typed.disk.as_str() {
            "new" => match &choices.new_image {
                Some(path) => format!("file:{}", path.display()),
                None => String::new(),
            },
            "image" => {
                let mut images = choices.images.iter();
                images
                    .find(|image| image.uname == typed.image)
                    .map_or_else(String::new, |image| image.uname.clone())
            }
            "path" if typed.path.starts_with("/dev/") => format!("phy:{}", typed.path),
            "path" if typed.path.starts_with('/') => format!("file:{}", typed.path),
            "path" => typed.path.clone(),
            _ => String::new(),
        }
    }

    /// The image that has to be made for a domain with this configuration: its UUID, and its size
    /// in bytes.
    pub(super) fn image_to_make(&self, choices: &Choices, text: &[u8]) -> Option<(Uuid, u64)> {
        if self.typed.disk != "new" {
            return None;
        }
        let path = choices.new_image.as_ref()?;
        // The text may have been edited since.
        let is_used = text.contains_str(path.as_os_str().as_encoded_bytes());
        let size: u64 = self.typed.size.parse().ok().filter(|size| *size <= MOST_GIB)?;
        is_used.then_some((self.new_image, size << 30))
    }

    /// The configuration, whatever is in the fields.
    pub(super) fn text(&self, choices: &Choices) -> String {
        let typed = &self.typed;
        let of = self.of();
        let mut domain = vec![
            atom("vm"),
            pair("name", &typed.name),
            pair("memory", &typed.memory),
            pair("vcpus", &typed.vcpus),
        ];
        let uname = self.uname(choices);
        if of.key == "pv" && typed.kernel.is_empty() && !uname.is_empty() {
            domain.push(pair("bootloader", PYGRUB));
        }
        domain.push(list([atom("image"), list(self.image())]));
        if !uname.is_empty() {
            domain.push(vbd(&uname, of.disk, "w"));
        }
        if of.key == "hvm" && !typed.iso.is_empty() {
            domain.push(vbd(&format!("file:{}", typed.iso), "hdc:cdrom", "r"));
        }
        if !typed.bridge.is_empty() {
            let mut vif = vec![atom("vif")];
            vif.extend((of.key == "hvm").then(|| pair("type", "ioemu")));
            vif.push(pair("bridge", &typed.bridge));
            domain.push(list([atom("device"), list(vif)]));
        }
        for (event, action) in
            [("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "restart")]
        {
            domain.push(pair(event, action));
        }
        pretty(&list(domain), WIDTH) + "\n"
    }

    fn image(&self) -> Vec<Sxp> {
        let typed = &self.typed;
        let of = self.of();
        let mut image = vec![atom(of.image)];
        if of.key == "hvm" {
            let boot = if typed.iso.is_empty() { "c" } else { "dc" };
            image.extend([pair("boot", boot), pair("vnc", "1"), pair("vnclisten", "127.0.0.1")]);
            return image;
        }
        for (key, value) in
            [("kernel", &typed.kernel), ("ramdisk", &typed.ramdisk), ("args", &typed.args)]
        {
            if !value.is_empty() {
                image.push(pair(key, value));
            }
        }
        image
    }
}

fn at_least_one(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|number| number > 0)
}

fn atom(text: &str) -> Sxp {
    Sxp::atom(text)
}

fn list(items: impl IntoIterator<Item = Sxp>) -> Sxp {
    Sxp::list(items)
}

fn pair(key: &str, value: &str) -> Sxp {
    list([atom(key), atom(value)])
}

fn vbd(uname: &str, dev: &str, mode: &str) -> Sxp {
    let vbd = [atom("vbd"), pair("uname", uname), pair("dev", dev), pair("mode", mode)];
    list([atom("device"), list(vbd)])
}

#[cfg(test)]
mod tests;
