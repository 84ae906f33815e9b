//! The costliest frame of a publisher in docs/SECURITY.md, "The costliest request of each caller".

use nsl_test_support::RequestCost;
use nsl_test_support::prices::BATCH_MS;

use super::*;

#[tokio::test]
async fn full_batch_is_the_costliest_frame_of_a_publisher() {
    let (world, ingest) = warm().await;
    world.env.forget_calls();
    let batch: Vec<Value> = (0..100).map(report).collect();
    ingest.receive(&metrics_with_id(&batch.into())).await;
    RequestCost::of_frame(&world.env, None, BATCH_MS).assert_documented("publisher");
}
