//! Scopes as types, so that a handler's signature says what it asks for.

use crate::core::scope::Scope;

/// A scope as a type.
pub trait Needs {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($name:ident)*) => {$(
        #[doc = concat!("Asks for the scope `", stringify!($name), "`.")]
        pub struct $name;
        impl Needs for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}
needs!(Read Support Manage Admin);
