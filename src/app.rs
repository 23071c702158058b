//! The composition root: puts the rooms together, starts what runs, stops it in order.

mod http;
pub mod in_process;

pub use http::resource;

use crate::alarms::Alarms;
use crate::alarms::worker::Worker as AlarmsWorker;
use crate::api::stream;
use crate::clock::Clock;
use crate::core::grant::Core;
use crate::dispatch::Dispatch;
use crate::dispatch::worker::Worker as DispatchWorker;
use crate::egress::Egress;
use crate::first_start;
use crate::flow::settle::Bench;
use crate::flow::{self, Flow};
use crate::intake::{self, Intake};
use crate::metrics::Metrics;
use crate::secrets::{self, Sealer};
use crate::settings::{Settings, Upgrades};
use crate::store::Store;
use crate::store::conn::Conn;
use crate::web::auth::{Remembered, remembered};
use crate::web::client::TrustedProxies;
use crate::web::health::Probe;
use crate::web::metrics::Looked;
use crate::web::problem::Problem;
use crate::web::throttle::Throttle;
use actix_web::dev::Server;
use actix_web::web;
use http::{listen, serve, serve_metrics};
use secrecy::ExposeSecret;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// What every request is served from. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    flow: Arc<Flow>,
    intake: Intake,
    alarms: Alarms,
    dispatch: Dispatch,
    base_url: String,
    admin_key_hash: Option<[u8; 32]>,
    remembered_keys: Remembered,
    trusted_proxies: TrustedProxies,
    sign_ins: Throttle,
    probe: Probe,
    looked: Looked,
    inline_members_max: i64,
    streams: stream::Room,
    heartbeat: Duration,
    stream_looks_every: Duration,
    closing: watch::Sender<bool>,
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

    /// What carries access to the destinations.
    pub fn dispatch(&self) -> &Dispatch {
        &self.0.dispatch
    }

    /// What looks for alarms and tells of them.
    pub fn alarms(&self) -> &Alarms {
        &self.0.alarms
    }

    /// The client of every call that goes out.
    pub fn egress(&self) -> &Egress {
        self.0.alarms.egress()
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

    /// Whether the URLs that are shown are of this machine alone: Kartra cannot reach them.
    pub fn is_loopback(&self) -> bool {
        ["//127.", "//localhost", "//[::1]"].iter().any(|it| self.base_url().contains(it))
    }

    /// The hash of the admin key in the settings; `None` where none is set.
    pub fn admin_key_hash(&self) -> Option<&[u8; 32]> {
        self.0.admin_key_hash.as_ref()
    }

    /// The keys that were looked up lately.
    pub fn remembered_keys(&self) -> &Remembered {
        &self.0.remembered_keys
    }

    /// The proxies that are believed whose request they pass on.
    pub fn trusted_proxies(&self) -> &TrustedProxies {
        &self.0.trusted_proxies
    }

    /// How often somebody may try to sign in.
    pub fn sign_ins(&self) -> &Throttle {
        &self.0.sign_ins
    }

    /// What the latest readiness probe found.
    pub fn probe(&self) -> &Probe {
        &self.0.probe
    }

    /// What is counted and timed.
    pub fn metrics(&self) -> &Metrics {
        self.0.flow.metrics()
    }

    /// What the latest look into the database for `/metrics` found.
    pub fn looked(&self) -> &Looked {
        &self.0.looked
    }

    /// How many members a write computes again before it answers; with more it answers 202 at once.
    pub fn inline_members_max(&self) -> i64 {
        self.0.inline_members_max
    }

    /// The room for streams of feeds.
    pub fn streams(&self) -> &stream::Room {
        &self.0.streams
    }

    /// How long a stream is silent before a line tells that it still lives.
    pub fn heartbeat(&self) -> Duration {
        self.0.heartbeat
    }

    /// How long until a stream looks by itself.
    pub fn stream_looks_every(&self) -> Duration {
        self.0.stream_looks_every
    }

    /// Turns true when the program begins to stop: whoever streams ends.
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.0.closing.subscribe()
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
    /// Where `/metrics` is alone; `None` where it is on the main address.
    pub metrics_address: Option<SocketAddr>,
    /// What the first start made; `None` on every later one.
    pub first: Option<first_start::Made>,
    server: Server,
    metrics_server: Option<Server>,
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
    /// How long until a stream looks by itself; `None` for the usual. A test that says for ever sees
    /// what a stream is told.
    pub stream_looks_every: Option<Duration>,
    /// Another version of the core; `None` for the one that this program is. A test rehearses an upgrade
    /// with one that answers differently. No setting leads here.
    pub core: Option<Core>,
    /// Whether webhooks are answered without being stored: a benchmark measures what is left. No
    /// setting leads here.
    pub discard_webhooks: bool,
}

/// Opens the store, brings it up to date, and puts a flow on it.
pub fn open(settings: &Settings, clock: Clock, core: Core) -> anyhow::Result<Arc<Flow>> {
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
        bodies_kept_days: Some(settings.webhooks.bodies_kept_days).filter(|days| *days > 0),
        feed_kept_days: Some(settings.feed.kept_days).filter(|days| *days > 0),
        apply_upgrades: settings.flow.upgrades == Upgrades::Apply,
    };
    Ok(Arc::new(Flow::new(store, clock, sealer, Metrics::new()?, limits, core)))
}

