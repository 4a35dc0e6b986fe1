//! The fields that describe a new domain.

use crate::form;
use maud::{Markup, html};

/// A new domain as people describe it. Everything is as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewDomain {
    pub name: String,
    /// `pv`, `pvh` or `hvm`.
    pub kind: String,
    /// In MiB.
    pub memory: String,
    pub vcpus: String,
    /// A path on the host, as are `ramdisk` and `iso`.
    pub kernel: String,
    pub ramdisk: String,
    /// The kernel's command line.
    pub args: String,
    pub iso: String,
    /// Where the disk comes from: `new`, `image`, `path` or `none`.
    pub disk: String,
    /// Of a new disk, in GiB.
    pub size: String,
    /// The value of an image.
    pub image: String,
    pub path: String,
    /// Empty for no network.
    pub bridge: String,
    /// Whether it is started at once.
    pub start: bool,
    /// Whether it stays defined when it stops.
    pub managed: bool,
    /// The UUID that a new image gets.
    pub new_image: String,
}

/// What a new domain can be connected to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateChoices {
    /// The names of bridges; empty if there are none.
    pub bridges: Vec<String>,
    /// Whether the user may not name another bridge.
    pub are_bridges_limited: bool,
    /// Values and labels of disk images.
    pub images: Vec<(String, String)>,
    /// The directory in which new images are made; `None` if the user cannot make any.
    pub storage: Option<String>,
    /// The most VCPUs; `None` for no bound.
    pub most_vcpus: Option<u64>,
    /// The size of the largest new disk in GiB; `None` for no bound.
    pub most_gib: Option<u64>,
}

/// The types of guests: value, label, and what they are for.
const TYPES: [(&str, &str); 3] = [
    ("pvh", "PVH – Linux and BSD with a kernel on the host, the fastest"),
    ("pv", "PV – guests without hardware virtualization"),
    ("hvm", "HVM – any system, installed from an ISO image"),
];

/// A field of text.
struct TextField<'a> {
    name: &'a str,
    label: &'a str,
    hint: &'a str,
    value: &'a str,
    /// The types of guests that have it; empty for all.
    of: &'a str,
}

/// The field that is wrong, and the id of the text that describes it.
#[derive(Clone, Copy)]
struct Wrong<'a>(Option<&'a str>, &'a str);

impl<'a> Wrong<'a> {
    fn is(self, field: &str) -> bool {
        self.0 == Some(field)
    }

    /// The value of `aria-describedby`.
    fn describes(self, field: &str) -> Option<&'a str> {
        self.is(field).then_some(self.1)
    }
}

impl NewDomain {
    /// The fields. `wrong` is the one that the error with the id `error` is about.
    pub(crate) fn markup(
        &self,
        choices: &CreateChoices,
        wrong: Option<&str>,
        error: &str,
    ) -> Markup {
        let wrong = Wrong(wrong, error);
        html! {
            (self.guest(choices, wrong))
            (self.boot(wrong))
            (self.disks(choices, wrong))
            (self.network(choices, wrong))
            fieldset {
                legend { "Afterwards" }
                label {
                    input type="checkbox" name="start" value="1" checked[self.start];
                    "Start it at once"
                }
                label {
                    input type="checkbox" name="managed" value="1" checked[self.managed];
                    "Keep it when it stops"
                    small { "A managed domain: it stays in the list and can be started again." }
                }
            }
            input type="hidden" name="new_image" value=(self.new_image);
        }
    }

    fn guest(&self, choices: &CreateChoices, wrong: Wrong<'_>) -> Markup {
        html! {
            fieldset {
                legend { "Guest" }
                label {
                    "Name"
                    input type="text" name="name" value=(self.name) required maxlength="255"
                        autocomplete="off" spellcheck="false" autocapitalize="none"
                        aria-invalid=[wrong.is("name").then_some("true")]
                        aria-describedby=[wrong.describes("name")] autofocus[wrong.is("name")];
                }
                label {
                    "Type"
                    select name="type" { (form::options(TYPES, &self.kind)) }
                }
                div.pair {
                    (number("memory", "Memory (MiB)", &self.memory, None, wrong))
                    (number("vcpus", "VCPUs", &self.vcpus, choices.most_vcpus, wrong))
                }
            }
        }
    }

    fn boot(&self, wrong: Wrong<'_>) -> Markup {
        let fields = [
            TextField {
                name: "kernel",
                label: "Kernel",
                hint: "Path on the host, like /boot/vmlinuz. A PV guest without a kernel boots from \
                       its disk.",
                value: &self.kernel,
                of: "pv pvh",
            },
            TextField {
                name: "ramdisk",
                label: "Initial RAM disk",
                hint: "Path of the initrd on the host. Leave it empty if the kernel needs none.",
                value: &self.ramdisk,
                of: "pv pvh",
            },
            TextField {
                name: "args",
                label: "Kernel command line",
                hint: "Like root=/dev/xvda1 ro console=hvc0",
                value: &self.args,
                of: "pv pvh",
            },
            TextField {
                name: "iso",
                label: "ISO image",
                hint: "Path of an installation medium on the host. The guest boots from it first.",
                value: &self.iso,
                of: "hvm",
            },
        ];
        html! {
            fieldset {
                legend { "Boot" }
                @for field in &fields { (text(field, wrong)) }
            }
        }
    }

