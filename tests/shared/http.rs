//! One connection that sends requests and reads answers, as cheaply as can be: it shares the machine with the
//! server that it measures.

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What ends the head of an answer.
const HEAD_ENDS: &[u8] = b"\r\n\r\n";

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(4096) })
    }

    /// Sends a request as it is; the answer has to be 200, or 304 without a body.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let body_at = loop {
            self.more().await?;
            if let Some(at) = self.read.windows(HEAD_ENDS.len()).position(|end| end == HEAD_ENDS) {
                break at + HEAD_ENDS.len();
            }
        };
        let head = String::from_utf8_lossy(&self.read[..body_at]).to_ascii_lowercase();
        if head.starts_with("http/1.1 304") {
            return Ok(());
        }
        ensure!(head.starts_with("http/1.1 200"), "not answered 200: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("no length")?.trim().parse()?;
        while self.read.len() < body_at + length {
            self.more().await?;
        }
        Ok(())
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.read).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

/// A POST with a body.
pub fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: latchkey\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A GET with a key, by somebody who knows an answer already where `more` says so.
pub fn get(path: &str, key: &str, more: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: latchkey\r\nAuthorization: Bearer {key}\r\n{more}\r\n")
        .into_bytes()
}
