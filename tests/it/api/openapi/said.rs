//! The document as tests read it.

use crate::support::{Reply, TestApp};
use serde_json::Value;

/// One operation of the document.
pub struct Operation {
    /// The method, in upper case.
    pub method: String,
    /// The path behind `/api/v1`.
    pub path: String,
    /// All that is said of it.
    pub says: Value,
}

impl Operation {
    /// Its method and its path.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The example of its body; `None` where it takes none.
    pub fn body(&self) -> Option<&Value> {
        self.says.pointer("/requestBody/content/application~1json/example")
    }

    /// The scope that it says it needs.
    pub fn scope(&self) -> &str {
        self.says["security"][0]["key"][0].as_str().expect("a scope")
    }

    /// The address with the names in the path filled in by the examples of the document, but for the id.
    pub fn address(&self, document: &Value, id: &str) -> String {
        let parameters = document["components"]["parameters"].as_object().expect("parameters");
        let filled = self.path.replace("{id}", id);
        let fill = |path: String, (name, parameter): (&String, &Value)| {
            path.replace(&format!("{{{name}}}"), parameter["example"].as_str().unwrap_or_default())
        };
        format!("/api/v1{}", parameters.iter().fold(filled, fill))
    }

    /// Whether whoever the body names is called before the answer.
    fn calls_at_once(&self) -> bool {
        ["/destinations/test", "/destinations/remotes"].iter().any(|end| self.path.ends_with(end))
    }

    /// Sends it with the example of its body, where it takes one. A test calls nobody outside.
    pub fn send(&self, app: &TestApp, address: &str, key: &str) -> Reply {
        app.request(&self.method, address, |request| {
            let request = request.bearer_auth(key);
            match self.body() {
                Some(body) if self.calls_at_once() => request.body(at_home(body, app)),
                Some(body) => request.body(body.to_string()),
                None => request,
            }
        })
    }
}

/// A body whose sites are the application itself.
fn at_home(body: &Value, app: &TestApp) -> String {
    let home = format!("http://{}", app.address());
    let sites = ["https://courses.example.com", "https://club.example.com"];
    sites.iter().fold(body.to_string(), |body, site| body.replace(site, &home))
}

/// Every operation.
pub fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().expect("methods").clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, says)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            says,
        })
    };
    paths.iter().flat_map(of).collect()
}

/// Everything in a document, with the way to it.
pub fn walk<'a>(value: &'a Value, way: &str, visit: &mut dyn FnMut(&'a Value, &str)) {
    visit(value, way);
    match value {
        Value::Object(keys) => keys.iter().for_each(|(k, v)| walk(v, &format!("{way}/{k}"), visit)),
        Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{way}/-"), visit)),
        _ => {}
    }
}
