//! Webhook bodies in every way that HTTP may bring them.

use super::bodies::sale;
use super::{applied, gold, next_good_webhook_is_applied, problem, raw, with_settings};
use crate::on_both_databases;
use crate::support::TestApp;
use serde_json::json;

const MIB: usize = 1024 * 1024;
const CHUNK: usize = 64 * 1024;

/// The head of a POST to the hook, with some headers more.
fn head(app: &TestApp, more: &str) -> Vec<u8> {
    let hook = app.hook();
    format!("POST {hook} HTTP/1.1\r\nHost: latchkey\r\nConnection: close\r\n{more}\r\n")
        .into_bytes()
}

/// A good body of this many bytes, in chunks.
fn chunked(bytes: usize) -> Vec<Vec<u8>> {
    let mut body = sale(1001, "dana@x.example").json().into_bytes();
    body.resize(bytes, b' ');
    let chunk =
        |chunk: &[u8]| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
    let mut chunks: Vec<Vec<u8>> = body.chunks(CHUNK).map(chunk).collect();
    chunks.push(b"0\r\n\r\n".to_vec());
    chunks
}

fn post(app: &TestApp, more: &str, pieces: &[Vec<u8>]) -> raw::Answer {
    let head = head(app, more);
    raw::send(app, std::iter::once(head.as_slice()).chain(pieces.iter().map(Vec::as_slice)))
}

on_both_databases! {
    fn a_chunked_body_counts_by_what_it_holds(app: &TestApp) {
        gold(app);
        let small = post(app, "Transfer-Encoding: chunked\r\n", &chunked(2_000));
        assert_eq!((small.status, &small.json["reading"]), (200, &json!("sale")), "{small:?}");
        let whole = post(app, "Transfer-Encoding: chunked\r\n", &chunked(MIB));
        assert_eq!((whole.status, &whole.json["reading"]), (200, &json!("sale")), "{whole:?}");
        let over = post(app, "Transfer-Encoding: chunked\r\n", &chunked(MIB + 1));
        assert_eq!((over.status, &over.json["type"]), (413, &json!("/problems/too-large")), "{over:?}");
        assert_eq!(app.webhooks().len(), 2);
        next_good_webhook_is_applied(app);
    }

    fn a_length_that_is_too_large_is_413_before_the_body_comes(app: &TestApp) {
        gold(app);
        for length in [MIB + 1, 100 * MIB, usize::MAX / 2] {
            let over = post(app, &format!("Content-Length: {length}\r\n"), &[]);
            assert_eq!((over.status, &over.json["type"]), (413, &json!("/problems/too-large")), "{over:?}");
        }
        next_good_webhook_is_applied(app);
    }

    fn a_body_that_is_far_too_large_is_413_for_who_sends_all_of_it_first(app: &TestApp) {
        gold(app);
        for bytes in [MIB + 1, 2 * MIB, 8 * MIB] {
            problem(&app.receives(vec![b' '; bytes]), 413, "too-large");
        }
        assert_eq!(app.webhooks().len(), 0);
        next_good_webhook_is_applied(app);
    }

    fn a_body_in_many_small_pieces_is_one_webhook(app: &TestApp) {
        gold(app);
        let body = sale(1001, "dana@x.example").json().into_bytes();
        let pieces: Vec<Vec<u8>> = body.chunks(7).map(<[u8]>::to_vec).collect();
        let answer = post(app, &format!("Content-Length: {}\r\n", body.len()), &pieces);
        assert_eq!((answer.status, &answer.json["reading"]), (200, &json!("sale")), "{answer:?}");
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
    }

    fn a_compressed_body_is_stored_as_it_came(app: &TestApp) {
        gold(app);
        let answer = post(app, "Content-Encoding: gzip\r\nContent-Length: 4\r\n", &[b"\x1f\x8b=\x00".to_vec()]);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.json["reading"].as_str().expect("a reading").starts_with("unreadable: "));
        next_good_webhook_is_applied(app);
    }

    fn who_hangs_up_in_the_middle_leaves_nothing(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        let head = head(app, "Content-Length: 1000\r\n");
        let mut stream = std::net::TcpStream::connect(raw::address(app)).expect("connected");
        std::io::Write::write_all(&mut stream, &head).expect("sent");
        std::io::Write::write_all(&mut stream, b"{\"action\":").expect("sent");
        drop(stream);
        next_good_webhook_is_applied(app);
        assert_eq!(app.webhooks().len(), 2, "half a webhook is none");
    }

    fn what_is_no_http_is_answered_400_and_harms_nothing(app: &TestApp) {
        gold(app);
        for bytes in [&b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n"[..], b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
            let answer = raw::send(app, [bytes]);
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        let twice = post(app, "Content-Length: 2\r\nContent-Length: 3\r\n", &[b"{}".to_vec()]);
        assert_eq!(twice.status, 400, "{twice:?}");
        let endless = format!("GET /{} HTTP/1.1\r\nHost: latchkey\r\n\r\n", "x".repeat(1_000_000));
        let refused = raw::send(app, [endless.as_bytes()]);
        assert!((400..500).contains(&refused.status), "{refused:?}");
        let both = post(app, "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", &chunked(10));
        assert!(both.status < 500, "{both:?}");
        next_good_webhook_is_applied(app);
    }
}

#[test]
fn a_body_that_does_not_come_to_its_end_in_time_is_408_and_counted() {
    with_settings(&[("intake.body_seconds_max", "1")], |app| {
        gold(app);
        let head = head(app, "Content-Length: 1000\r\n");
        let answer = raw::send(app, [head.as_slice(), b"{\"action\":"]);
        assert_eq!((answer.status, &answer.json["type"]), (408, &json!("/problems/too-slow")));
        let counted = "latchkey_webhooks_refused_total{reason=\"incomplete\"} 1\n";
        assert!(app.get("/metrics").text.contains(counted));
        assert_eq!(app.webhooks().len(), 0, "half a webhook is none");
        next_good_webhook_is_applied(app);
    });
}
