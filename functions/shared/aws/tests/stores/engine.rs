//! Which engine these contracts are held against: the embedded one, or the one that NSL_DYNAMODB_URL names.

use crate::Skin;

#[tokio::test]
async fn the_contracts_hold_against_amazons_own_engine_too() {
    let skin = Skin::start().await;
    if !skin.env.is_dynamodb_local().await {
        nsl_test_support::skip("dynamodb-local");
    }
}
