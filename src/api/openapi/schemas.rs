//! The schemas of what is sent and of what is answered, each named once, with its example.

use super::examples;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// Where the document keeps its schemas.
const HOME: &str = "#/components/schemas/";

/// Writes a type down wherever it is used: by its name, or in full where it has none.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

/// All schemas of a document in its making.
///
/// What is sent and what is answered are not alike: a key with a default may be left out of a body and
/// never is of an answer. So there are two generators; what is used in both, such as a policy, is
/// described as it may be sent.
pub struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    /// None yet.
    pub fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path =
                    HOME.trim_start_matches('#').trim_end_matches('/').into();
                settings.meta_schema = None;
            })
        };
        Self {
            sent: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    /// The schema of something that is sent.
    pub fn of_sent(&mut self, shape: Shape) -> Value {
        tidied(shape(&mut self.sent).to_value())
    }

    /// The schema of something that is answered.
    pub fn of_answered(&mut self, shape: Shape) -> Value {
        tidied(shape(&mut self.answered).to_value())
    }

    /// Every schema by its name, with its example.
    pub fn described(mut self) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        all.extend(self.sent.take_definitions(true));
        let with_example = |(name, schema): (String, Value)| {
            let mut schema = tidied(schema);
            if let (Some(example), Some(keys)) =
                (example_of(&name, &schema), schema.as_object_mut())
            {
                let mut all = vec![example];
                all.extend(examples::more_of(&name));
                keys.insert("examples".to_owned(), Value::Array(all));
            }
            (name, schema)
        };
        all.into_iter().map(with_example).collect()
    }
}

/// The example of a schema: a word of its own where it lists words, else what is written down for it.
fn example_of(name: &str, schema: &Value) -> Option<Value> {
    let listed = schema["enum"].get(0).or_else(|| schema["oneOf"].get(0)?.get("const"));
    examples::of(name).or_else(|| listed.cloned())
}

/// The example of a schema that is named, or of a list of such.
pub fn example(schema: &Value) -> Option<Value> {
    let name = schema["$ref"].as_str()?.strip_prefix(HOME)?;
    examples::of(name)
}

/// Leaves out what is true of the types and of no interest outside: how wide a number is in memory, that
/// what may be left out is none by default, and where a line of the source ends.
fn tidied(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(keys) => {
            let machine = |format: &Value| {
                format
                    .as_str()
                    .is_some_and(|format| format.starts_with("int") || format.starts_with("uint"))
            };
            keys.retain(|key, value| match key.as_str() {
                "default" => !value.is_null(),
                "format" => !machine(value),
                _ => true,
            });
            for (key, value) in keys.iter_mut() {
                *value = match value {
                    Value::String(words) if key == "description" => words.replace('\n', " ").into(),
                    _ => tidied(value.take()),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = tidied(item.take())),
        _ => {}
    }
    schema
}
