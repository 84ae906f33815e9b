//! A function that does nothing, with which `nsl-measure` compares the others.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let hello = |_: LambdaEvent<Value>| async { Ok::<_, lambda_runtime::Error>(json!("hello")) };
    lambda_runtime::run(service_fn(hello)).await
}
