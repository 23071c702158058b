//! A small site to try the browser on, with the policy that Latchkey's own pages have.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::sync::mpsc;

/// What every page of the site allows.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'";

/// Starts the site, for as long as the process lives; answers its address.
pub fn site() -> String {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let app = || App::new().default_service(web::to(answer));
            let server = HttpServer::new(app).workers(1).disable_signals();
            let server = server.bind(("127.0.0.1", 0)).expect("a port");
            tell.send(server.addrs()[0]).expect("told");
            server.run().await.expect("served");
        });
    });
    format!("http://{}", told.recv().expect("running"))
}

async fn answer(request: HttpRequest, body: String) -> HttpResponse {
    let of_form = || form_urlencoded::parse(body.as_bytes()).into_owned();
    let (html, script) = ("text/html; charset=utf-8", "text/javascript; charset=utf-8");
    let (kind, text) = match request.path() {
        "/form" => (html, page("Form", FORM)),
        "/heard" => {
            let heard = of_form().map(|(name, value)| format!("<p>{name}={value}</p>"));
            (html, page("Heard", &heard.collect::<Vec<_>>().concat()))
        }
        "/faulty" => (html, page("Faulty", "<img src=\"/icon.svg\">")),
        "/pale" => (html, page("Pale", "<p class=\"pale\">Some words</p>")),
        "/wide" => (html, page("Wide", "<svg width=\"1000\" height=\"2000\"></svg>")),
        "/scripted" => {
            let body = "<p id=\"state\">as it came</p><script src=\"/late.js\"></script>";
            (html, page("Scripted", body))
        }
        "/alert" => {
            let body = "<script src=\"/alert.js\"></script><p>After it</p>\
                        <button type=\"button\" id=\"again\">Once more</button>";
            (html, page("Alert", body))
        }
        "/forbidden" => {
            let body = "<script>document.title = 'ran';</script><p>Quiet</p>";
            (html, page("Forbidden", body))
        }
        "/broken" => {
            let body = "<script src=\"/broken.js\"></script><p>Broken</p>";
            (html, page("Broken", body))
        }
        "/lacking" => {
            let body = "<link rel=\"stylesheet\" href=\"/nowhere.css\"><p>Lacking</p>";
            (html, page("Lacking", body))
        }
        "/refused" => {
            let page = page("Refused", "<p>Mend this</p>");
            return HttpResponse::UnprocessableEntity().content_type("text/html").body(page);
        }
        "/hour" => (html, page("Hour", "<p id=\"state\"></p><script src=\"/hour.js\"></script>")),
        "/hour.js" => {
            (script, "state.textContent = `begins at ${new Date(0).getHours()} h`;".into())
        }
        // What is seen only if it is waited for.
        "/late.js" => {
            (script, "setTimeout(() => state.textContent = 'as the script has it', 300);".into())
        }
        "/alert.js" => (script, "alert('first'); onclick = () => alert('second');".into()),
        "/broken.js" => (script, "nothing.at.all();".into()),
        "/style.css" => ("text/css", STYLE.into()),
        "/icon.svg" => ("image/svg+xml", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>".into()),
        _ => return HttpResponse::NotFound().finish(),
    };
    HttpResponse::Ok()
        .insert_header(("Content-Security-Policy", POLICY))
        .content_type(kind)
        .body(text)
}

/// A page without a fault, around what is given.
fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <link rel=\"icon\" href=\"/icon.svg\"><link rel=\"stylesheet\" href=\"/style.css\"></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>"
    )
}

const STYLE: &str = "body { background: white; color: black; }
    .pale { color: #555; }
    @media (prefers-color-scheme: dark) { body { background: black; color: white; } }";

const FORM: &str = "<form method=\"post\" action=\"/heard\">
    <p><label for=\"email\">E-mail</label> <input id=\"email\" name=\"email\" value=\"old\" aria-describedby=\"hint\">
       <span id=\"hint\">As Kartra  knows it</span></p>
    <p><label>Level <select name=\"level\"><option value=\"s\">Silver</option><option value=\"g\">Gold</option></select></label></p>
    <p><label><input type=\"checkbox\" name=\"forever\" value=\"yes\"> For ever</label></p>
    <p><button name=\"do\" value=\"save\">Save <b>mappings</b></button>
       <button name=\"do\" value=\"hidden\" hidden>Save mappings</button></p>
    <ul><li>Gold <button name=\"do\" value=\"drop-gold\">Drop</button></li>
        <li>Silver <button name=\"do\" value=\"drop-silver\">Drop</button></li></ul>
    <p><a href=\"/wide?from=form\" aria-label=\"Elsewhere: a wide page\">Elsewhere</a></p></form>";
