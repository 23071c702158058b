//! What a destination has that levels can be told as.

/// What a destination has that levels can be told as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offered {
    /// All that was seen, in the order in which people look for it.
    pub offers: Vec<Offer>,
    /// Why there may be more, in words; `None` where that is all.
    pub incomplete: Option<String>,
    /// Whether the destination makes a name that it does not have when it is first given to somebody.
    pub makes_missing: bool,
}

/// Something that a level can be told as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it is: `role`, `label`, `tier`.
    pub what: &'static str,
    /// What is written down for it.
    pub remote: String,
    /// What people call it; `None` where the destination does not say.
    pub name: Option<String>,
    /// Why nobody can be given it, in words; `None` where somebody can.
    pub unfit: Option<String>,
}

impl Offer {
    /// Something that can be given, by the name that people call it, too.
    pub fn named(what: &'static str, name: impl Into<String>) -> Self {
        let remote = name.into();
        Self { what, name: Some(remote.clone()), remote, unfit: None }
    }
}
