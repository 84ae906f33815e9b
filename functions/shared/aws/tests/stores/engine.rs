//! Reports as skipped that these tests run on DynamoDB Local, which they do if NSL_DYNAMODB_URL is set.

use crate::TestEnvironment;

#[tokio::test]
async fn skip_is_reported_without_dynamodb_local() {
    let env = TestEnvironment::start().await;
    if !env.is_dynamodb_local().await {
        nsl_test_support::skip("dynamodb-local");
    }
}
