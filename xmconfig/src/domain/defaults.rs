//! What xm took from its surroundings.

/// Values for what a file leaves open. A missing one is left out of the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Defaults<'a> {
    /// The domain's name: xm used the base name of the file, with its extension.
    pub name: Option<&'a str>,
    /// The absolute path of the directory from which relative paths of kernels, initial RAM disks
    /// and firmware go: xm used its working directory.
    pub directory: Option<&'a str>,
    /// The X display of frame buffers: xm used `$DISPLAY`.
    pub display: Option<&'a str>,
    /// The path of the X authority file of frame buffers: xm used `$XAUTHORITY`, else
    /// `~/.Xauthority`.
    pub xauthority: Option<&'a str>,
    /// Whether a user watches the console from the start: a boot loader without arguments shows its
    /// menu then, as with `xm create -c`.
    pub console: bool,
}
