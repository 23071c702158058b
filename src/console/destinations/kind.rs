//! The kinds of destinations in the words of people who run one.

/// A kind of destination, as pages speak of it.
pub struct Kind {
    /// Its name in the API.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// The same, with its article.
    pub a_name: &'static str,
    /// What it does, in a sentence or two.
    pub about: &'static str,
    /// What a level becomes there; empty where levels keep their own names.
    pub remote: &'static str,
    /// The field of the config that holds what is pasted and never shown; empty where there is none.
    pub secret: &'static str,
    /// What a deleted destination leaves behind.
    pub stays: &'static str,
}

/// Every kind.
pub const ALL: &[Kind] = &[
    Kind {
        id: "wordpress",
        name: "WordPress",
        a_name: "WordPress",
        about: "A level becomes a role of the user. Whoever buys gets a user, and a mail from WordPress to set their password.",
        remote: "role",
        secret: "application_password",
        stays: "Users and the roles that they have now stay as they are in WordPress.",
    },
    Kind {
        id: "ghost",
        name: "Ghost",
        a_name: "Ghost",
        about: "A level becomes a label of the member, and a free tier if you like. Whoever buys becomes a member, and gets Ghost's own mail to sign in.",
        remote: "label",
        secret: "admin_api_key",
        stays: "Members, and the labels and tiers that they have now, stay as they are in Ghost.",
    },
    Kind {
        id: "webhook",
        name: "Signed webhook",
        a_name: "a signed webhook",
        about: "A program of your own is told of every change, in signed messages. For a site that is neither of the others.",
        remote: "",
        secret: "",
        stays: "What the program has learnt so far stays with it.",
    },
];

/// The kind with a name of the API.
pub fn named(id: &str) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.id == id)
}
