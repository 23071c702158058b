//! The composition root: puts the rooms together, starts what runs, stops it in order.

use crate::clock::Clock;
use crate::flow::settle::Bench;
use crate::flow::{self, Flow};
use crate::intake::{self, Intake};
use crate::secrets::{self, Sealer};
use crate::settings::Settings;
use crate::store::Store;
use crate::store::conn::Conn;
use crate::web::auth::Remembered;
use crate::web::health::{self, Probe};
use crate::web::problem::Problem;
use crate::{api, first_start};
use actix_web::dev::{Server, Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpServer, Resource, ResponseError, web};
use secrecy::ExposeSecret;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the head of a request may take to arrive.
const REQUEST_HEAD_SECONDS_MAX: u64 = 10;
/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// What every request is served from. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    flow: Arc<Flow>,
    intake: Intake,
    base_url: String,
    admin_key_hash: Option<[u8; 32]>,
    remembered_keys: Remembered,
    probe: Probe,
    inline_members_max: i64,
}

impl App {
    /// The flow.
    pub fn flow(&self) -> &Flow {
        &self.0.flow
    }

    /// The way in for webhooks.
    pub fn intake(&self) -> &Intake {
        &self.0.intake
    }

    /// The store, for reads that are no part of the flow.
    pub fn store(&self) -> &Store {
        self.0.flow.store()
    }

    /// The clock that everything goes by.
    pub fn clock(&self) -> &Clock {
        self.0.flow.clock()
    }

    /// What seals stored secrets.
    pub fn sealer(&self) -> &Sealer {
        self.0.flow.sealer()
    }

    /// The base of the URLs that are shown, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// The hash of the admin key in the settings; `None` where none is set.
    pub fn admin_key_hash(&self) -> Option<&[u8; 32]> {
        self.0.admin_key_hash.as_ref()
    }

    /// The keys that were looked up lately.
    pub fn remembered_keys(&self) -> &Remembered {
        &self.0.remembered_keys
    }

    /// What the latest readiness probe found.
    pub fn probe(&self) -> &Probe {
        &self.0.probe
    }

    /// How many members a write computes again before it answers; with more it answers 202 at once.
    pub fn inline_members_max(&self) -> i64 {
        self.0.inline_members_max
    }

    /// Looks at a site, on one snapshot.
    pub fn look<T>(
        &self,
        site_id: &str,
        work: impl FnOnce(&mut Conn, &Bench) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.flow().on_snapshot(site_id, work)
    }

    /// Changes a site, under its lock; a problem leaves nothing of it.
    pub fn change<T>(
        &self,
        site_id: &str,
        work: impl FnOnce(&mut Conn, &mut Bench) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.flow().under_lock(site_id, work)
    }

    /// Runs a use case that blocks, away from the threads that serve requests.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        match web::block(move || work(&app)).await {
            Ok(done) => done,
            // The use case panicked, or the server is stopping: nothing of it was committed.
            Err(_) => Err(Problem::internal()),
        }
    }
}

/// A running program.
pub struct Running {
    /// The parts, for tests and commands inside the process.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    /// What the first start made; `None` on every later one.
    pub first: Option<first_start::Made>,
    server: Server,
    threads: Vec<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

/// What a program is started with besides its settings.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The clock; the machine's, unless a test sets one.
    pub clock: Clock,
    /// Whether nothing is applied by itself: a test drains when it wants to.
    pub idle_flow: bool,
}

/// Opens the store, brings it up to date, and puts a flow on it.
pub fn open(settings: &Settings, clock: Clock) -> anyhow::Result<Arc<Flow>> {
    let sealer = first_start::sealer(settings)?;
    let url = settings.database.url.expose_secret();
    let store = Store::open(url, settings.database.connections_max)?
        .with_lease(settings.database.lease_seconds);
    for migration in store.migrate()? {
        tracing::info!(migration, "the database was brought up to date");
    }
    let limits = flow::Limits {
        batch_webhooks_max: settings.flow.batch_webhooks_max,
        batch_timers_max: settings.flow.batch_timers_max,
        batch_purchases_max: settings.flow.batch_purchases_max,
        poll_ms: settings.flow.poll_ms,
    };
    Ok(Arc::new(Flow::new(store, clock, sealer, limits)))
}

