//! The configuration files of xm and xl.
//!
//! `sexpr-fixtures/xm-config/NAME.cfg` is a file, `NAME.sxp` the S-expression that xm 4.1.6 made of
//! it (`xm create --dryrun`), in the home directory `/home/admin` and without an X display.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use xend::core::model::{Device, DomainConfig, GuestKind};
use xend::shape::{self, SxpSink};
use xend::sxp::{Limits, Sxp, read_one};
use xend::xm_file::{read_domain, read_name};
use xend::xmconfig::{Conversion, Defaults, XmConfigError, convert};

/// A device class that xend 4.1 had and the model does not: netchannel2.
const UNKNOWN_CLASS: &str = "vif2x";

/// The names of the recorded files, with their texts and S-expressions.
fn recorded() -> Vec<(String, Vec<u8>, Sxp)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures/xm-config");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "cfg"));
    files.sort();
    let read = |file: &Path| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let sxp = fs::read(file.with_extension("sxp")).unwrap();
        (name, fs::read(file).unwrap(), read_one(&sxp, &Limits::default()).unwrap())
    };
    files.iter().map(|file| read(file)).collect()
}

fn defaults() -> Defaults<'static> {
    Defaults { xauthority: Some("/home/admin/.Xauthority"), ..Defaults::default() }
}

fn converted(text: &str) -> Conversion {
    convert(text.as_bytes(), &Defaults::default())
        .unwrap_or_else(|error| panic!("{text}: {error:#}"))
}

fn domain(text: &str) -> DomainConfig {
    read_domain(text.as_bytes(), &Defaults::default())
        .unwrap_or_else(|error| panic!("{text}: {error:#}"))
}

/// The error of a file, with its position.
fn refused(text: &str) -> String {
    let error = read_domain(text.as_bytes(), &Defaults::default()).expect_err(text);
    format!("{}:{}: {error}", error.line(), error.column())
}

fn warnings(text: &str) -> Vec<String> {
    let shown =
        |warning: &XmConfigError| format!("{}:{}: {warning}", warning.line(), warning.column());
    converted(text).warnings.iter().map(shown).collect()
}

