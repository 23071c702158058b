//! What listens: the routes of both addresses, and what every request goes through.

use super::in_process::InProcess;
use super::{App, or_cores};
use crate::settings::Settings;
use crate::web::auth::authenticate;
use crate::web::problem::Problem;
use crate::web::{health, metrics};
use crate::{api, console, intake};
use actix_web::dev::{HttpServiceFactory, Server, Service, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, HttpServer, Resource, ResponseError, web};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// How long the head of a request may take to arrive.
const REQUEST_HEAD_SECONDS_MAX: u64 = 10;
/// How many connections the address of `/metrics` serves.
const METRICS_CONNECTIONS_MAX: usize = 32;
/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Listens on an address that a setting names.
pub(super) fn listen(bind: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(bind)
        .map_err(|error| anyhow::anyhow!("cannot listen on {bind}: {error}; set {setting}"))
}

/// `/metrics` alone, without a key: whoever reaches the address may read it.
pub(super) fn serve_metrics(app: App, listener: TcpListener) -> anyhow::Result<Server> {
    let data = web::Data::new(app);
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(data.clone())
            .service(resource("/metrics", "GET").get(metrics::without_key))
            .default_service(web::route().to(no_such_page))
    });
    let server = server
        .workers(1)
        .max_connections(METRICS_CONNECTIONS_MAX)
        .client_request_timeout(Duration::from_secs(REQUEST_HEAD_SECONDS_MAX))
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// The main address.
pub(super) fn serve(
    app: App,
    listener: TcpListener,
    settings: &Settings,
) -> anyhow::Result<Server> {
    let metrics_here = settings.metrics.bind.is_none();
    let data = web::Data::new(app);
    let server = HttpServer::new(move || {
        let of_pages = data.clone();
        actix_web::App::new()
            .app_data(data.clone())
            .data_factory(move || InProcess::start(of_pages.clone()))
            .wrap_fn(|mut request, service| {
                // What a GET answers, a HEAD answers without its body, which is left out on the wire.
                if request.method() == Method::HEAD {
                    request.head_mut().method = Method::GET;
                }
                let refused = nul_fault(request.path(), request.query_string());
                let asked = Asked::of(&request);
                let answer = match refused {
                    None => Ok(service.call(request)),
                    Some(refused) => Err(request.error_response(refused)),
                };
                async move {
                    let answer = match answer {
                        Ok(answer) => answer.await?,
                        Err(refused) => refused,
                    };
                    asked.note(&answer);
                    Ok(answer)
                }
            })
            .service(resource("/livez", "GET, HEAD").get(health::livez))
            .service(resource("/readyz", "GET, HEAD").get(health::readyz))
            .service(
                resource("/hooks/kartra/{token}", "GET, HEAD, POST")
                    .get(intake::greet)
                    .post(intake::receive),
            )
            .configure(api::routes)
            .configure(console::routes)
            .configure(|config| {
                if metrics_here {
                    config.service(metrics_route());
                }
            })
            .default_service(web::route().to(no_such_page_here))
    });
    let workers = or_cores(settings.server.workers);
    let server = server
        .workers(workers)
        .max_connections(settings.server.connections_max.div_ceil(workers))
        .backlog(BACKLOG)
        .client_request_timeout(Duration::from_secs(REQUEST_HEAD_SECONDS_MAX))
        .shutdown_timeout(settings.server.shutdown_seconds)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// PostgreSQL cannot look for a NUL, and nothing has one in its name: not even a webhook URL, which
/// answers 404 whatever its token is made of.
fn nul_fault(path: &str, query: &str) -> Option<Problem> {
    if path.contains("%00") {
        return Some(Problem::not_found("page"));
    }
    let detail = "The query must not hold the character U+0000.";
    query.contains("%00").then(|| Problem::malformed(detail))
}

/// What was asked for, to be noted when it is answered.
struct Asked {
    method: Method,
    began: std::time::Instant,
}

impl Asked {
    fn of(request: &ServiceRequest) -> Self {
        Self { method: request.method().clone(), began: std::time::Instant::now() }
    }

    /// One line a request, and one count.
    fn note(&self, answer: &ServiceResponse) {
        let (status, micros) = (answer.status().as_u16(), self.began.elapsed().as_micros());
        // The pattern of the route: the path itself may hold a token or an address. Once it is answered
        // it is known, where before every route would be tried for it.
        let route = answer.request().match_pattern();
        let route = route.as_deref();
        if let Some(app) = answer.request().app_data::<web::Data<App>>() {
            app.metrics().answered(route, self.method.as_str(), status);
        }
        tracing::debug!(method = %self.method, route, status, micros, "answered");
    }
}

/// A resource that answers every method it does not take with those that it takes. They stand
/// beside the path because actix does not tell them.
pub fn resource(path: &str, allow: &'static str) -> Resource {
    let refuse = move || async move {
        let mut answer = Problem::method_not_allowed().error_response();
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        answer
    };
    web::resource(path).default_service(web::route().to(refuse))
}

/// `/metrics` on the main address, for a key with the scope `read`.
fn metrics_route() -> impl HttpServiceFactory {
    resource("/metrics", "GET, HEAD").get(metrics::with_key).wrap(from_fn(authenticate))
}

pub(super) async fn no_such_page() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("page"))
}

/// The same at the main address: whoever looks at it with a browser is shown a page.
async fn no_such_page_here(request: HttpRequest) -> Result<HttpResponse, Problem> {
    console::no_such_page(&request).map_or_else(|| Err(Problem::not_found("page")), Ok)
}
