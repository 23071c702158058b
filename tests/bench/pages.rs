//! The pages of the console: the same pages of a small site and of the grown one take turns.

use super::grown::Grown;
use super::kartra::{PRODUCT, email, replaced};
use super::report::{Table, Target};
use super::server::{KEY, Server};
use super::{Arguments, database::Database};
use anyhow::{Context, ensure};
use reqwest::header::{COOKIE, SET_COOKIE};
use std::fmt::Write;
use std::process::Command;
use std::time::Instant;
use tokio::runtime::Runtime;

/// Members, products and webhooks of a small site …
const TEN: usize = 10;
/// … and of one that fills a page of each, so that as many rows are shown as at the grown site.
const FULL_PAGE: usize = 60;
/// Products of the grown site besides the one that everybody has bought, each sold once.
const PRODUCTS: usize = 10_000;
/// How many of them nobody has decided about.
const UNMAPPED: usize = 20;
/// The id of the first of them.
const FIRST_PRODUCT: usize = 7_000_001;
/// How often each page is opened at each site.
const TIMES: u32 = 31;
/// The most that a page of the grown site may take, of what a full one takes at a small site.
const SLOWER_MAX: Option<f64> = Some(1.5);
/// A part of a name or of an address is looked for in so many of them at most, and by no index.
const LOOKED_THROUGH: Option<f64> = None;

/// The pages of the site, as somebody who looks around opens them.
const PAGES: [(&str, &str, Option<f64>); 18] = [
    ("home", "", SLOWER_MAX),
    ("setup", "/setup", SLOWER_MAX),
    ("products", "/products", SLOWER_MAX),
    ("products, mapped", "/products?status=mapped", SLOWER_MAX),
    ("products, a part of a name", "/products?q=kitchen", LOOKED_THROUGH),
    ("products, what everybody has bought", "/products?q=PRODUCT", SLOWER_MAX),
    ("members", "/members", SLOWER_MAX),
    ("members, a whole address", "/members?q=MEMBER", SLOWER_MAX),
    ("members, a part of an address", "/members?q=member-7", LOOKED_THROUGH),
    ("members of a level", "/members?level=gold", SLOWER_MAX),
    ("a member", "/members/MEMBER", SLOWER_MAX),
    ("activity", "/activity", SLOWER_MAX),
    ("activity, failed", "/activity?status=failed", SLOWER_MAX),
    ("activity of an address", "/activity?q=MEMBER", SLOWER_MAX),
    ("a webhook", "WEBHOOK", SLOWER_MAX),
    ("destinations", "/destinations", SLOWER_MAX),
    ("settings", "/settings", SLOWER_MAX),
    ("all sites", "ALL", SLOWER_MAX),
];

/// Somebody who is signed in.
struct Reader {
    base: String,
    cookie: String,
    client: reqwest::Client,
    runtime: Runtime,
}

/// Gives the grown site its products, and opens every page of it and of two small sites.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    grown: &Grown<'_>,
    table: &mut Table,
) -> anyhow::Result<()> {
    let small = |size: usize| {
        let small = Grown::start(arguments, database)?;
        sold_each_once(&small, size, size / 2)?;
        anyhow::Ok(small)
    };
    let (ten, full) = (small(TEN)?, small(FULL_PAGE)?);
    sold_each_once(grown, PRODUCTS, UNMAPPED)?;
    let sites = [&ten, &full, grown];
    let readers = sites.map(|site| Reader::sign_in(&site.server));
    let readers: Vec<Reader> = readers.into_iter().collect::<anyhow::Result<_>>()?;
    for (name, page, target) in PAGES {
        let paths: Vec<String> =
            readers.iter().map(|reader| reader.path(page)).collect::<anyhow::Result<_>>()?;
        let mut took = [const { Vec::new() }; 3];
        for _ in 0..TIMES {
            for ((reader, path), took) in readers.iter().zip(&paths).zip(&mut took) {
                let began = Instant::now();
                reader.text(path)?;
                took.push(began.elapsed().as_secs_f64());
            }
        }
        let [ten, full, many] = took.map(median);
        table.note(format!("page: {name}"), many * 1_000.0, "ms");
        let to_full = "… to the same page of a site that only fills it";
        match target {
            Some(most) => table.ratio(to_full, many / full, Target::AtMost(most)),
            None => table.compared(to_full, many / full),
        }
        table.compared("… to the same page of a site with ten of each", many / ten);
    }
    Ok(())
}

/// Sells so many products once each, after all but some of them have been mapped.
fn sold_each_once(grown: &Grown<'_>, products: usize, unmapped: usize) -> anyhow::Result<()> {
    let rules = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        let command = grown.server.as_its_own(&mut command, &grown.fresh.url);
        let ran = command.arg("mappings").args(arguments).output()?;
        ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        anyhow::Ok(String::from_utf8(ran.stdout)?)
    };
    let mut text = rules(&["export"])?;
    for product in FIRST_PRODUCT..FIRST_PRODUCT + products - unmapped {
        write!(text, "\n[[mappings]]\nproduct_id = \"{product}\"\nlevel = \"gold\"\n")?;
    }
    let file = format!("{}/rules.toml", grown.directory()?);
    std::fs::write(&file, text)?;
    rules(&["apply", &file])?;
    grown.told(products, |number| {
        replaced(grown.webhooks.next(), PRODUCT, &(FIRST_PRODUCT + number).to_string())
    })?;
    grown.fresh.look()
}

impl Reader {
    fn sign_in(server: &Server) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let nowhere = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(nowhere).build()?;
        let base = format!("http://{}", server.address);
        let cookie = runtime.block_on(async {
            let form = client.get(format!("{base}/sign-in")).send().await?.error_for_status()?;
            let cookie = cookie_of(&form)?;
            let page = form.text().await?;
            let (_, token) = page.split_once("name=\"csrf\" value=\"").context("a token")?;
            let (token, _) = token.split_once('"').context("a token")?;
            let signed_in = client
                .post(format!("{base}/sign-in"))
                .header(COOKIE, cookie)
                .header("sec-fetch-site", "same-origin")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("csrf={token}&key={KEY}"));
            cookie_of(&signed_in.send().await?)
        })?;
        Ok(Self { base, cookie, client, runtime })
    }

    /// A page, which has to be there.
    fn text(&self, path: &str) -> anyhow::Result<String> {
        let request = self.client.get(format!("{}{path}", self.base)).header(COOKIE, &self.cookie);
        self.runtime.block_on(async {
            let page = request.send().await?;
            ensure!(page.status() == 200, "{path}: {}", page.status());
            Ok(page.text().await?)
        })
    }

    /// The path of one of [`PAGES`] at this site.
    fn path(&self, page: &str) -> anyhow::Result<String> {
        const SITE: &str = "/sites/default";
        Ok(match page {
            "ALL" => "/sites".to_owned(),
            "WEBHOOK" => {
                let list = self.text(&format!("{SITE}/activity"))?;
                let begins = format!("{SITE}/activity/");
                let links = list.split("href=\"").filter(|link| link.starts_with(&begins));
                let link = links.map(|link| link.split('"').next().unwrap_or_default()).next();
                link.context("a webhook in the list")?.to_owned()
            }
            page => {
                format!("{SITE}{}", page.replace("MEMBER", &email(5)).replace("PRODUCT", PRODUCT))
            }
        })
    }
}

/// The session that an answer sets.
fn cookie_of(answer: &reqwest::Response) -> anyhow::Result<String> {
    let set = answer.headers().get(SET_COOKIE).context("a cookie")?.to_str()?;
    Ok(set.split(';').next().unwrap_or_default().to_owned())
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