/// Starts everything; answers when it listens.
pub fn start(settings: &Settings, options: &Options) -> anyhow::Result<Running> {
    let core = options.core.unwrap_or(Core::CURRENT);
    let flow = open(settings, options.clock.clone(), core)?;
    // Before anything is made that is shown only once: a first start often meets a port in use.
    let listener = listen(settings.server.bind, "server.bind")?;
    let address = listener.local_addr()?;
    let bind = settings.metrics.bind;
    let metrics_listener = bind.map(|bind| listen(bind, "metrics.bind")).transpose()?;
    let metrics_address = metrics_listener.as_ref().map(TcpListener::local_addr).transpose()?;
    let first = first_start::make(&flow, settings)?;
    let limits = intake::Limits {
        queue_rows_max: settings.intake.queue_rows_max,
        batch_rows_max: settings.intake.batch_rows_max,
        batch_bytes_max: settings.intake.batch_bytes_max,
        body_seconds_max: settings.intake.body_seconds_max,
        discard: options.discard_webhooks,
    };
    let (intake, committer) = Intake::start(&flow, limits)?;
    let key = settings.admin.key.as_ref();
    let egress = Egress::new(&settings.egress.allow);
    let app = App(Arc::new(Parts {
        flow: Arc::clone(&flow),
        intake,
        alarms: Alarms::new(Arc::clone(&flow), egress.clone()),
        dispatch: Dispatch::new(Arc::clone(&flow), egress),
        base_url: settings.server.base_url(address),
        admin_key_hash: key.map(|key| secrets::hash(key.expose_secret())),
        remembered_keys: remembered(),
        trusted_proxies: TrustedProxies::within(&settings.server.trusted_proxies),
        sign_ins: Throttle::default(),
        probe: Probe::default(),
        looked: Looked::default(),
        inline_members_max: i64::from(settings.flow.inline_members_max),
        streams: Arc::new(Semaphore::new(stream::STREAMS_MAX)),
        heartbeat: Duration::from_secs(settings.feed.heartbeat_seconds),
        stream_looks_every: options.stream_looks_every.unwrap_or(stream::LOOK_EVERY),
        closing: watch::Sender::new(false),
    }));
    let stopping = Arc::new(AtomicBool::new(false));
    let mut threads = vec![committer];
    let workers = match settings.flow.workers {
        _ if options.idle_flow => 0,
        // SQLite has one writer: a second worker would only look for work that the first one does.
        0 if !flow.can_listen() => 1,
        asked => or_cores(asked),
    };
    for number in 0..workers {
        let (flow, stop) = (Arc::clone(&flow), Arc::clone(&stopping));
        let run = move || flow.run(&|| stop.load(Ordering::SeqCst));
        threads.push(std::thread::Builder::new().name(format!("flow-{number}")).spawn(run)?);
    }
    if !options.idle_flow {
        let (flow, stop) = (Arc::clone(&flow), Arc::clone(&stopping));
        let plan = move || flow.run_plans(&|| stop.load(Ordering::SeqCst));
        threads.push(std::thread::Builder::new().name("planner".to_owned()).spawn(plan)?);
        let (worker, closing) = (AlarmsWorker::new(app.alarms().clone())?, app.closing());
        let run = move || worker.run(closing);
        threads.push(std::thread::Builder::new().name("alarms".to_owned()).spawn(run)?);
        let (worker, closing) = (DispatchWorker::new(app.dispatch().clone())?, app.closing());
        let run = move || worker.run(closing);
        threads.push(std::thread::Builder::new().name("dispatch".to_owned()).spawn(run)?);
    }
    let server = serve(app.clone(), listener, settings)?;
    let serve_alone = |listener| serve_metrics(app.clone(), listener);
    let metrics_server = metrics_listener.map(serve_alone).transpose()?;
    if flow.can_listen() {
        let (flow, stop) = (Arc::clone(&flow), Arc::clone(&stopping));
        let listen = move || flow.listen(&|| stop.load(Ordering::SeqCst));
        threads.push(std::thread::Builder::new().name("listener".to_owned()).spawn(listen)?);
    }
    let running =
        Running { app, address, metrics_address, first, server, metrics_server, threads, stopping };
    Ok(running)
}

/// As many as were asked for; one for each core where 0 were.
fn or_cores(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        asked => asked,
    }
}

impl Running {
    /// Serves until `stop` resolves; then requests in flight are finished, committed and answered. Pushes and alarms that
    /// are being sent are cut at once: what is not noted is sent again.
    pub async fn until(self, stop: impl Future<Output = ()>) -> std::io::Result<()> {
        let handle = self.server.handle();
        let serving = actix_web::rt::spawn(self.server);
        let metrics = self.metrics_server.map(|server| {
            let handle = server.handle();
            (handle, actix_web::rt::spawn(server))
        });
        stop.await;
        tracing::info!("stopping: requests in flight are finished first");
        self.app.0.closing.send_replace(true);
        handle.stop(true).await;
        serving.await.map_err(std::io::Error::other)??;
        if let Some((handle, serving)) = metrics {
            handle.stop(true).await;
            serving.await.map_err(std::io::Error::other)??;
        }
        self.stopping.store(true, Ordering::SeqCst);
        self.app.flow().wake();
        // The committer ends with the last handle on the intake's queue.
        drop(self.app);
        let ended = web::block(|| self.threads.into_iter().for_each(|thread| drop(thread.join())));
        ended.await.map_err(std::io::Error::other)
    }
}