/// Starts everything; answers when it listens.
pub fn start(settings: &Settings, options: &Options) -> anyhow::Result<Running> {
    let flow = open(settings, options.clock.clone())?;
    // Before anything is made that is shown only once: a first start often meets a port in use.
    let listener = TcpListener::bind(settings.server.bind).map_err(|error| {
        anyhow::anyhow!("cannot listen on {}: {error}; set server.bind", settings.server.bind)
    })?;
    let address = listener.local_addr()?;
    let first = first_start::make(&flow, settings)?;
    let limits = intake::Limits {
        queue_rows_max: settings.intake.queue_rows_max,
        batch_rows_max: settings.intake.batch_rows_max,
        batch_bytes_max: settings.intake.batch_bytes_max,
        body_seconds_max: settings.intake.body_seconds_max,
    };
    let (intake, committer) = Intake::start(&flow, limits)?;
    let key = settings.admin.key.as_ref();
    let app = App(Arc::new(Parts {
        flow: Arc::clone(&flow),
        intake,
        base_url: settings.server.base_url(address),
        admin_key_hash: key.map(|key| secrets::hash(key.expose_secret())),
        remembered_keys: Remembered::default(),
        probe: Probe::default(),
        inline_members_max: i64::from(settings.flow.inline_members_max),
    }));
    let stopping = Arc::new(AtomicBool::new(false));
    let mut threads = vec![committer];
    let workers = if options.idle_flow { 0 } else { or_cores(settings.flow.workers) };
    for number in 0..workers {
        let (flow, stop) = (Arc::clone(&flow), Arc::clone(&stopping));
        let run = move || flow.run(&|| stop.load(Ordering::SeqCst));
        threads.push(std::thread::Builder::new().name(format!("flow-{number}")).spawn(run)?);
    }
    let server = serve(app.clone(), listener, settings)?;
    Ok(Running { app, address, first, server, threads, stopping })
}

fn serve(app: App, listener: TcpListener, settings: &Settings) -> anyhow::Result<Server> {
    let data = web::Data::new(app);
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(data.clone())
            .wrap_fn(|mut request, service| {
                // What a GET answers, a HEAD answers without its body, which is left out on the wire.
                if request.method() == Method::HEAD {
                    request.head_mut().method = Method::GET;
                }
                let refused = nul_fault(request.path(), request.query_string());
                let began = std::time::Instant::now();
                let answer = refused.map_or_else(|| Ok(service.call(request)), Err);
                async move {
                    let answer = answer?.await?;
                    note(&answer, began.elapsed());
                    Ok(answer)
                }
            })
            .service(resource("/", "GET, HEAD").get(welcome))
            .service(resource("/livez", "GET, HEAD").get(health::livez))
            .service(resource("/readyz", "GET, HEAD").get(health::readyz))
            .service(
                resource("/hooks/kartra/{token}", "GET, HEAD, POST")
                    .get(intake::greet)
                    .post(intake::receive),
            )
            .configure(api::routes)
            .default_service(web::route().to(no_such_page))
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

/// As many as were asked for; one for each core where 0 were.
fn or_cores(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        asked => asked,
    }
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

/// One line a request, by its route: the path itself may hold a token or an address.
fn note(answer: &ServiceResponse, took: Duration) {
    let request = answer.request();
    let route = request.match_pattern().unwrap_or_default();
    let status = answer.status().as_u16();
    let micros = took.as_micros();
    tracing::debug!(method = %request.method(), route, status, micros, "answered");
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

/// Somebody opened the address in a browser.
async fn welcome() -> &'static str {
    "Latchkey runs. Its API is under /api/v1; the README shows the first minute.\n"
}

async fn no_such_page() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found("page"))
}

impl Running {
    /// Serves until `stop` resolves; then what is in flight is finished, committed and answered.
    pub async fn until(self, stop: impl Future<Output = ()>) -> std::io::Result<()> {
        let handle = self.server.handle();
        let serving = actix_web::rt::spawn(self.server);
        stop.await;
        tracing::info!("stopping: what is in flight is finished first");
        handle.stop(true).await;
        serving.await.map_err(std::io::Error::other)??;
        self.stopping.store(true, Ordering::SeqCst);
        self.app.flow().wake();
        // The committer ends with the last handle on the intake's queue.
        drop(self.app);
        let ended = web::block(|| self.threads.into_iter().for_each(|thread| drop(thread.join())));
        ended.await.map_err(std::io::Error::other)
    }
}
