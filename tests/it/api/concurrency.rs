//! Many webhooks at once: they are committed in groups, and each is answered for itself.

use super::bodies::sale;
use super::{gold, next_good_webhook_is_applied, raw};
use crate::on_both_databases;
use crate::support::Reply;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Requests under way.
pub struct UnderWay {
    answers: Receiver<Reply>,
    early: Vec<Reply>,
    sender: JoinHandle<()>,
}

impl UnderWay {
    /// Every answer, once all have come.
    pub fn finish(self) -> Vec<Reply> {
        let answers = self.early.into_iter().chain(self.answers.iter()).collect();
        self.sender.join().expect("all sent");
        answers
    }
}

/// Posts all bodies at once, each on a connection of its own; returns when `early` of them are
/// answered. It takes the address rather than the application, for use while the store is held.
pub fn all_at_once(address: &str, path: &str, bodies: &[String], early: usize) -> UnderWay {
    let url = format!("http://{address}{path}");
    let bodies = bodies.to_vec();
    let (tell, answers) = channel();
    let sender = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let mut posts = tokio::task::JoinSet::new();
            for body in bodies {
                let post = client.post(&url).body(body);
                posts.spawn(async { Reply::read(post.send().await.expect("an answer")).await });
            }
            while let Some(reply) = posts.join_next().await {
                tell.send(reply.expect("an answer")).expect("told");
            }
        });
    });
    let minute = Duration::from_mins(1);
    let early =
        (0..early).map(|_| answers.recv_timeout(minute).expect("an early answer")).collect();
    UnderWay { answers, early, sender }
}

on_both_databases! {
    fn many_webhooks_at_once_are_all_stored_and_applied(app: &TestApp) {
        gold(app);
        let bodies: Vec<String> = (1..=200).map(|n| sale(n, &format!("m{n}@x.example")).json()).collect();
        let answers = all_at_once(&raw::address(app), &app.hook(), &bodies, 0).finish();
        let ids: BTreeSet<String> = answers
            .iter()
            .map(|reply| {
                assert_eq!((reply.status, &reply.json["reading"]), (200, &"sale".into()), "{reply:?}");
                reply.json["webhook_id"].as_str().expect("an id").to_owned()
            })
            .collect();
        let stored: BTreeSet<String> =
            app.webhooks().iter().map(|w| w["id"].as_str().expect("an id").to_owned()).collect();
        assert_eq!((ids.len(), &ids), (200, &stored));
        app.drain();
        for number in [1, 77, 200] {
            assert_eq!(app.levels_of(&format!("m{number}@x.example")), ["gold"]);
        }
        let positions: Vec<i64> = app.changes().iter().map(|c| c["id"].as_i64().expect("a position")).collect();
        assert_eq!(positions, (1..=200).collect::<Vec<i64>>(), "the feed has no gaps");
        next_good_webhook_is_applied(app);
    }
}
