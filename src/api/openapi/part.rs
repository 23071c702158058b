//! What the signature of a handler says about its operation.

use super::operation::Operation;
use crate::app::App;
use crate::web::auth::{Auth, Needs};
use crate::web::extract::{Json, Optional, Query};
use actix_web::{HttpRequest, web};
use schemars::{JsonSchema, SchemaGenerator};

/// One argument of a handler. What is taken out of the path, the path itself says.
pub trait Part {
    /// Writes down what it says.
    fn tell(_: &mut Operation) {}
}

impl Part for web::Data<App> {}
impl Part for HttpRequest {}
impl<T> Part for web::Path<T> {}

impl<N: Needs> Part for Auth<N> {
    fn tell(operation: &mut Operation) {
        operation.scope = Some(N::SCOPE);
    }
}

impl<T: JsonSchema> Part for Query<T> {
    fn tell(operation: &mut Operation) {
        operation.query = Some(|generator| T::json_schema(generator));
    }
}

impl<T: JsonSchema> Part for Json<T> {
    fn tell(operation: &mut Operation) {
        operation.body = Some(SchemaGenerator::subschema_for::<T>);
    }
}

impl<T: JsonSchema> Part for Optional<T> {
    fn tell(operation: &mut Operation) {
        Json::<T>::tell(operation);
        operation.body_may_be_absent = true;
    }
}

/// All arguments of a handler.
pub trait Parts {
    /// Writes down what they say.
    fn tell(operation: &mut Operation);
}

macro_rules! parts {
    ($($name:ident)+) => {
        impl<$($name: Part),+> Parts for ($($name,)+) {
            fn tell(operation: &mut Operation) {
                $($name::tell(operation);)+
            }
        }
    };
}
parts!(A B);
parts!(A B C);
parts!(A B C D);
parts!(A B C D E);
parts!(A B C D E F);
