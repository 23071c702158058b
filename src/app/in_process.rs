//! The API, called inside the process: its own routes, without a socket, for whoever is signed in to the console.
//!
//! So a page can do nothing that a script could not, and what a key may do is checked in one place.

use super::{App, http};
use crate::api;
use crate::web::auth::Caller;
use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, Payload, Service, ServiceFactory, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

type Routes = Box<dyn Fn(Request) -> LocalBoxFuture<'static, Result<ServiceResponse, Error>>>;

/// The routes of the API, for the thread that made it.
pub struct InProcess(Routes);

impl InProcess {
    /// Puts the routes together.
    pub(super) async fn start(app: web::Data<App>) -> Result<Self, ()> {
        let routes = actix_web::App::new()
            .app_data(app)
            .configure(api::routes)
            .default_service(web::route().to(http::no_such_page));
        let factory = IntoServiceFactory::<_, Request>::into_factory(routes);
        let service = factory.new_service(AppConfig::default()).await?;
        Ok(Self(Box::new(move |request| Box::pin(service.call(request)))))
    }

    /// Calls a route for somebody; `uri` is its path below the root, with its query.
    pub async fn call(
        &self,
        caller: Arc<Caller>,
        method: Method,
        uri: Uri,
        if_match: Option<HeaderValue>,
        body: Vec<u8>,
    ) -> HttpResponse<BoxBody> {
        let mut request = Request::with_payload(Payload::from(body));
        let head = request.head_mut();
        head.method = method;
        head.uri = uri;
        if let Some(if_match) = if_match {
            head.headers.insert(header::IF_MATCH, if_match);
        }
        request.extensions_mut().insert(caller);
        match (self.0)(request).await {
            Ok(answer) => answer.into_parts().1,
            Err(error) => HttpResponse::from_error(error),
        }
    }
}
