//! The options of `xm create`, which are the variables of its files.

use OptionKind::{Flag, List, Number, Text};

/// An option of `xm create`, and a variable of its files.
#[derive(Debug)]
pub struct CreateOption {
    pub name: &'static str,
    /// What the value is like, in words of a synopsis.
    pub value: &'static str,
    /// The value if neither the file nor the command line sets one; empty if there is none.
    pub default: &'static str,
    pub kind: OptionKind,
    /// What the option is, in one line. "Kept" means that it is stored and shown, and that today's
    /// Xen does nothing with it.
    pub help: &'static str,
}

/// How `NAME=VALUE` is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// As it is.
    Text,
    /// A whole number.
    Number,
    /// `yes` or `no`.
    Flag,
    /// An item of a list: the option may be repeated.
    List,
}

/// The options of xm, and those that xl added, in groups of what they are about.
#[rustfmt::skip]
pub static OPTIONS: &[CreateOption] = &[
    // The domain
    option("name", "NAME", "", Text, "the name; that of the file if it is left out"),
    option("uuid", "UUID", "", Text, "the UUID; a random one if it is left out"),
    option("description", "TEXT", "", Text, "a description, which is shown"),
    option("memory", "MIB", "128", Number, "memory at the start"),
    option("maxmem", "MIB", "", Number, "the limit up to which memory can grow"),
    option("shadow_memory", "MIB", "0", Number, "memory of page tables of an HVM guest"),
    option("memory_sharing", "no|yes", "no", Flag, "share memory with other domains; kept"),
    option("vcpus", "NUMBER", "1", Number, "virtual processors"),
    option("maxvcpus", "NUMBER", "", Number, "the most virtual processors; vcpus are those online at the start"),
    option("vcpu_avail", "MASK", "", Text, "no effect; use maxvcpus"),
    option("cpus", "CPUS", "", Text, "the CPUs that may run the domain, like 0-3,^1"),
    option("cpu", "CPU", "", Number, "the CPU that runs the domain"),
    option("cpu_weight", "WEIGHT", "", Number, "weight among domains, 1 to 65535"),
    option("cpu_cap", "PERCENT", "", Number, "most CPU time; 100 is one CPU, 0 is no limit"),
    option("pool", "POOL", "", Text, "the CPU pool in which the domain runs"),
    option("on_poweroff", "ACTION", "", Text, "when the guest switches off: destroy, restart, preserve or rename-restart"),
    option("on_reboot", "ACTION", "", Text, "when the guest reboots: the same actions"),
    option("on_crash", "ACTION", "", Text, "when the guest crashes: the same, coredump-destroy or coredump-restart"),
    option("on_xend_start", "ignore|start", "ignore", Text, "when xend starts"),
    option("on_xend_stop", "ignore|shutdown|suspend", "ignore", Text, "when xend stops"),
    option("restart", "onreboot|always|never", "", Text, "deprecated; use on_poweroff, on_reboot and on_crash"),
    option("blkif", "no|yes", "no", Flag, "the domain serves disks to others"),
    option("netif", "no|yes", "no", Flag, "the domain serves networks to others"),
    option("tpmif", "no|yes", "", List, "the domain serves TPMs to others"),
    option("target", "DOMAIN", "0", Number, "the domain that this one is the device model of"),
    option("access_control", "policy=POLICY,label=LABEL", "", List, "a security label; kept"),
    // What is booted
    option("type", "pv|pvh|hvm", "pv", Text, "the kind of guest"),
    option("builder", "linux|hvm", "linux", Text, "the kind of guest, in words of xm"),
    option("kernel", "FILE", "", Text, "the kernel"),
    option("ramdisk", "FILE", "", Text, "the initial RAM disk"),
    option("root", "DEVICE", "", Text, "root= on the command line of the kernel"),
    option("extra", "ARGS", "", Text, "the rest of the command line of the kernel"),
    option("cmdline", "ARGS", "", Text, "the whole command line of the kernel, in place of root and extra"),
    option("features", "FEATURES", "", Text, "features of the kernel; kept"),
    option("bootloader", "FILE", "", Text, "the program that finds the kernel, such as pygrub"),
    option("bootargs", "ARGS", "-q", Text, "arguments of the boot loader"),
    option("bootentry", "NAME", "", Text, "no effect; use bootargs"),
    option("ip", "ADDRESS", "", Text, "ip= on the command line: the address"),
    option("netmask", "MASK", "", Text, "ip= on the command line: the mask"),
    option("gateway", "ADDRESS", "", Text, "ip= on the command line: the gateway"),
    option("hostname", "NAME", "", Text, "ip= on the command line: the name of the host"),
    option("interface", "NAME", "eth0", Text, "ip= on the command line: the interface"),
    option("dhcp", "off|dhcp", "off", Text, "ip= on the command line: how the address is found"),
    option("nfs_server", "ADDRESS", "", Text, "nfsroot= on the command line: the server"),
    option("nfs_root", "PATH", "", Text, "nfsroot= on the command line: the directory"),
    // Devices
    option("disk", "TYPE:PATH,DEVICE,MODE[,BACKEND]", "", List, "a disk, like phy:/dev/vg0/web,xvda,w; may be repeated"),
    option("vif", "mac=MAC,bridge=BRIDGE,ip=ADDRESS,script=SCRIPT,backend=DOMAIN,vifname=NAME,rate=RATE,model=MODEL,type=TYPE", "", List, "a network interface, each part of which may be left out; may be repeated"),
    option("nics", "NUMBER", "", Number, "deprecated; use vif= for each interface"),
    option("vif2", "front_mac=MAC,bridge=BRIDGE", "", List, "an interface of netchannel2, which today's Xen does not have"),
    option("vfb", "vnc=1,vnclisten=ADDRESS[:DISPLAY],vncdisplay=N,vncunused=1,vncpasswd=PASSWORD,keymap=KEYMAP,sdl=1,opengl=1,display=DISPLAY", "", List, "a screen of a PV guest"),
    option("pci", "BUS:DEVICE.FUNCTION[@SLOT][,OPTION=VALUE]", "", List, "a PCI function that is passed through; may be repeated"),
    option("pci_msitranslate", "0|1", "1", Number, "translation of interrupts of PCI functions; kept"),
    option("pci_power_mgmt", "0|1", "0", Number, "power states of PCI functions; kept"),
    option("vscsi", "HOST,GUEST[,BACKEND]", "", List, "a SCSI device, like /dev/sdb,0:0:0:0; may be repeated"),
    option("vusb", "usbver=1|2,numports=NUMBER,port_N=DEVICE", "", List, "a USB controller; may be repeated"),
    option("vtpm", "instance=NUMBER,backend=DOMAIN", "", List, "a TPM"),
    option("ioports", "FROM[-TO]", "", List, "I/O ports in hexadecimal; may be repeated"),
    option("irq", "NUMBER", "", List, "an interrupt; may be repeated"),
    // HVM guests
    option("loader", "FILE", "", Text, "the firmware"),
    option("bios", "seabios|ovmf|rombios", "", Text, "the firmware by its name"),
    option("device_model", "FILE", "", Text, "the device model"),
    option("boot", "a|c|d|n", "c", Text, "the order of floppy, disk, CD-ROM and network, like dc"),
    option("fda", "FILE", "", Text, "the image of the first floppy drive; kept"),
    option("fdb", "FILE", "", Text, "the image of the second floppy drive; kept"),
    option("cdrom", "FILE", "", Text, "the image in the CD-ROM drive hdc"),
    option("acpi", "0|1", "1", Number, "ACPI"),
    option("apic", "0|1", "1", Number, "the APIC"),
    option("pae", "0|1", "1", Number, "PAE"),
    option("hap", "0|1", "1", Number, "page tables in hardware; kept"),
    option("oos", "0|1", "1", Number, "shadow page tables out of step; kept"),
    option("hpet", "0|1", "0", Number, "the timer HPET"),
    option("timer_mode", "0..3", "1", Number, "what happens to timer ticks that were missed"),
    option("tsc_mode", "0..3", "0", Number, "how the guest sees the time stamp counter"),
    option("vpt_align", "0|1", "1", Number, "periodic timers that tick together"),
    option("vhpt", "NUMBER", "0", Number, "the size of a table of Itanium; kept"),
    option("viridian", "0|1", "0", Number, "the interface of Hyper-V, for Windows"),
    option("extid", "0|1", "0", Number, "viridian of Xen 3.3"),
    option("nestedhvm", "0|1", "0", Number, "no effect"),
    option("nomigrate", "0|1", "0", Number, "the domain cannot be migrated"),
    option("localtime", "no|yes", "no", Flag, "the clock shows local time"),
    option("rtc_timeoffset", "SECONDS", "0", Number, "added to the clock"),
    option("cpuid", "INPUT:REGISTER=BITS,...", "", List, "what the guest sees of the CPU; kept"),
    option("cpuid_check", "INPUT:REGISTER=BITS,...", "", List, "what the host must have; kept"),
    option("guest_os_type", "NAME", "default", Text, "the system of the guest; kept"),
    option("xen_platform_pci", "0|1", "1", Number, "the device for drivers of Xen"),
    option("serial", "pty|FILE", "", Text, "the serial port"),
    option("parallel", "pty|FILE", "", Text, "the parallel port"),
    option("monitor", "no|yes", "no", Flag, "the monitor of the device model; kept"),
    option("monitor_path", "FILE", "", Text, "where the monitor is; kept"),
    option("usb", "no|yes", "no", Flag, "USB"),
    option("usbdevice", "tablet|mouse", "", Text, "the USB device"),
    option("soundhw", "NAME", "", Text, "the sound card"),
    option("isa", "no|yes", "no", Flag, "no PCI bus; kept"),
    option("watchdog", "ib700|i6300esb", "", Text, "no effect"),
    option("watchdog_action", "ACTION", "reset", Text, "no effect"),
    option("smbios_firmware", "FILE", "", Text, "no effect"),
    option("acpi_firmware", "FILE", "", Text, "no effect"),
    option("actmem", "NUMBER", "0", Text, "no effect"),
    option("xenpaging_file", "FILE", "", Text, "no effect"),
    option("xenpaging_extra", "ARGS", "", List, "no effect"),
    // Screens of HVM guests
    option("nographic", "no|yes", "no", Flag, "no screen"),
    option("vnc", "0|1", "", Text, "show the screen by VNC"),
    option("vncdisplay", "NUMBER", "", Text, "the display of VNC"),
    option("vnclisten", "ADDRESS[:DISPLAY]", "", Text, "the address on which VNC listens, and xl's form of vncdisplay"),
    option("vncunused", "no|yes", "yes", Flag, "take an unused display"),
    option("vncpasswd", "PASSWORD", "", Text, "the password of VNC"),
    option("vncconsole", "no|yes", "", Flag, "start a viewer; kept"),
    option("vncviewer", "no|yes", "", Flag, "deprecated; no effect in files"),
    option("sdl", "0|1", "", Text, "show the screen on this X display"),
    option("opengl", "0|1", "", Text, "use OpenGL"),
    option("display", "DISPLAY", "", Text, "the X display"),
    option("xauthority", "FILE", "", Text, "the X authority file"),
    option("keymap", "KEYMAP", "", Text, "the layout of the keyboard"),
    option("stdvga", "no|yes", "no", Flag, "a VGA card with more modes"),
    option("videoram", "MIB", "4", Number, "memory of the VGA card"),
    option("gfx_passthru", "0|1", "", Text, "pass the graphics card through; kept"),
    // Rarely needed
    option("machine_address_size", "BITS", "", Number, "the width of addresses; kept"),
    option("s3_integrity", "0|1", "1", Number, "check memory when the host wakes up; kept"),
    option("superpages", "0|1", "0", Number, "memory in large pages; kept"),
    option("suppress_spurious_page_faults", "no|yes", "", Flag, "kept"),
];

const fn option(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    kind: OptionKind,
    help: &'static str,
) -> CreateOption {
    CreateOption { name, value, default, kind, help }
}