/// The keys of a list that begin with one of `keys`, as they are printed.
fn fields(list: &Sxp, keys: &[&str]) -> String {
    let wanted =
        list.tail().iter().filter(|item| item.head().is_some_and(|head| keys.contains(&head)));
    wanted.map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Keys of the image of a PV guest whose file begins with `lines`.
fn image_of(lines: &str, keys: &[&str]) -> String {
    fields(converted(lines).config.value("image").unwrap(), keys)
}

fn devices_of(lines: &str) -> String {
    fields(&converted(lines).config, &["device"])
}

#[test]
fn files_become_what_xm_made_of_them() {
    let recorded = recorded();
    assert_eq!(recorded.len(), 36);
    for (name, text, wanted) in recorded {
        let conversion = convert(&text, &defaults()).unwrap_or_else(|e| panic!("{name}: {e:#}"));
        assert_eq!(conversion.config, wanted, "{name}");
    }
}

#[test]
fn recorded_files_describe_the_same_domains_as_their_expressions() {
    for (name, text, wanted) in recorded() {
        let wanted = shape::read_config(&wanted);
        let read = read_domain(&text, &defaults());
        match (read, wanted) {
            (Ok(read), Ok(wanted)) => assert_eq!(read, wanted, "{name}"),
            (Err(error), Err(_)) => {
                assert_eq!(name, UNKNOWN_CLASS);
                assert_eq!(error.to_string(), "device: vif2 not a valid device type");
                assert_eq!((error.line(), error.column()), (4, 7));
            }
            (read, wanted) => panic!("{name}: {:?} {:?}", read.err(), wanted.err()),
        }
        assert!(!read_name(&text, "none").unwrap().as_str().is_empty());
    }
}

#[test]
fn recorded_files_have_no_mistakes() {
    let mut found = Vec::new();
    for (name, text, _) in recorded() {
        let conversion = convert(&text, &defaults()).unwrap();
        found.extend(conversion.warnings.iter().map(|warning| format!("{name}: {warning}")));
        let lint = shape::lint(&conversion.config);
        found.extend(lint.iter().map(|warning| format!("{name}: {warning}")));
    }
    assert_eq!(
        found,
        [
            "old1: nics: deprecated, use an empty item of vif for an interface: vif = ['']",
            "pci3.pv: ssidref: has no effect",
            "vc1: vcpu_avail: has no effect",
            "win.hvm: vcpu_avail: has no effect",
            "win2.hvm: vcpu_avail: has no effect",
        ]
    );
}

#[test]
fn a_file_without_a_name_has_the_name_of_the_file() {
    let name = |text: &str| read_name(text.as_bytes(), "web.cfg").map(|name| name.to_string());
    assert_eq!(name("memory = 64").as_deref(), Ok("web.cfg"));
    assert_eq!(name("name = ''").as_deref(), Ok("web.cfg"));
    assert_eq!(name("name = 'web%d' % 2").as_deref(), Ok("web2"));
    assert_eq!(name("name = 3").as_deref(), Ok("3"));
    assert!(
        format!("{:#}", name("\nname = 'a b'").unwrap_err())
            .starts_with("line 2, column 8: name: ")
    );
    assert!(name("import socket\nname = 'a'").is_err());

    let defaults = Defaults { name: Some("web.cfg"), ..Defaults::default() };
    assert_eq!(read_domain(b"memory = 64", &defaults).unwrap().name.as_str(), "web.cfg");
    assert_eq!(read_domain(b"name = 'a'", &defaults).unwrap().name.as_str(), "a");
}

#[test]
fn relative_paths_begin_at_the_directory() {
    let defaults = Defaults { directory: Some("/etc/xen/"), ..Defaults::default() };
    let image = |text: &str| {
        let config = convert(text.as_bytes(), &defaults).unwrap_or_else(|e| panic!("{e}")).config;
        fields(config.value("image").unwrap(), &["kernel", "ramdisk", "loader"])
    };
    assert_eq!(
        image("kernel = 'vmlinuz'\nramdisk = './boot/initrd'"),
        "(kernel /etc/xen/vmlinuz) (ramdisk /etc/xen/boot/initrd)"
    );
    assert_eq!(image("kernel = '/boot/vmlinuz'"), "(kernel /boot/vmlinuz)");
    assert_eq!(image("builder = 'hvm'\nkernel = 'hvmloader'"), "(kernel hvmloader)");
    assert_eq!(
        image("bootloader = 'pygrub'\nkernel = 'vmlinuz'\nramdisk = 'initrd'"),
        "(kernel vmlinuz) (ramdisk initrd)"
    );
    assert_eq!(image_of("kernel = 'vmlinuz'", &["kernel"]), "(kernel vmlinuz)");
}

#[test]
fn the_command_line_is_made_of_its_parts() {
    let keys = ["ip", "root", "args"];
    for (text, wanted) in [
        ("root = 'root=/dev/xvda1 ro'\nextra = '4'", "(root '/dev/xvda1 ro') (args 4)"),
        ("dhcp = 'dhcp'", "(ip :127.0.255.255::::eth0:dhcp)"),
        (
            "ip = '10.0.0.5'\nnetmask = '255.0.0.0'\ngateway = '10.0.0.1'\nhostname = 'web'",
            "(ip 10.0.0.5:127.0.255.255:10.0.0.1:255.0.0.0:web:eth0:off)",
        ),
        (
            "ip = 'ip=10.0.0.5'\ninterface = 'eth1'\nnfs_server = '10.0.0.9'\nnfs_root = '/srv'\nextra = 'ro'",
            "(ip 10.0.0.5:10.0.0.9::::eth1:off) (args 'nfsroot=10.0.0.9:/srv ro')",
        ),
        ("cmdline = 'quiet'\nroot = '/dev/xvda'\nextra = 'x'", "(args quiet)"),
    ] {
        assert_eq!(image_of(text, &keys), wanted, "{text}");
    }
    assert_eq!(
        refused("kernel = '/k'\nnfs_root = '/srv'"),
        "2:12: nfs_root: nfs_server is missing"
    );
}

#[test]
fn a_boot_loader_shows_its_menu_to_a_user_at_the_console() {
    let arguments = |text: &str, console: bool| {
        let defaults = Defaults { console, ..Defaults::default() };
        fields(&convert(text.as_bytes(), &defaults).unwrap().config, &["bootloader_args"])
    };
    assert_eq!(arguments("bootloader = 'pygrub'", false), "(bootloader_args -q)");
    assert_eq!(arguments("bootloader = 'pygrub'", true), "(bootloader_args '')");
    assert_eq!(arguments("bootloader = 'pygrub'\nbootargs = 'x'", true), "(bootloader_args x)");
    assert_eq!(arguments("kernel = '/k'", true), "");
}

#[test]
fn online_vcpus_are_a_mask() {
    let keys = ["vcpu_avail", "vcpus"];
    let vcpus = |text: &str| fields(&converted(text).config, &keys);
    assert_eq!(vcpus("maxvcpus = 4\nvcpus = 2"), "(vcpu_avail 3) (vcpus 4)");
    assert_eq!(vcpus("maxvcpus = 4"), "(vcpu_avail 1) (vcpus 4)");
    assert_eq!(vcpus("maxvcpus = 4\nvcpus = 0"), "(vcpus 4)");
    assert_eq!(vcpus("vcpus = '2'"), "(vcpus 2)");
    assert_eq!(
        vcpus("maxvcpus = 128\nvcpus = 128"),
        "(vcpu_avail 340282366920938463463374607431768211455) (vcpus 128)"
    );
    assert!(refused("maxvcpus = 4\nvcpus = 129").starts_with("2:9: vcpus: 1 to 128"));
}

#[test]
fn other_devices_are_written_as_by_xm() {
    for (text, wanted) in [
        (
            "vscsi = ['/dev/sdb,0:0:0:1', '1:0:0:0, 0:0:0:0', '2:0:0:0,1:0:0:0,3']",
            "(device (vscsi (feature-host 0) (dev (state 1) (devid 0) (p-dev /dev/sdb) (p-devname sdb) (v-dev 0:0:0:1)) \
             (dev (state 1) (devid 0) (p-dev 1:0:0:0) (v-dev 0:0:0:0)))) \
             (device (vscsi (feature-host 0) (dev (state 1) (devid 1) (p-dev 2:0:0:0) (v-dev 1:0:0:0)) (backend 3)))",
        ),
        (
            "vusb = ['usbver=1,numports=1']",
            "(device (vusb (usb-ver 1) (num-ports 1) (port (1 ''))))",
        ),
        ("vtpm = ['instance=VTPMD', 'instance=2']", "(device (vtpm (pref_instance 0)))"),
        ("irq = ['7', 8]", "(device (irq (irq 7))) (device (irq (irq 8)))"),
        ("keymap = 'de'\nvfb = ['sdl=1']", "(device (vkbd)) (device (vfb (sdl 1) (keymap de)))"),
        ("disk = (',hdc:cdrom,r',)", "(device (vbd (uname '') (dev hdc:cdrom) (mode r)))"),
    ] {
        assert_eq!(devices_of(text), wanted, "{text}");
    }
    let security = "access_control = ['policy=p,label=l']";
    assert_eq!(
        fields(&converted(security).config, &["security"]),
        "(security ((access_control (policy p) (label l))))"
    );
}

#[test]
fn the_functions_of_an_hvm_guest_are_in_its_image_too() {
    let text = "builder = 'hvm'\nkernel = 'hvmloader'\npci = ['01:00.0,msitranslate=1']";
    assert_eq!(
        image_of(text, &["pci"]),
        "(pci ((0x0000 0x01 0x00 0x0 0x100 ((msitranslate 1)) 01:00.0)))"
    );
    assert_eq!(domain(text).devices.len(), 1);
}

#[test]
fn masks_of_cpuid_are_dictionaries() {
    let cpuid = |text: &str| fields(&converted(text).config, &["cpuid"]);
    let of_strings = "cpuid = ['1:ecx=0x1,edx=0x2', '0x80000001,0:eax=0x3']";
    let wanted = "(cpuid \"{'1': {'edx': '0x2', 'ecx': '0x1'}, '0x80000001,0': {'eax': '0x3'}}\")";
    assert_eq!(cpuid(of_strings), wanted);
    let of_dictionary =
        "cpuid = {'1': {'ecx': '0x1', 'edx': '0x2'}, '0x80000001,0': {'eax': '0x3'}}";
    assert_eq!(cpuid(of_dictionary), wanted);
    assert_eq!(cpuid("cpuid = 'host,tm=0'"), "(cpuid 'host,tm=0')");
    for wrong in ["['ecx=1']", "['1:exx=0x1']", "['1:ecx=101']", "[1]", "{'1': 2}", "[':ecx=0x1']"]
    {
        assert!(
            convert(format!("cpuid = {wrong}").as_bytes(), &Defaults::default()).is_err(),
            "{wrong}"
        );
    }
}

const XL_HVM: &str = r#"
# A guest of xl's.
name = "win10"
type = "hvm"
uuid = "7e3a1c4e-5b0a-4b57-9c4c-0d3f5a6b7c8d"
memory = 4096
maxmem = 8192
vcpus = 2
maxvcpus = 4
cpus = [ 2, "3" ]
cap = 50
firmware = "uefi"
tsc_mode = "native"
timer_mode = "one_missed_tick_pending"
vga = "stdvga"
viridian = [ "defaults", "stimer" ]
serial = [ "pty" ]
usbdevice = [ "tablet" ]
boot = "dc"
vnc = 1
vnclisten = "0.0.0.0"
nestedhvm = 1
disk = [ '/dev/vg0/win10,raw,xvda,rw',
         'format=qcow2, vdev=xvdb, access=ro, target=/srv/a, b.qcow2',
         '/srv/win10.iso,,hdc,cdrom' ]
vif = [ 'mac=00:16:3e:00:00:11,bridge=xenbr0,model=e1000' ]
on_crash = "preserve"
"#;

#[test]
fn files_of_xl_are_translated() {
    let conversion = converted(XL_HVM);
    let image = conversion.config.value("image").unwrap();
    assert_eq!(
        fields(
            image,
            &[
                "bios",
                "loader",
                "tsc_mode",
                "timer_mode",
                "stdvga",
                "viridian",
                "serial",
                "usbdevice"
            ]
        ),
        "(serial pty) (stdvga 1) (timer_mode 3) (usbdevice tablet) (viridian 1) (bios ovmf) (tsc_mode 2)"
    );
    assert_eq!(
        fields(&conversion.config, &["device"]),
        "(device (vbd (uname phy:/dev/vg0/win10) (dev xvda) (mode w))) \
         (device (tap (uname 'tap:qcow2:/srv/a, b.qcow2') (dev xvdb) (mode r))) \
         (device (vbd (uname file:/srv/win10.iso) (dev hdc:cdrom) (mode r))) \
         (device (vif (bridge xenbr0) (mac 00:16:3e:00:00:11) (model e1000)))"
    );
    let config = domain(XL_HVM);
    assert_eq!((config.vcpus, config.vcpu_avail, config.cpu_cap), (4, 3, 50));
    assert!(
        config.is_hvm() && config.devices.iter().any(|device| matches!(device, Device::Vfb(_)))
    );
    assert_eq!(
        warnings(XL_HVM),
        [
            "16:12: viridian: all groups are switched on or off together",
            "22:1: nestedhvm: has no effect"
        ]
    );
}

#[test]
fn every_kind_of_guest_has_its_builder() {
    for (text, kind) in [
        ("type = 'pv'", GuestKind::Pv),
        ("builder = 'generic'", GuestKind::Pv),
        ("builder = 'linux'", GuestKind::Pv),
        ("type = 'pvh'", GuestKind::Pvh),
        ("pvh = 1", GuestKind::Pvh),
        ("type = 'hvm'", GuestKind::Hvm),
        ("builder = 'hvm'", GuestKind::Hvm),
    ] {
        let config = domain(&format!("{text}\nkernel = '/boot/vmlinuz'\nextra = 'quiet'"));
        let image = config.image.unwrap();
        assert_eq!((image.kind, image.args.as_slice()), (kind, &b"quiet"[..]), "{text}");
        // xl boots the kernel of an HVM guest, too.
        assert_eq!(image.kernel, "/boot/vmlinuz", "{text}");
    }
    assert_eq!(refused("\ntype = 'xen'"), "2:8: type: pv, pvh or hvm is expected");
    let loader = "type = 'hvm'\nfirmware = '/opt/bios.bin'";
    assert_eq!(domain(loader).image.unwrap().loader.unwrap(), "/opt/bios.bin");
    let arguments = "bootloader = 'pygrub'\nbootloader_args = ['-q', '--entry=1']";
    assert_eq!(domain(arguments).bootloader_args, "-q --entry=1");
}

#[test]
fn mistakes_are_refused_at_their_place() {
    for (text, wanted) in [
        ("disk = 'phy:/a,xvda,w'", "1:8: disk: a list like ['...'] is expected"),
        ("vif = [''] * 1001", "1:7: vif: there are more than 1000 items"),
        ("disk = [1]", "1:9: disk: a list of strings is expected, not a number"),
        ("disk = ['phy:/a,xvda,w',\n  'phy:/a']", "2:3: disk: TYPE:PATH,DEVICE,MODE is expected"),
        ("disk = ['nothing,xvda,w']", "1:9: vbd uname: Block device must have physical details"),
        ("vif = ['', 'bridge']", "1:12: vif: key=value is expected between the commas"),
        ("vif = ['brigde=b']", "1:8: vif: there is no key brigde, bridge is one"),
        ("vif = ['mac=1']", "1:8: vif mac: "),
        ("vfb = ['type=spice']", "1:8: vfb: the type is neither vnc nor sdl"),
        ("vfb = ['vncpasswd=secret,x']", "1:8: vfb: key=value is expected between the commas"),
        ("pci = ['1']", "1:8: pci: a function like 0000:01:00.0 is expected"),
        ("vscsi = ['1:0:0:0,host']", "1:10: vscsi: a whole adapter is not supported"),
        ("vscsi = ['1:0:0:0,0:0:0']", "1:10: vscsi: the guest's unit is not like 0:0:0:0"),
        ("vusb = ['numports=17']", "1:9: vusb: numports is not a number from 1 to 16"),
        ("vtpm = ['instance=0']", "1:9: vtpm: the instance is not a number from 1 on"),
        ("ioports = ['2f8-2ff-1']", "1:12: ioports: hexadecimal ports are expected"),
        ("irq = [-1]", "1:8: irq: a list of numbers is expected"),
        ("nics = 1000", "1:8: nics: 1000 is above 64"),
        (
            "access_control = ['label=x']",
            "1:19: access_control: policy=NAME,label=NAME is expected",
        ),
        ("memory = '64 MB'", "1:10: memory: \"64 MB\" is not a whole number of MiB"),
        ("memory = [64]", "1:10: memory: one word or string is expected"),
        ("on_crash = 'explode'", "1:12: on_crash: "),
        ("builder = 'bsd'", "1:11: image: \"bsd\" is not one of linux, hvm, pvh"),
    ] {
        assert!(refused(text).starts_with(wanted), "{text}: {}", refused(text));
    }
    for wrong in ["vfb = ['vncpasswd=secret,x']", "vncpasswd = secret", "vncpasswd = 'secret' + 1"]
    {
        assert!(!refused(wrong).contains("secret"), "{wrong}");
    }
}

#[test]
fn probable_mistakes_are_warnings() {
    for (text, wanted) in [
        ("vcpsu = 2", &["1:1: vcpsu: unknown variable, vcpus is one"][..]),
        ("memroy = 64\nmemory = memroy", &[]),
        ("root_disk = 'phy:/a'", &[]),
        ("\nspice = 1", &["2:1: spice: has no effect"]),
        ("acpi = True", &["1:1: acpi: xm ignored True and False, here it counts as 1"]),
        (
            "usbdevice = ['tablet', 'mouse']",
            &["1:24: usbdevice: only the first device has an effect"],
        ),
        ("vga = 'qxl'", &["1:7: vga: only stdvga and cirrus have an effect"]),
        ("firmware = 'pvgrub64'", &["1:12: firmware: give pvgrub's path as kernel"]),
    ] {
        assert_eq!(warnings(text), wanted, "{text}");
    }
}

#[test]
fn hostile_files_take_no_long_time() {
    let lines = |line: &dyn Fn(usize) -> String| (0..30_000).map(line).collect::<String>();
    for text in [
        lines(&|n| format!("unused_variable_{n}=1\n")),
        lines(&|n| format!("a=[{n}]\na=a*2+a\n")),
        lines(&|n| format!("'%s'%{n}\n")),
        format!("disk=[{}]", lines(&|n| format!("'f:a,{n},w',"))),
        format!("cpuid={{{}}}", lines(&|n| format!("'{n}':{{}},"))),
        format!("cpus=[{}]", lines(&|n| format!("'{n}',"))),
        format!("vif=['{}']", lines(&|n| format!("mac={n},"))),
        format!("a='{}'", "x".repeat(1 << 19)) + &"\nb=a+a".repeat(30_000),
    ] {
        let start = Instant::now();
        let _ = read_domain(text.as_bytes(), &Defaults::default());
        let start_of_text: String = text.chars().take(30).collect();
        assert!(start.elapsed() < Duration::from_secs(10), "{start_of_text}");
    }
}

#[test]
fn answers_about_a_file_have_no_passwords() {
    let text = "vnc = 1\nbuilder = 'hvm'\nkernel = 'hvmloader'\nvncpasswd = 'secret'\n\
                vfb = ['vnc=1,vncpasswd=secret']";
    let mut sink = SxpSink::default();
    shape::config(&mut sink, &domain(text));
    assert!(!String::from_utf8(sink.into_bytes()).unwrap().contains("secret"));
    assert!(!format!("{:?}", domain(text)).contains("secret"));
}
