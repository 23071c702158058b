//! Neither what is logged nor what is posted tells a secret, a URL or a person.

use super::receiver::{Answer, Receiver, status};
use super::{MINUTE, hears_nonsense, on_both, sale, wants, worker};
use chrono::TimeDelta;
use serde_json::json;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// Lines that were logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_that_goes_wrong_tells_a_secret_or_a_person() {
    on_both(|app| {
        let receiver = Receiver::start();
        let shown = wants(
            app,
            &json!({
                "url": receiver.url("/alarms/url-token?key=url-key"),
                "heartbeat_url": "http://127.0.0.9:1/beat-token",
            }),
        );
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_ansi(false);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let watch = |pause| {
                app.clock.set(app.clock.now() + pause);
                worker(app).drain().expect("watched");
            };
            watch(MINUTE);
            app.receives(sale(1).body());
            app.drain();
            hears_nonsense(app);
            receiver.answers([status(500), Answer::Never, status(410)]);
            watch(MINUTE);
            watch(TimeDelta::seconds(6));
            watch(TimeDelta::days(2));
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).expect("a text");
        assert!(lines.contains("an alarm was raised"), "{lines}");
        assert!(lines.contains("an alarm was not taken"), "{lines}");
        assert!(lines.contains("a heartbeat was not taken"), "{lines}");
        let heard =
            format!("{:?}", receiver.heard().iter().map(|heard| &heard.body).collect::<Vec<_>>());
        assert!(heard.contains("held_purchases"), "{heard}");
        let secret = shown["secret"].as_str().expect("a secret");
        for word in
            ["url-token", "url-key", "beat-token", secret, "example.com", "buyer", "@", "127.0.0."]
        {
            assert!(!lines.contains(word), "{word} in {lines}");
            assert!(!heard.contains(word), "{word} in {heard}");
        }
    });
}
