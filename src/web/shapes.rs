//! What texts may look like, for the document of the API: each of these is the schema of a text that is
//! checked elsewhere, and only there.

use super::extract::{KartraId, Moment, Object, Position};
use crate::core::kartra::values::{EMAIL_BYTES_MAX, ID_BYTES_MAX, NAME_CHARS_MAX};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// Makes a type that stands for a schema and is written out wherever it is used.
macro_rules! shapes {
    ($($(#[$meta:meta])* $name:ident = $schema:tt)*) => {$(
        $(#[$meta])*
        pub struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

shapes! {
    /// The id of a site or a level; see [`slug_fault`](super::extract::slug_fault).
    Slug = { "type": "string", "maxLength": 63, "pattern": "^[a-z0-9][a-z0-9_-]*$" }
    /// A name to show; see [`name_fault`](super::extract::name_fault).
    Name = {
        "type": "string",
        "minLength": 1,
        "maxLength": NAME_CHARS_MAX,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
    }
    /// An address that a caller gives; it is trimmed and taken in lower case.
    Email = {
        "type": "string",
        "maxLength": EMAIL_BYTES_MAX,
        "pattern": r"^\s*[^\s@\u0000-\u001f\u007f-\u009f]+@[^\s\u0000-\u001f\u007f-\u009f]+\s*$",
    }
    /// A text that a database can keep and look for.
    Text = { "type": "string", "pattern": r"^[^\u0000]*$" }
    /// A text with something in it.
    Filled = { "type": "string", "minLength": 1, "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$" }
    /// An address on the web.
    Uri = { "type": "string", "format": "uri" }
}

/// An IANA time zone, such as `America/New_York`.
pub struct TimeZone;

impl JsonSchema for TimeZone {
    fn schema_name() -> Cow<'static, str> {
        "TimeZone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
        json_schema!({
            "description": "A time zone of the IANA list.",
            "type": "string",
            "enum": names,
        })
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl JsonSchema for Position {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Position".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX })
    }
}

impl JsonSchema for KartraId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "KartraId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": ID_BYTES_MAX,
                    "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*[^\s0\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
                },
                { "type": "integer", "minimum": 1, "maximum": u64::MAX },
            ],
        })
    }
}

/// What it holds, and nothing else about it.
impl<T: JsonSchema> JsonSchema for Object<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
