//! Whoever takes pushes: it answers 200 to everything, or hangs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A sink, on a thread of its own for as long as the benchmark runs.
pub struct Sink {
    address: String,
    hangs: Arc<AtomicBool>,
}

impl Sink {
    /// Listens.
    pub fn start() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?.to_string();
        let hangs = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&hangs);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&told)));
                }
            });
        });
        Ok(Self { address, hangs })
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// It answers nothing more from now on.
    pub fn hangs(&self) {
        self.hangs.store(true, Ordering::Relaxed);
    }

    /// Whether it answers nothing.
    pub fn is_hanging(&self) -> bool {
        self.hangs.load(Ordering::Relaxed)
    }
}

/// Answers one request after the other, until the connection ends.
async fn serve(stream: TcpStream, hangs: Arc<AtomicBool>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(said) = header.strip_prefix("content-length:") {
                length = said.trim().parse().unwrap_or_default();
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).await?;
        if hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        stream.get_mut().write_all(OK).await?;
    }
}
