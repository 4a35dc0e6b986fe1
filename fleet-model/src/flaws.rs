//! Lists of broken rules.

/// An enum of flaws, and the list of all of them. Both come from one text, so that none is missing
/// in the list.
macro_rules! flaws {
    (
        $(#[$attribute:meta])*
        $visible:vis enum $name:ident {
            $($(#[$about:meta])* $flaw:ident,)*
        }
    ) => {
        $(#[$attribute])*
        $visible enum $name {
            $($(#[$about])* $flaw,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$flaw),*];
        }
    };
}

pub(crate) use flaws;
