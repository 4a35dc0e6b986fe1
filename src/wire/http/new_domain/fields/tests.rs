//! Tests of the fields and of the configurations that they make.

use super::*;
use crate::core::model::{DomainConfig, GuestKind};
use crate::shape::read_config;
use crate::wire::http::config_text;
use crate::wire::http::new_domain::choices::DiskImage;

fn choices() -> Choices {
    Choices {
        bridges: vec!["xenbr0".to_owned()],
        are_bridges_limited: false,
        images: vec![DiskImage { uname: "file:/images/a.img".to_owned(), label: "a".to_owned() }],
        new_image: Some("/storage/7.img".into()),
    }
}

fn fields(form: &str) -> Fields {
    Fields::parse(&Params::from_form(form.as_bytes()), Uuid::from_u128(7)).unwrap()
}

fn config(fields: &Fields) -> DomainConfig {
    let text = fields.text(&choices());
    config_text::parse(text.as_bytes(), read_config)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

const PVH: &str =
    "type=pvh&name=web1&memory=512&vcpus=2&kernel=/boot/vmlinuz&args=ro root=/dev/xvda";

#[test]
fn each_type_makes_a_valid_configuration() {
    let pvh = fields(&format!("{PVH}&disk=new&size=10&bridge=xenbr0"));
    pvh.check(&choices()).unwrap();
    let made = config(&pvh);
    assert_eq!((made.name.as_str(), made.memory, made.vcpus), ("web1", 512, 2));
    let image = made.image.as_ref().unwrap();
    assert_eq!(image.kind, GuestKind::Pvh);
    assert_eq!(image.args.as_slice(), b"ro root=/dev/xvda");
    assert_eq!(made.devices.len(), 2);
    let text = pvh.text(&choices());
    assert!(text.contains("(uname file:/storage/7.img)"), "{text}");
    assert_eq!(
        pvh.image_to_make(&choices(), text.as_bytes()),
        Some((Uuid::from_u128(7), 10 << 30)),
    );
    assert_eq!(pvh.image_to_make(&choices(), b"(vm (name edited))"), None);

    let pv = fields("type=pv&name=pv1&memory=64&vcpus=1&disk=path&path=/dev/vg0/a");
    pv.check(&choices()).unwrap();
    let made = config(&pv);
    assert_eq!(made.bootloader.as_slice(), PYGRUB.as_bytes());
    assert!(pv.text(&choices()).contains("(uname phy:/dev/vg0/a)"));

    let hvm = fields(
        "type=hvm&name=hvm1&memory=64&vcpus=1&iso=/images/a.iso&disk=image&image=file:/images/a.img&bridge=xenbr0",
    );
    hvm.check(&choices()).unwrap();
    let made = config(&hvm);
    let of = |class: &str| made.devices.iter().filter(|one| one.class() == class).count();
    assert_eq!((of("vbd"), of("vif")), (2, 1));
    let text = hvm.text(&choices());
    for part in ["(boot dc)", "(uname file:/images/a.iso)", "(dev hdc:cdrom)", "(type ioemu)"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("kernel"), "{text}");
}

#[test]
fn a_form_that_nobody_filled_in_misses_name_and_kernel_alone() {
    for key in TYPE_KEYS {
        let mut fields = Fields::of_type(Some(key), &choices(), Uuid::from_u128(7));
        fields.typed.name = "web1".to_owned();
        if key != "hvm" {
            fields.typed.kernel = "/boot/vmlinuz".to_owned();
        }
        fields.check(&choices()).unwrap();
        assert!(fields.typed.start && fields.typed.managed);
        config(&fields);
    }
    let nothing = Choices::default();
    let fields = Fields::of_type(None, &nothing, Uuid::from_u128(7));
    assert_eq!((fields.typed.kind.as_str(), fields.typed.disk.as_str()), ("pvh", "path"));
}

#[test]
fn refusals_name_the_field() {
    for (form, field) in [
        ("name=", "name"),
        ("name=a/b", "name"),
        ("memory=lots", "memory"),
        ("memory=0", "memory"),
        ("vcpus=", "vcpus"),
        ("kernel=", "kernel"),
        ("kernel=vmlinuz", "kernel"),
        ("ramdisk=initrd", "ramdisk"),
        ("disk=new&size=0", "size"),
        ("disk=new&size=99999999999999999999", "size"),
        ("disk=image&image=file:/other", "image"),
        ("disk=path&path=web1", "path"),
        ("type=pv&kernel=&disk=none", "kernel"),
        ("type=hvm&iso=a.iso", "iso"),
        ("iso=/images/a.iso", "iso"),
        ("vcpus=1000", "vcpus"),
        ("type=hvm&disk=path&path=/dev/vg0/a", "kernel"),
        ("type=hvm&kernel=&disk=path&path=/dev/vg0/a", "args"),
        ("type=hvm&kernel=&args=&disk=none", "disk"),
    ] {
        let query = Params::from_form(PVH.as_bytes());
        let form = query.overridden_by(Params::from_form(form.as_bytes()));
        let fields = Fields::parse(&form, Uuid::from_u128(7)).unwrap();
        let error = fields.check(&choices()).unwrap_err();
        assert_eq!(error.parameter(), Some(field), "{error}");
        // The text shows what was typed all the same.
        fields.text(&choices());
    }
    let form = fields(&format!("{PVH}&disk=new&size=1"));
    let error = form.check(&Choices::default()).unwrap_err().to_string();
    assert!(error.contains("the account cannot make images"), "{error}");
    let wrong = Fields::parse(&Params::from_form(b"type=vmware"), Uuid::nil()).unwrap_err();
    assert!(wrong.to_string().contains("Invalid value for type"), "{wrong}");
}
