//! Which engine these contracts are held against: the embedded one, or the one that NSL_DYNAMODB_URL names.

use crate::TestEnvironment;

#[tokio::test]
async fn the_contracts_hold_against_amazons_own_engine_too() {
    let env = TestEnvironment::start().await;
    if !env.is_dynamodb_local().await {
        nsl_test_support::skip("dynamodb-local");
    }
}
