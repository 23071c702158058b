//! One operation: a method of a path, what it takes and what it answers.

use super::answers::{self, named_header};
use super::parameters;
use super::part::Parts;
use super::schemas::{Schemas, Shape, example};
use crate::core::scope::Scope;
use actix_web::Handler;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// A noun of the API with everything that can be done about it.
pub struct Noun {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What can be done about it.
    pub operations: Vec<Operation>,
}

/// A method of a path.
pub struct Operation {
    /// The method, in lower case.
    pub method: &'static str,
    /// The path behind `/api/v1`.
    pub path: &'static str,
    /// The scope that it needs.
    pub scope: Option<Scope>,
    /// The type that its query is read into.
    pub query: Option<Shape>,
    /// The type that its body is read into.
    pub body: Option<Shape>,
    /// Whether it may be left out.
    pub body_may_be_absent: bool,
    id: &'static str,
    summary: &'static str,
    more: Option<&'static str>,
    good: Vec<Good>,
    if_match: bool,
    conflict: Option<&'static str>,
    streams: bool,
}

/// The headers of a single thing.
const THING: &[&str] = &["Cache-Control", "ETag"];

/// A good answer.
struct Good {
    status: u16,
    when: &'static str,
    holds: Holds,
    headers: &'static [&'static str],
}

/// What a good answer holds.
enum Holds {
    Nothing,
    Thing(Shape),
    Page(Shape),
}

/// An operation that a handler does; the handler's signature says what it takes.
pub fn operation<F: Handler<A>, A: Parts>(
    method: &'static str,
    path: &'static str,
    _: F,
    id: &'static str,
    summary: &'static str,
) -> Operation {
    let mut operation = Operation {
        method,
        path,
        scope: None,
        query: None,
        body: None,
        body_may_be_absent: false,
        id,
        summary,
        more: None,
        good: Vec::new(),
        if_match: false,
        conflict: None,
        streams: false,
    };
    A::tell(&mut operation);
    operation
}

impl Operation {
    /// More than a summary says.
    pub fn says(mut self, more: &'static str) -> Self {
        self.more = Some(more);
        self
    }

    /// 200 with what was asked for.
    pub fn answers<T: JsonSchema>(self, when: &'static str) -> Self {
        self.with(200, when, Holds::Thing(SchemaGenerator::subschema_for::<T>), &[])
    }

    /// 200 with a single thing and its `ETag`, or 304 where the caller has it already.
    pub fn thing<T: JsonSchema>(self, when: &'static str) -> Self {
        self.with(200, when, Holds::Thing(SchemaGenerator::subschema_for::<T>), THING).with(
            304,
            "It is as `If-None-Match` says.",
            Holds::Nothing,
            THING,
        )
    }

    /// 200 with a page of a list.
    pub fn page<T: JsonSchema>(self, when: &'static str) -> Self {
        self.with(200, when, Holds::Page(SchemaGenerator::subschema_for::<T>), &[])
    }

    /// 201 with the thing that was made.
    pub fn made<T: JsonSchema>(self) -> Self {
        let holds = Holds::Thing(SchemaGenerator::subschema_for::<T>);
        self.with(201, "It was made.", holds, &["ETag", "Location"])
    }

    /// 200 with the thing as it now is; `If-Match` is honoured.
    pub fn edited<T: JsonSchema>(self) -> Self {
        let holds = Holds::Thing(SchemaGenerator::subschema_for::<T>);
        self.with(200, "It was written.", holds, &["ETag"]).if_match()
    }

    /// 204.
    pub fn ended(self, when: &'static str) -> Self {
        self.with(204, when, Holds::Nothing, &[])
    }

    /// 202 when more members are concerned than are waited for.
    pub fn or_later<T: JsonSchema>(self) -> Self {
        let when = "It was written; what it means for members is still being computed. Follow `recompute` at \
                    `/sites/{site}/recomputes/{id}` until `done` equals `members`.";
        let headers: &[&str] = if self.method == "post" { &["Location"] } else { &[] };
        self.with(202, when, Holds::Thing(SchemaGenerator::subschema_for::<T>), headers)
    }

    /// 202 with a thing that comes about by and by.
    pub fn accepted<T: JsonSchema>(self, when: &'static str) -> Self {
        let holds = Holds::Thing(SchemaGenerator::subschema_for::<T>);
        self.with(202, when, holds, &["Location"])
    }

