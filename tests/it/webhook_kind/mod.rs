//! The signed webhook as a destination: what arrives at a receiver, and what its answers come to.

mod answers;
mod pace;
mod signed;
mod written;

use crate::alarms::receiver::Receiver;
use latchkey::destinations::{
    Caller, Config, Failure, Finding, Message, Messages, Pace, Remote, Wrong, kind,
};
use latchkey::egress::Egress;
use serde_json::{Value, json};
use std::future::Future;
use tokio::runtime::{Builder, Runtime};

/// The secret of the published vector of Standard Webhooks.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A client to which only 127.0.0.1 of this machine is public.
fn egress() -> Egress {
    Egress::new(&["127.0.0.1/32".parse().expect("a network")])
}

/// Opens the kind with a config.
fn open(config: &Value) -> Result<Remote, Wrong> {
    open_through(egress(), config)
}

/// The same, with another client.
fn open_through(egress: Egress, config: &Value) -> Result<Remote, Wrong> {
    let config: Config = config.as_object().expect("an object").clone();
    let pace = Pace { calls_per_second: 10_000, concurrency: 1 };
    (kind("webhook").expect("a kind").open)(&config, Caller::new(egress, pace))
}

/// The message of the published vector.
fn message() -> Message {
    Message {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
        timestamp: 1_614_265_330,
        body: r#"{"test": 2432232314}"#.to_owned(),
    }
}

/// A receiver, and what tells it.
struct Told {
    receiver: Receiver,
    messages: Box<dyn Messages>,
    runtime: Runtime,
}

impl Told {
    /// One that is told of everything.
    fn start() -> Self {
        Self::with(&json!({}))
    }

    /// One with more in its config.
    fn with(more: &Value) -> Self {
        let receiver = Receiver::start();
        let mut config = json!({ "url": receiver.url("/in?a=b"), "secret": SECRET });
        config.as_object_mut().unwrap().extend(more.as_object().expect("an object").clone());
        let remote = open(&config).expect("opened");
        let Remote::Messages(messages) = remote else { panic!("{remote:?}") };
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { receiver, messages, runtime }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn tell(&self, message: &Message) -> Result<(), Failure> {
        self.run(self.messages.tell(message))
    }

    fn test(&self) -> Vec<Finding> {
        self.run(self.messages.test(&message()))
    }
}