    fn disks(&self, choices: &CreateChoices, wrong: Wrong<'_>) -> Markup {
        html! {
            fieldset {
                legend { "Disk" }
                @if let Some(storage) = &choices.storage {
                    (self.disk("new", "A new image"))
                    div.below data-disk="new" {
                        (number("size", "Size (GiB)", &self.size, choices.most_gib, wrong))
                        p.hint {
                            "The image is made in " code { (storage) }
                            ". It takes space as the guest writes."
                        }
                    }
                }
                @if !choices.images.is_empty() {
                    (self.disk("image", "An image that exists"))
                    div.below data-disk="image" {
                        label {
                            "Image"
                            select name="image" aria-invalid=[wrong.is("image").then_some("true")]
                                aria-describedby=[wrong.describes("image")] {
                                (form::options(form::pairs(&choices.images), &self.image))
                            }
                        }
                    }
                }
                (self.disk("path", "A path on the host"))
                div.below data-disk="path" {
                    (text(&TextField {
                        name: "path",
                        label: "File or block device",
                        hint: "Path on the host, like /images/web1.img or /dev/vg0/web1",
                        value: &self.path,
                        of: "",
                    }, wrong))
                }
                (self.disk("none", "No disk"))
            }
        }
    }

    fn disk(&self, value: &str, label: &str) -> Markup {
        html! {
            label {
                input type="radio" name="disk" value=(value) checked[self.disk == value];
                (label)
            }
        }
    }

    fn network(&self, choices: &CreateChoices, wrong: Wrong<'_>) -> Markup {
        let is_listed = choices.bridges.contains(&self.bridge);
        html! {
            fieldset {
                legend { "Network" }
                @if choices.bridges.is_empty() && !choices.are_bridges_limited {
                    (text(&TextField {
                        name: "bridge",
                        label: "Bridge",
                        hint: "Name on the host, like xenbr0. Leave it empty for no network.",
                        value: &self.bridge,
                        of: "",
                    }, wrong))
                } @else {
                    label {
                        "Bridge"
                        select name="bridge" {
                            @let gone = (!is_listed).then_some(&self.bridge);
                            @let bridges = choices.bridges.iter().chain(gone);
                            @let bridges = bridges.map(|bridge| (bridge.as_str(), bridge.as_str()));
                            @let bridges = bridges.filter(|(bridge, _)| !bridge.is_empty());
                            (form::options(bridges.chain([("", "No network")]), &self.bridge))
                        }
                    }
                }
            }
        }
    }
}

fn number(name: &str, label: &str, value: &str, max: Option<u64>, wrong: Wrong<'_>) -> Markup {
    html! {
        label {
            (label)
            input type="number" name=(name) value=(value) min="1" max=[max] inputmode="numeric"
                aria-invalid=[wrong.is(name).then_some("true")]
                aria-describedby=[wrong.describes(name)] autofocus[wrong.is(name)];
        }
    }
}

fn text(field: &TextField<'_>, wrong: Wrong<'_>) -> Markup {
    let TextField { name, label, hint, value, of } = field;
    html! {
        label data-of=[Some(of).filter(|of| !of.is_empty())] {
            (label)
            input type="text" name=(name) value=(value) autocomplete="off" spellcheck="false"
                autocapitalize="none" aria-invalid=[wrong.is(name).then_some("true")]
                aria-describedby=[wrong.describes(name)] autofocus[wrong.is(name)];
            small { (hint) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::HOSTILE;

    fn choices() -> CreateChoices {
        CreateChoices {
            bridges: vec!["xenbr0".into(), "xenbr1".into()],
            are_bridges_limited: false,
            images: vec![("file:/a.img".into(), "a (1 GiB)".into())],
            storage: Some("/storage".into()),
            most_vcpus: Some(128),
            most_gib: Some(16_384),
        }
    }

    fn markup(domain: &NewDomain, choices: &CreateChoices, wrong: Option<&str>) -> String {
        domain.markup(choices, wrong, "error").into_string()
    }

    #[test]
    fn what_exists_can_be_chosen() {
        let domain = NewDomain {
            kind: "hvm".into(),
            disk: "image".into(),
            bridge: "xenbr1".into(),
            ..NewDomain::default()
        };
        let text = markup(&domain, &choices(), None);
        for part in [
            r#"<option value="hvm" selected>"#,
            r#"name="disk" value="image" checked>"#,
            r#"<option value="file:/a.img">a (1 GiB)</option>"#,
            r#"<option value="xenbr1" selected>xenbr1</option>"#,
            r#"<option value="">No network</option>"#,
            "<code>/storage</code>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_user_who_sees_nothing_of_the_host_types_it() {
        let text = markup(&NewDomain::default(), &CreateChoices::default(), None);
        assert!(!text.contains(r#"value="new""#) && !text.contains(r#"value="image""#), "{text}");
        assert!(text.contains(r#"<input type="text" name="bridge""#), "{text}");
    }

    #[test]
    fn the_wrong_field_is_described_and_focused() {
        let wrong = r#"aria-invalid="true" aria-describedby="error" autofocus"#;
        for field in ["name", "memory", "vcpus", "kernel", "iso", "size", "path"] {
            let text = markup(&NewDomain::default(), &choices(), Some(field));
            assert_eq!(text.matches(wrong).count(), 1, "{field}: {text}");
        }
        assert!(!markup(&NewDomain::default(), &choices(), None).contains("aria-invalid"));
    }

    #[test]
    fn a_bridge_that_is_gone_is_kept_and_all_is_escaped() {
        let domain = NewDomain {
            name: HOSTILE.into(),
            kernel: HOSTILE.into(),
            bridge: HOSTILE.into(),
            ..NewDomain::default()
        };
        let text = markup(&domain, &choices(), None);
        assert!(!text.contains("<script"), "{text}");
        assert!(text.contains(" selected>&lt;script"), "{text}");
    }
}
