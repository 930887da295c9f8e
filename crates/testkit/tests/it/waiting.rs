//! Waiting with a bound.

use std::time::Duration;

use testkit::wait;

#[tokio::test]
async fn waiting_ends_with_the_condition() {
    let mut asked = 0;
    wait::until("asked three times", Duration::from_secs(1), async || {
        asked += 1;
        asked == 3
    })
    .await;
    assert_eq!(asked, 3);
}

#[tokio::test]
#[should_panic(
    expected = "waited 30ms in vain until pigs fly (at crates/testkit/tests/it/waiting.rs"
)]
async fn waiting_in_vain_says_for_what_and_where() {
    wait::until("pigs fly", Duration::from_millis(30), async || false).await;
}