    /// `If-Match` is honoured.
    pub fn if_match(mut self) -> Self {
        self.if_match = true;
        self
    }

    /// 409, and when.
    pub fn conflict(mut self, when: &'static str) -> Self {
        self.conflict = Some(when);
        self
    }

    /// It goes on as Server-Sent Events where that is asked for, and what it is asked for may be over.
    pub fn streams(mut self) -> Self {
        self.streams = true;
        self
    }

    fn with(
        mut self,
        status: u16,
        when: &'static str,
        holds: Holds,
        headers: &'static [&'static str],
    ) -> Self {
        self.good.push(Good { status, when, holds, headers });
        self
    }

    /// The operation as the document shows it.
    pub fn shown(&self, tag: &str, schemas: &mut Schemas) -> Value {
        let scope = self.scope.map_or("", Scope::as_str);
        let more = self.more.map(|more| format!("{more}\n\n")).unwrap_or_default();
        let mut shown = json!({
            "operationId": self.id,
            "summary": self.summary,
            "description": format!("{more}Needs the scope `{scope}`."),
            "tags": [tag],
            "security": [{ "key": [scope] }],
            "parameters": self.parameters(schemas),
            "responses": self.responses(schemas),
        });
        if let Some(body) = self.body {
            let schema = schemas.of_sent(body);
            let content = json!({ "example": example(&schema), "schema": schema });
            shown["requestBody"] = json!({ "required": !self.body_may_be_absent, "content": { "application/json": content } });
        }
        shown
    }

    fn parameters(&self, schemas: &mut Schemas) -> Vec<Value> {
        let mut all: Vec<Value> = parameters::names_in(self.path).map(parameters::named).collect();
        if let Some(query) = self.query {
            all.extend(parameters::of_query(&schemas.of_sent(query)));
        }
        if self.if_match {
            all.push(parameters::named("If-Match"));
        }
        if self.streams {
            all.push(parameters::named("Last-Event-ID"));
        }
        if self.good.iter().any(|good| good.status == 304) {
            all.push(parameters::named("If-None-Match"));
        }
        all
    }

    /// Whether it can meet the problem of a status.
    fn meets(&self, status: u16) -> bool {
        match status {
            403 => self.scope > Some(Scope::Read),
            404 => self.path.contains('{'),
            408 | 413 | 422 => self.body.is_some(),
            409 => self.conflict.is_some(),
            410 => self.streams,
            412 => self.if_match,
            _ => true,
        }
    }

    fn responses(&self, schemas: &mut Schemas) -> Map<String, Value> {
        let good = self.good.iter().map(|good| (good.status.to_string(), good.shown(schemas)));
        let mut all: Map<String, Value> =
            good.chain(answers::of(|status| self.meets(status), self.conflict)).collect();
        if self.streams
            && let Some(page) = all.get_mut("200")
        {
            page["content"]["text/event-stream"] = parameters::event_stream();
        }
        all
    }
}

impl Good {
    fn shown(&self, schemas: &mut Schemas) -> Value {
        let mut shown = json!({ "description": self.when });
        let schema_and_example = match self.holds {
            Holds::Nothing => None,
            Holds::Thing(shape) => {
                let schema = schemas.of_answered(shape);
                Some((example(&schema), schema))
            }
            Holds::Page(shape) => {
                let item = schemas.of_answered(shape);
                let page = json!({ "items": [example(&item)], "next_cursor": null });
                Some((Some(page), page_of(&item)))
            }
        };
        if let Some((example, schema)) = schema_and_example {
            let content = json!({ "schema": schema, "example": example });
            shown["content"] = json!({ "application/json": content });
        }
        if !self.headers.is_empty() {
            let headers = self.headers.iter().map(|name| ((*name).to_owned(), named_header(name)));
            shown["headers"] = headers.collect::<Map<_, _>>().into();
        }
        shown
    }
}

fn page_of(item: &Value) -> Value {
    json!({
        "type": "object",
        "description": "A page of a list.",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": { "type": "array", "description": "The items of this page.", "items": item },
            "next_cursor": {
                "type": ["string", "null"],
                "description": "What leads to the next page; null where this is the last.",
            },
        },
    })
}
