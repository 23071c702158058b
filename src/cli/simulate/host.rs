//! The host that is simulated against: a client that speaks to it and to no other.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use anyhow::Context;
use reqwest::{Client, Url};

use super::send;

/// What stands before the token in a webhook URL.
const HOOKS: &str = "/hooks/kartra/";

/// A client that speaks to this host only; or why it must not be spoken to.
pub async fn client(to: &Url, even_if_public: bool) -> anyhow::Result<Result<Client, String>> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(send::ANSWER_WITHIN)
        // Well before a server closes a silent connection: what is sent into its closing is lost.
        .pool_idle_timeout(send::CONNECTION_IDLE_MAX)
        .user_agent(concat!("latchkey-simulate/", env!("CARGO_PKG_VERSION")));
    if even_if_public {
        return Ok(Ok(builder.build()?));
    }
    let host = to.host_str().unwrap_or_default().to_owned();
    let addresses = addresses(to).await?;
    if let Some(public) = addresses.iter().find(|a| !is_near(a.ip())) {
        let ip = public.ip().to_string();
        let named = if host == ip { ip } else { format!("{host} ({ip})") };
        return Ok(Err(format!(
            "{named} is a public host, and a simulation fills it with invented members; if you mean it, say --yes"
        )));
    }
    // What was judged is what is spoken to, whatever the name resolves to the next time.
    Ok(Ok(builder.resolve_to_addrs(&host, &addresses).build()?))
}

async fn addresses(url: &Url) -> anyhow::Result<Vec<SocketAddr>> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let name = host.clone();
    let found = tokio::task::spawn_blocking(move || {
        let found = (name.as_str(), port).to_socket_addrs();
        found.map(Iterator::collect::<Vec<_>>)
    });
    let found = found.await?;
    found.with_context(|| format!("cannot find the host {host}; check the address given to --to"))
}

/// Whether an address is this machine's or of a private network.
fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_unspecified()
        }
    }
}

/// A webhook URL as it is given to `--to`.
pub fn webhook_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; give the whole webhook URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("a webhook URL begins with http:// or https://".to_owned());
    }
    Ok(url)
}

/// Where the API is that a webhook URL belongs to, and the URL's token; none for a URL that is not Latchkey's.
pub fn api_and_token(to: &Url) -> Option<(Url, String)> {
    let (base, token) = to.path().rsplit_once(HOOKS)?;
    let mut api = to.clone();
    api.set_path(&format!("{base}/api/v1/"));
    api.set_query(None);
    api.set_fragment(None);
    let token = token.trim_end_matches('/');
    (!token.is_empty()).then(|| (api, token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_private_networks_are_near() {
        let near = [
            "127.0.0.1",
            "10.1.2.3",
            "172.20.0.2",
            "192.168.1.9",
            "::1",
            "fd00::7",
            "::ffff:127.0.0.1",
        ];
        for ip in near {
            assert!(is_near(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["203.0.113.7", "172.32.0.1", "100.64.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!is_near(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_webhook_url_is_a_web_address() {
        assert!(webhook_url("http://localhost:8080/hooks/kartra/abc").is_ok());
        assert!(webhook_url("localhost:8080/hooks").is_err());
        assert!(webhook_url("/hooks").is_err());
    }

    #[test]
    fn the_api_is_where_the_webhook_url_is() {
        let of = |text: &str| {
            let (api, token) = api_and_token(&webhook_url(text).unwrap())?;
            Some((api.to_string(), token))
        };
        let found = |api: &str| Some((api.to_owned(), "abc".to_owned()));
        assert_eq!(
            of("http://localhost:8080/hooks/kartra/abc"),
            found("http://localhost:8080/api/v1/")
        );
        assert_eq!(
            of("https://example.com/latchkey/hooks/kartra/abc/?from=kartra#top"),
            found("https://example.com/latchkey/api/v1/")
        );
        assert_eq!(of("https://example.com/hooks/kartra/"), None);
        assert_eq!(of("https://example.com/elsewhere"), None);
    }
}
