//! What a WordPress is reached by: PHP's own web server, on a port of loopback.

use super::php;
use crate::support::daemon::until;
use crate::support::supervised::Supervised;
use latchkey::secrets::random;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many requests a front works on at once.
const WORKERS: &str = "4";
/// How many ports are tried.
const PORTS_TRIED_MAX: u32 = 5;
/// The ports that are tried, below those that the system hands out by itself: the first, and how many.
const PORTS: (u16, u16) = (20_000, 12_000);

/// One way to reach a WordPress, which can be taken down and brought back.
pub struct Front {
    directory: PathBuf,
    port: u16,
    path: String,
    more: Vec<(&'static str, &'static str)>,
    running: Option<Supervised>,
}

impl Front {
    /// Starts one, on a port that nobody has. `path` is what the site is under, such as `/club`, and may be
    /// empty; `more` stands in its environment besides.
    pub(super) fn start(
        directory: &Path,
        path: &str,
        more: &[(&'static str, &'static str)],
    ) -> Self {
        let (directory, path, more) = (directory.to_owned(), path.to_owned(), more.to_vec());
        let mut front = Self { directory, port: 0, path, more, running: None };
        for _ in 0..PORTS_TRIED_MAX {
            front.port = free_port();
            if front.comes_up() {
                return front;
            }
        }
        panic!("no front came up; see {}", front.directory.join("front.log").display());
    }

    /// The address of the site by this front.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.path)
    }

    /// Takes it down: nobody listens any more.
    pub fn down(&mut self) {
        self.running = None;
        // Who was killed is gone a little later.
        until("an end", || TcpStream::connect(("127.0.0.1", self.port)).is_err().then_some(()));
    }

    /// Brings it back, where it was.
    pub fn back(&mut self) {
        assert!(self.comes_up(), "{} does not come back", self.url());
    }

    /// Starts PHP, and waits until something answers; whether that is this front, and no other program.
    fn comes_up(&mut self) -> bool {
        let name = format!("{}-{:x?}", std::process::id(), random::<8>().expect("random bytes"));
        let mut command = php(&self.directory, &self.url());
        // Half a dozen workers share what is compiled; a file that changes is seen at once.
        command.args(["-d", "opcache.enable_cli=1", "-d", "opcache.revalidate_freq=0"]);
        command.args(["-S", &format!("127.0.0.1:{}", self.port), "-t"]);
        command.arg(self.directory.join("site")).arg(self.directory.join("router.php"));
        command.env("PHP_CLI_SERVER_WORKERS", WORKERS).env("WORDPRESS_FRONT", &name);
        command.envs(self.more.iter().copied());
        self.running = Some(Supervised::start(&command, &self.directory.join("front.log"), None));
        until("a front", || name_of_front(self.port)) == name
    }
}

/// What answers on a port when it is asked which front it is; `None` where nobody listens yet.
fn name_of_front(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a deadline");
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /.front HTTP/1.0\r\nHost: x\r\n\r\n");
    let _ = asked.and_then(|()| stream.read_to_string(&mut answer));
    Some(answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned())
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let (first, count) = PORTS;
    until("a free port", || {
        let port = first + u16::from_ne_bytes(random().expect("random bytes")) % count;
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    })
}
